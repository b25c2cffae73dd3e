"""Parallel workers make what tests share once, and say the names of tests as one process does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOOKS = "from tests.workers import pytest_collection_modifyitems, pytest_runtest_logreport"
TESTS = """
import pathlib, pytest

@pytest.fixture(scope="module")
def shared():
    with pathlib.Path(__file__).with_name("made").open("a") as file:
        file.write("made ")

@pytest.mark.parametrize("number", range(8))
def test_it(shared, number):
    assert number != 5
"""


def test_a_fixture_of_a_file_is_made_in_one_worker_and_failures_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(HOOKS)
    (tmp_path / "test_shared.py").write_text(TESTS)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "test_shared.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = f"{ROOT}:{environment.get('PYTHONPATH', '')}"
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "1 failed, 7 passed" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "made").read_text() == "made "
    failed = json.loads((tmp_path / ".pytest_cache/v/cache/lastfailed").read_text())
    assert failed == {"test_shared.py::test_it[5]": True}
