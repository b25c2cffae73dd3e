"""Where the console scripts of the nodes begin: imports take seconds, and Ctrl-C may come during them.

It imports nothing itself, so that there is hardly a moment at which an interrupt prints a traceback.
"""

from __future__ import annotations

import os
import sys


def perception() -> int:
    """Runs the perception node."""
    return _run("cs3_ros.perception.node")


def microphone() -> int:
    """Runs the microphone node."""
    return _run("cs3_ros.microphone.node")


def locator() -> int:
    """Says where in the room the objects of a collision are."""
    return _run("cs3_ros.locating.node")


def tracker() -> int:
    """Follows the objects of a collision."""
    return _run("cs3_ros.tracking.node")


def bag_player() -> int:
    """Plays a bag."""
    return _run("cs3_ros.bags.bag_player")


def rerun_viewer() -> int:
    """Shows everything in Rerun."""
    return _run("cs3_ros.viewers.rerun_viewer")


def _run(module: str) -> int:
    try:
        from importlib import import_module

        main = import_module(module).main
    except KeyboardInterrupt:
        os._exit(0)  # half-imported libraries may not survive an orderly end
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        hint = "build it: README.md, Installation" if name == "cs3_msgs" else "is its environment active?"
        print(f"{sys.argv[0].rpartition('/')[2]}: the module {name} is missing: {hint}", file=sys.stderr)
        return 1
    return main()
