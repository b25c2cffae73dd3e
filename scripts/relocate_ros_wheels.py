"""Point the CMake files of the ROS 2 wheels at this Python instead of the one on the machine that built them.

Usage: .venv/bin/python scripts/relocate_ros_wheels.py
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

BUILD_MACHINE = r"/opt/python/cp3\d+-cp3\d+"
NUMPY_HEADERS = re.compile(BUILD_MACHINE + r"/lib/python3\.\d+/site-packages/numpy/_core/include")
PYTHON_HEADERS = re.compile(BUILD_MACHINE + r"/include/python3\.\d+")


def relocate(prefix: Path) -> int:
    """Rewrite the two header folders in every CMake file below `prefix/share`.

    Args:
        prefix: Root of the virtual environment that holds the wheels.

    Returns:
        Number of files changed; 0 when all of them were right already.
    """
    num_changed = 0
    for path in (prefix / "share").rglob("*.cmake"):
        before = path.read_text()
        after = NUMPY_HEADERS.sub(lambda _: numpy.get_include(), before)
        after = PYTHON_HEADERS.sub(lambda _: sysconfig.get_path("include"), after)
        if after != before:
            # A new file, never a write in place: the installer hard-links files to its cache and to other environments.
            replacement = path.with_suffix(".relocated")
            replacement.write_text(after)
            replacement.replace(path)
            num_changed += 1
    return num_changed


if __name__ == "__main__":
    print(f"    {relocate(Path(sys.prefix))} files adapted")
