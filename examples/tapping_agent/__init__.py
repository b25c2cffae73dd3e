"""A robot that taps what it cannot tell apart by looking, and finds the metal one by listening: see README.md."""
