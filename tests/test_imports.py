"""Imports go the way that docs/architecture.md draws: between packages, and between the rooms of a package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.source_tree import ROOT, Import, imports_of

PACKAGES = ("cs3_model", "cs3_ros", "training")
ROS_MODULE = re.compile(
    r"^(rclpy|rcl_interfaces|rosgraph_msgs|rosidl_\w+|ament_\w+|launch(_\w+)?|cv_bridge|cs3_ros|\w+_msgs|\w+_interfaces)$"
)


def drawn(heading: str) -> dict[str, set[str]]:
    """Reads a table of docs/architecture.md: each folder of the first column, and what the last says it imports."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {name: set(re.findall(r"`([\w/]+)/`", cells[-1])) for cells in rows for name in names_in(cells[0])}


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([\w/]+)/`", cell)


def top_level(found: Import) -> str:
    return found.module.split(".")[0]


def room_imports(package: str) -> set[tuple[str, str]]:
    """Pairs of folders right below a package, the importing one first; files beside them are in no room."""
    depth = len(Path(package).parts)
    rooms = set(drawn_rooms(package))
    pairs = set()
    for path, module in imports_of(package):
        names = module.split(".")
        if names[:depth] == package.split("/") and len(names) > depth and len(path.parts) > depth + 1:
            pairs.add((path.parts[depth], names[depth]))
    return {(importer, imported) for importer, imported in pairs if imported in rooms and importer != imported}


def drawn_rooms(package: str) -> dict[str, set[str]]:
    return drawn(f"Rooms of `{package}/`")


# --- packages ---


@pytest.mark.parametrize("package", ["cs3_model", "training"])
def test_no_source_file_imports_a_ros_module(package):
    assert [found for found in imports_of(package) if ROS_MODULE.match(top_level(found))] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_each_other_as_drawn(package):
    others = {top_level(found) for found in imports_of(package)} & {*PACKAGES, "tests", "benchmarks"} - {package}
    assert others <= drawn("Packages")[package]


def test_the_tests_of_the_method_import_nothing_of_training():
    assert [found for found in imports_of("tests/model") if top_level(found) in ("training", "cs3_ros")] == []


# --- rooms ---


@pytest.mark.parametrize("package", [*PACKAGES, "training/simulation"])
def test_every_room_is_drawn(package):
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert set(drawn_rooms(package)) == folders


@pytest.mark.parametrize("package", [*PACKAGES, "training/simulation"])
def test_rooms_import_each_other_as_drawn(package):
    allowed = drawn_rooms(package)
    found = room_imports(package)
    assert found, "a scan that finds no import proves nothing"
    assert sorted(pair for pair in found if pair[1] not in allowed[pair[0]]) == []


@pytest.mark.parametrize("package", [*PACKAGES, "training/simulation"])
def test_rooms_are_drawn_from_the_bottom_to_the_top(package):
    """Each room imports only from rows above its own, so that no two rooms need each other."""
    above: set[str] = set()
    for room, imported in drawn_rooms(package).items():
        assert imported <= above, f"{room} imports from below"
        above.add(room)


def test_losing_the_way_is_noticed(monkeypatch):
    """A room that imports what is not drawn fails the test above."""
    monkeypatch.setitem(globals(), "drawn_rooms", lambda package: {"data": set(), "weak": set()})
    assert ("weak", "data") in room_imports("training")
