"""The tables of what was tried (README.md) and of what ended each defect (docs/ros.md) name what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TRIED = "### What was tried"
DEFECTS = "## Defects that were found"


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    text = (ROOT / document).read_text()
    assert heading in text
    lines = text[text.index(heading) :].splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table[2:]


def commits(cells: list[str]) -> list[str]:
    return [word for cell in cells for word in re.findall(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7}\b", cell)]


def test_every_row_says_where_when_and_by_which_command() -> None:
    for what, where, when, command in rows("README.md", TRIED):
        assert what and where, what
        assert when == "every change" or re.match(r"by hand, 20\d\d", when), what
        assert "`" in command, what


def test_what_every_change_tries_is_a_command_of_ci() -> None:
    commands = [command for *_, when, command in rows("README.md", TRIED) if when == "every change"]
    assert commands and all(command.startswith("`.ci/run`") for command in commands)


def test_files_that_the_commands_name_exist() -> None:
    words = [
        word for row in rows("README.md", TRIED) for word in re.findall(r"(?:tests|benchmarks|scripts)/[\w/.]+", row[3])
    ]
    assert words and not [word for word in words if not (ROOT / word).exists()]


@pytest.mark.parametrize("document, heading", [("README.md", TRIED), ("docs/ros.md", DEFECTS)])
def test_commits_that_are_named_are_part_of_the_history(document: str, heading: str) -> None:
    named = [commit for row in rows(document, heading) for commit in commits(row[1:])]
    assert named
    strangers = [commit for commit in named if not is_ancestor(commit)]
    if strangers == named:
        pytest.skip("the history is not here, which git clone brings")
    assert not strangers


def is_ancestor(commit: str) -> bool:
    """Whether a commit is part of the history of the checkout."""
    command = ["git", "merge-base", "--is-ancestor", commit, "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_each_of_the_seventeen_defects_has_the_commit_that_ended_it() -> None:
    table = rows("docs/ros.md", DEFECTS)
    assert [row[0] for row in table if row[0]] == [str(number) for number in range(1, 18)]
    assert all(len(commits(row[2:])) == 1 for row in table)
