"""Where the nodes' console scripts begin."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cs3_ros import entry


def test_ctrl_c_amid_the_imports_ends_at_once_and_well(tmp_path) -> None:
    # Tests that run in the background of a shell are handed an interrupt that is ignored.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    (tmp_path / "slow_node.py").write_text(f"import os, signal\n{heard}\nos.kill(os.getpid(), signal.SIGINT)\n")
    code = "from cs3_ros.entry import _run; _run('slow_node')"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_package_is_one_line(capsys) -> None:
    assert entry._run("nowhere.node") == 1
    error = capsys.readouterr().err
    assert "the module nowhere is missing" in error and error.count("\n") == 1


@pytest.mark.parametrize("name", ["perception", "microphone", "locator", "tracker", "bag_player", "rerun_viewer"])
def test_each_console_script_has_its_function(name) -> None:
    assert callable(getattr(entry, name))
