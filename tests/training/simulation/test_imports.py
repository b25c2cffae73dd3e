"""The packages of the simulation import each other one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import training.simulation

ROOT = Path(training.simulation.__file__).parent
LAYERS = (
    {"scenario", "objects"},
    {"scene"},
    {"physics"},
    {"sound", "rendering"},
    {"dataset"},
    {"validation"},
    {"command"},
    {"__main__"},
)
"""From the bottom to the top; packages of one layer do not know each other."""


def rank(package: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if package in layer)


def imports() -> Iterator[tuple[str, str]]:
    """Yields the package of a file and a package that it imports, as often as it does."""
    for path in ROOT.rglob("*.py"):
        importer = path.relative_to(ROOT).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("training.simulation."):
                yield importer, node.module.split(".")[2]


def test_every_package_imports_only_from_layers_below() -> None:
    found = set(imports())
    assert ("validation", "dataset") in found
    assert [pair for pair in found if pair[0] != pair[1] and rank(pair[0]) <= rank(pair[1])] == []
