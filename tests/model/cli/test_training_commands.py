"""The commands of the package `training`, from the checkout, from an installation, and beside a foreign `training`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)  # every test starts processes

ROOT = Path(__file__).resolve().parents[3]


def cs3(*arguments: str, path: list[Path], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path)), "COLUMNS": "120", "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", "from cs3_model.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with our installed packages, so without training."""
    shutil.copytree(ROOT / "cs3_model", tmp_path / "site" / "cs3_model", ignore=shutil.ignore_patterns("*.safetensors"))
    return tmp_path / "site"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with somebody else's package training, which has a module of the same name."""
    (tmp_path / "other" / "training").mkdir(parents=True)
    (tmp_path / "other" / "training" / "__init__.py").touch()
    (tmp_path / "other" / "training" / "tables.py").write_text("print('somebody else ran')\n")
    return tmp_path / "other"


def test_a_command_of_training_is_that_of_its_module(tmp_path: Path) -> None:
    done = cs3("simulate", "sheet", "absent", path=[ROOT], folder=tmp_path)
    command = [sys.executable, "-m", "training.simulation", "sheet", "absent"]
    same = subprocess.run(command, cwd=ROOT, env=os.environ | {"COLUMNS": "120"}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (same.returncode, same.stdout, same.stderr)
    assert done.returncode != 0 and "sheet" in done.stderr


@pytest.mark.parametrize("order", ["foreign first", "ours absent"])
def test_a_foreign_training_is_never_run(order: str, installed: Path, foreign: Path, tmp_path: Path) -> None:
    path = [foreign, ROOT] if order == "foreign first" else [installed, foreign]
    done = cs3("tables", "--help", path=path, folder=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"found another package of the name training, {foreign / 'training'}" in line
    assert line.endswith("scripts/run cs3 tables")


def test_help_imports_neither_training_nor_pytorch(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom cs3_model.cli import app\n"
        "shown = CliRunner().invoke(app, ['--help']).output\n"
        "assert all(name in shown for name in ('onsets', 'segment', 'weights', 'train', 'evaluate', 'simulate')), shown\n"
        "print(sorted({'torch', 'training'} & sys.modules.keys()))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
