"""docs/where.md answers with files that exist."""

from __future__ import annotations

import re

from tests.source_tree import ROOT


def test_every_path_on_the_page_exists():
    text = (ROOT / "docs/where.md").read_text(encoding="utf-8")
    paths = [
        path for line in text.splitlines() if line.startswith("| ") for path in re.findall(r"`([^`]+/[^`]*)`", line)
    ]
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_question_has_an_answer():
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "docs/where.md").read_text(encoding="utf-8").splitlines()
            if line.startswith("| ") and not line.startswith("| question")]  # fmt: skip
    assert len(rows) >= 20
    assert [row for row in rows if len(row) != 2 or not row[0].endswith("?") or "`" not in row[1]] == []
