"""Runs the command line: ``python -m cs3_model.cli``."""

from cs3_model.cli import main

if __name__ == "__main__":
    main()
