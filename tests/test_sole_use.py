"""Two test runs at once do not hear each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.sole_use import claim_domain_id

CLAIM = "from tests.sole_use import claim_domain_id; print(claim_domain_id())"


def test_no_two_live_processes_have_one_domain_id() -> None:
    """Another process, and this one again, get ids that differ from the one of this run."""
    root = Path(__file__).resolve().parents[1]
    other = int(subprocess.check_output([sys.executable, "-c", CLAIM], cwd=root, text=True))
    mine = {int(os.environ["ROS_DOMAIN_ID"]), claim_domain_id()}
    assert len(mine) == 2 and other != int(os.environ["ROS_DOMAIN_ID"])
    assert all(1 <= number <= 101 for number in (*mine, other))
