"""Runs `command`: ``python -m training.simulation make|clip|sheet|check``."""

from training.simulation.command import app

if __name__ == "__main__":
    app(prog_name="python -m training.simulation")
