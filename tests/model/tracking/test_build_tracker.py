"""Which tracker a preset gets."""

from __future__ import annotations

import torch

from cs3_model import foundation
from cs3_model.build import load_preset
from cs3_model.networks.sam import build_debug_memory_network
from cs3_model.tracking.build_tracker import build_tracker
from cs3_model.tracking.flow_tracker import FlowTracker
from cs3_model.tracking.memory_tracker import MemoryTracker

CPU = torch.device("cpu")


def test_micro_follows_by_flow_and_its_mask_head(moving_square) -> None:
    tracker = build_tracker(load_preset("micro"), device=CPU)
    assert isinstance(tracker, FlowTracker) and tracker.trained and tracker.name.startswith("DIS flow + micro (")
    image, mask = moving_square(20, 30)
    (found,) = tracker.start(image, [mask]).step(moving_square(23, 30)[0])
    assert found.visible and abs(found.box_xyxy[0] - 23) < 5


def test_foundation_follows_by_the_memory_of_its_sam(monkeypatch, moving_square) -> None:
    """The published weights are loaded where those of the box segmenter are; here a network of debug size stands for it."""
    asked_for = []
    monkeypatch.setattr(foundation, "load_sam2", lambda size: asked_for.append(size) or build_debug_memory_network())
    tracker = build_tracker(load_preset("foundation"), device=CPU)
    assert asked_for == ["base-plus"] and isinstance(tracker, MemoryTracker)
    assert (tracker.name, tracker.trained) == ("sam2.1-base-plus, memory", True)
    image, mask = moving_square(20, 30)
    assert tracker.start(image, [mask]).step(image)[0].mask.shape == mask.shape


def test_random_weights_are_called_so() -> None:
    assert not build_tracker(load_preset("debug"), device=CPU).trained
