"""Starts the perception node and what belongs beside it: one table of arguments, for `ros2 launch` and without it."""
