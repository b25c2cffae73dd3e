"""How many processes run the tests, and which tests share one: hooks of pytest, which `tests/conftest.py` takes over.

pytest-xdist sends all tests whose names end in the same "@group" to one worker, but version 3.8 cannot give them such
names under pytest 9.2, which keeps names in another field. So they get them here.
"""

from __future__ import annotations

import os

import pytest

MADE_ONCE = ("generated_world", "tiny", "outcomes", "foreign_workspace")
"""Fixtures of the session that take long: the tests of each run in one worker, where they share it."""


def pytest_xdist_auto_num_workers() -> int:
    """One more worker than there are cores: many tests wait for a graph or for real time to pass."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Function]) -> None:
    """Keeps the tests that share a fixture in one worker, and begins with the slow ones, so that none ends alone."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if hasattr(config, "workerinput"):
        from _pytest.nodeid import NodeId  # an older pytest, as ROS installations have, runs the tests without workers

        for item in items:
            if group := _group(item):
                item._id = NodeId.parse(f"{item.nodeid}@{group}")


def _group(item: pytest.Function) -> str | None:
    """The fixture of `MADE_ONCE` that a test needs, or its file where it needs a fixture that is made once per file."""
    if made_once := next((name for name in MADE_ONCE if name in item.fixturenames), None):
        return made_once
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return item.location[0] if any(found[-1].scope == "module" for found in fixtures) else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Takes the groups off the names in reports of workers, so that `--last-failed` finds the tests again."""
    if hasattr(report, "node") and report.nodeid.rfind("@") > report.nodeid.rfind("]"):
        report.nodeid = report.nodeid.rpartition("@")[0]
