"""Child processes end with the process that started them."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

DEADLINE_S = 60.0
SLEEPER = ("timeit", "-n", "1", "-r", "1", "-s", "import time; print('up', flush=True)", "time.sleep(600)")
"""A module of Python's own that runs for long."""
PARENT = f"""
import signal
from cs3_model.child_processes import start_module
signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests in the background has it ignored
start_module(*{SLEEPER!r}).wait()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_module_ends_with_its_parent(number) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        try:
            assert parent.stdout.readline() == b"up\n"
            parent.send_signal(number)
            parent.communicate(timeout=DEADLINE_S)  # until the child, which has the pipe too, lets go of it
        finally:
            parent.kill()
        assert parent.returncode == -number


def test_a_module_gets_its_arguments_and_gives_its_status() -> None:
    code = (
        "import sys; from cs3_model.child_processes import start_module; sys.exit(start_module(*sys.argv[1:]).wait())"
    )
    command = [sys.executable, "-c", code, "base64", "-e"]
    done = subprocess.run(command, input=b"knock", capture_output=True, check=True, timeout=DEADLINE_S)
    assert done.stdout == b"a25vY2s=\n"
    refused = subprocess.run([*command[:-1], "--what"], capture_output=True, check=False, timeout=DEADLINE_S)
    assert refused.returncode == 2
