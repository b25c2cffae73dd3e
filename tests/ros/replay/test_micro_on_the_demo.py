"""The weights that ship, on the clip that ships: a floor under what they can do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cs3_ros.demo import SHIPPED_BAG, TRUTH_TOPIC
from cs3_ros.evaluate_bag import main


@pytest.mark.slow
def test_micro_finds_most_of_what_collides_in_the_demo(tmp_path: Path) -> None:
    """One of seven true collisions is 18 ms after another and not heard on its own: it counts as missed."""
    arguments = ["--preset", "micro", "--param", "device:=cpu", "--no-video", "--out", str(tmp_path)]
    assert main([str(SHIPPED_BAG), "--ground-truth", TRUTH_TOPIC, *arguments]) == 0
    (path,) = tmp_path.rglob("metrics.json")
    metrics = json.loads(path.read_text())
    assert metrics["preset"] == "micro" and metrics["trained"]
    assert metrics["scores"]["masks"]["num_samples"] == 7
    assert metrics["scores"]["masks"]["iou"]["mean"] > 0.35  # 0.52 when this was written
