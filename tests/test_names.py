"""A name in the tree means one thing: no two classes share one, and no two files but where the room tells them apart."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.source_tree import modules_of, parse

PACKAGES = ("cs3_model", "cs3_ros", "training")
TOLD_APART_BY_THEIR_ROOM = {
    "audio.py",  # networks/micro/: the network; conversions/: the messages
    "checkpoint.py",  # weights/: any file of weights; hands23/: the names of tensors in that one
    "command.py",  # bringup/, mcp_server/ and simulation/: the command line of the room
    "config.py",  # onset/ and hands23/: the thresholds of the room
    "detections.py",  # hands23/: what it detects; conversions/: the message of this name
    "detector.py",  # onset/ and hands23/: what the room is about
    "node.py",  # perception/, microphone/, locating/ and tracking/: the node of the room
}
SHARED = {"__init__.py", "__main__.py"}


def test_no_class_name_means_two_things():
    places = defaultdict(set)
    for package in PACKAGES:
        for path in modules_of(package):
            for node in ast.walk(parse(path)):
                if isinstance(node, ast.ClassDef):
                    places[node.name.lstrip("_")].add(f"{path}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_name_means_two_things():
    places = defaultdict(list)
    for package in PACKAGES:
        for path in modules_of(package):
            places[path.name].append(str(path))
    ambiguous = {name: paths for name, paths in places.items() if len(paths) > 1 and name not in SHARED}
    assert {name: paths for name, paths in ambiguous.items() if name not in TOLD_APART_BY_THEIR_ROOM} == {}
    assert set(ambiguous) == TOLD_APART_BY_THEIR_ROOM, "an exception that nothing needs any more"
