"""A robot that taps what it cannot tell apart by looking, and finds the metal one by listening: see README.md."""

import training.simulation  # noqa: F401  says how to render without a display, which mujoco reads when it is imported
