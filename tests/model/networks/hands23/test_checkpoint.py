"""The network loads what detectron2 saves, name for name and shape for shape, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cs3_model.networks.hands23.checkpoint import hands23_from_checkpoint, load_hands23


@pytest.fixture
def published() -> dict[str, torch.Tensor]:
    """A state dict with the names and shapes of the reference model, without memory for the values."""
    lines = (Path(__file__).parent / "golden" / "checkpoint_keys.txt").read_text().splitlines()
    shapes = dict(line.split() for line in lines)
    return {name: torch.empty(*map(int, shape.split("x")), device="meta") for name, shape in shapes.items()}


def test_the_published_layout_loads_strictly(published: dict[str, torch.Tensor]) -> None:
    network = hands23_from_checkpoint(published)
    assert network.state_dict().keys() == published.keys()
    assert len(published) == 586


def test_a_training_checkpoint_with_constant_buffers_loads(published: dict[str, torch.Tensor]) -> None:
    published["pixel_mean"] = torch.zeros(3, 1, 1)
    published["pixel_std"] = torch.ones(3, 1, 1)
    published["proposal_generator.anchor_generator.cell_anchors.0"] = torch.zeros(3, 4)
    hands23_from_checkpoint({"model": published, "iteration": 400_000})


def test_a_missing_tensor_is_named(published: dict[str, torch.Tensor]) -> None:
    del published["roi_heads.z_head.relation_layer.0.weight"]
    with pytest.raises(ValueError, match=r"not the weights of Hands23.*Missing.*roi_heads\.z_head"):
        hands23_from_checkpoint(published)


def test_an_unknown_tensor_is_named(published: dict[str, torch.Tensor]) -> None:
    published["roi_heads.keypoint_head.weight"] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"Unexpected.*keypoint_head"):
        hands23_from_checkpoint(published)


def test_a_tensor_of_another_shape_is_named(published: dict[str, torch.Tensor]) -> None:
    """16 box outputs are what torchvision, with a box for the background, would have."""
    published["roi_heads.box_predictor.bbox_pred.weight"] = torch.zeros(16, 1024)
    with pytest.raises(ValueError, match=r"size mismatch for roi_heads\.box_predictor\.bbox_pred\.weight"):
        hands23_from_checkpoint(published)


@pytest.mark.parametrize("content", [b"", b"junk", b"<html>not found</html>", b"PK\x03\x04truncated"])
def test_a_damaged_file_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model_hands23.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model_hands23\.pth is damaged"):
        load_hands23(path)


@pytest.mark.parametrize("content", [{"model": {"weight": torch.zeros(1)}}, {"model": 1}, torch.zeros(1)])
def test_a_checkpoint_of_something_else_is_refused_by_name(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "model_hands23.pth"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"model_hands23\.pth: these are not the weights of Hands23"):
        load_hands23(path)
