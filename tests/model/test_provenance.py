"""Where a figure comes from."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cs3_model import provenance

ROOT = Path(__file__).resolve().parents[2]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def reported_by(copy: Path) -> str:
    """What a process says that runs the package from a copy of it."""
    command = [sys.executable, "-c", "from cs3_model.provenance import source_commit; print(source_commit())"]
    environment = os.environ | {"PYTHONPATH": str(copy)}
    return subprocess.run(command, cwd=copy, env=environment, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder that holds what `source_commit` needs of the package."""
    package = tmp_path / "workspace" / "src" / "cs3_model"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(ROOT / "cs3_model" / "provenance.py", package)
    return package.parent


def test_the_commit_is_that_of_the_checkout_and_says_when_files_differ(copy: Path) -> None:
    git(copy, "init", "-q")
    git(copy, "add", "cs3_model")
    git(copy, "commit", "-q", "-m", "First")
    commit = git(copy, "rev-parse", "--short", "HEAD")
    assert reported_by(copy) == commit
    (copy / "cs3_model" / "__init__.py").write_text("x = 1\n")
    assert reported_by(copy) == f"{commit}-dirty"


def test_an_installation_inside_another_repository_does_not_report_its_commit(copy: Path) -> None:
    workspace = copy.parent
    git(workspace, "init", "-q")
    git(workspace, "commit", "-q", "--allow-empty", "-m", "Somebody else's")
    assert reported_by(copy).startswith("version ")


def test_the_machine_is_one_line_with_the_cores_this_process_may_use() -> None:
    cores = len(os.sched_getaffinity(0))
    line = provenance.machine()
    assert "\n" not in line and f", {cores} core" in line


def test_versions_name_what_is_installed_and_leave_out_the_rest() -> None:
    assert provenance.package_versions("numpy", "no-such-package-here") == {
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
