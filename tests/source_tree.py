"""What the tests of the tree itself read: the modules of the packages, and who imports whom. Runs no module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Import(NamedTuple):
    """A file, relative to the root, imports a module, as a dotted name."""

    path: Path
    module: str


def modules_of(folder: str) -> list[Path]:
    """The Python files below a folder of the repository, relative to its root."""
    found = sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has no modules"
    return found


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports_of(folder: str) -> Iterator[Import]:
    """Yields all imports below a folder, those inside functions too; `from a import b` counts as `a.b`."""
    for path in modules_of(folder):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Import):
                yield from (Import(path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports are written from the root"
                yield from (Import(path, f"{node.module}.{alias.name}") for alias in node.names)
