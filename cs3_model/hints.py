"""How the reader of a message runs the command that it names: that depends on how the package was installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def cs3_command(arguments: str, *, root: Path = _ROOT) -> str:
    """The command line that runs `cs3` with these arguments here.

    Args:
        arguments: For instance ``"weights fetch"``.
        root: The checkout, where the package runs from one.
    """
    if (root / "scripts" / "run").is_file() and Path(sys.prefix).is_relative_to(root):
        return f"scripts/run cs3 {arguments}"
    prefixes = [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    if any((prefix / "lib" / "cs3_ros" / "cs3").is_file() for prefix in prefixes):
        return f"ros2 run cs3_ros cs3 {arguments}"
    return f"cs3 {arguments}"
