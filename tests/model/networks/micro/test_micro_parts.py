"""The parts of micro in a pipeline, with random weights: files, sharing of the tower, coordinates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cs3_model.build import build_pipeline, load_preset
from cs3_model.networks.micro.micro_parts import (
    DEBUG_MICRO,
    MicroHands,
    MicroNetworks,
    SharedTower,
    build_micro_parts,
    load_micro,
    micro_file,
)
from cs3_model.networks.micro.pointed import boxes_at
from cs3_model.types import AudioWindow, Frame

CPU = torch.device("cpu")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    (tmp_path / "small.safetensors").write_bytes(micro_file(MicroNetworks(DEBUG_MICRO), {}))
    return tmp_path / "small.safetensors"


def picture(height: int = 48, width: int = 80) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def test_a_preset_of_ones_own_names_its_weights(weights: Path) -> None:
    preset = weights.with_name("mine.yaml")
    preset.write_text("parts: {audio_visual: micro, hands: micro, boxes: micro}\nmicro_weights: small.safetensors\n")
    pipeline = build_pipeline(load_preset(str(preset)), device=CPU)
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, 16_000).astype(np.float32)
    result = pipeline.process(Frame(image=picture()), AudioWindow(samples=sound))
    assert result.heatmap.shape == (19, 32) and all(mask.mask.shape == (48, 80) for mask in result.masks)
    assert pipeline.trained and "trained in simulation" in pipeline.models[0]


def test_weights_survive_the_file_up_to_half_precision(weights: Path) -> None:
    torch.manual_seed(0)
    before, after = MicroNetworks(DEBUG_MICRO).state_dict(), load_micro(weights, CPU).state_dict()
    assert all(torch.allclose(before[name].float(), after[name].float(), rtol=1e-3, atol=1e-6) for name in before)
    assert all(value.dtype in (torch.float32, torch.int64) for value in after.values())


def test_bad_weight_files_are_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent.safetensors cannot be read"):
        load_micro(tmp_path / "absent.safetensors", CPU)
    (tmp_path / "cut.safetensors").write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"cut.safetensors cannot be read"):
        load_micro(tmp_path / "cut.safetensors", CPU)
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other.safetensors holds other weights"):
        load_micro(tmp_path / "other.safetensors", CPU)


def test_the_tower_sees_an_image_once_for_all_parts(weights: Path, monkeypatch) -> None:
    parts = build_micro_parts(weights, CPU)
    calls = []
    tower = parts.hands._tower.vision.tower
    monkeypatch.setattr(tower, "forward", lambda x, forward=tower.forward: calls.append(x.shape) or forward(x))
    image = picture()
    parts.audio_visual.embed_image(image)
    parts.hands.detect(image)
    parts.boxes.embed(image)
    assert calls == [(1, 3, 64, 64)]
    parts.audio_visual.embed_image(image.copy())
    assert len(calls) == 2


def test_held_boxes_are_pixels_of_the_image_and_clipped_to_it(weights: Path) -> None:
    tower = SharedTower(load_micro(weights, CPU).vision, CPU)
    found = MicroHands(tower, name="", trained=False, min_score=0.0).detect(picture(48, 80))
    for held in (found.left, found.right):
        x_min, y_min, x_max, y_max = held.box_xyxy
        assert 0 <= x_min < x_max <= 80 and 0 <= y_min < y_max <= 48
    nothing = MicroHands(tower, name="", trained=False, min_score=1.0).detect(picture(48, 80))
    assert nothing.left is None and nothing.right is None


def test_masks_stay_near_their_boxes(weights: Path) -> None:
    boxes = build_micro_parts(weights, CPU).boxes
    asked = np.array([[10, 10, 30, 40], [50, 5, 79, 20]], np.float32)
    masks, scores = boxes.segment(boxes.embed(picture()), asked)
    assert masks.shape == (2, 48, 80) and masks.dtype == np.bool_ and scores.dtype == np.float32
    assert not masks[0][:, 40:].any() and not masks[1][:, :40].any()


def test_a_point_is_segmented_in_the_box_that_is_seen_there(weights: Path) -> None:
    """38 x 64 pixels of the network, below 12 grey rows, stand for a picture of 48 x 80."""
    parts = build_micro_parts(weights, CPU).boxes
    embedding = parts.embed(picture())
    points = np.array([[8, 6], [79, 47]], np.float32)
    at = torch.tensor([[6.4, 12 + 6 * 38 / 48], [63.2, 12 + 47 * 38 / 48]])
    seen = boxes_at(parts._tower.vision.pointed(embedding.seen.features)[0], at)
    in_picture = np.clip((seen.numpy() - [0, 12, 0, 12]) * np.tile([1.25, 48 / 38], 2), 0, np.tile([80, 48], 2))
    expected, _ = parts.segment(embedding, in_picture)
    masks, scores = parts.segment_points(embedding, points)
    assert masks.shape == (2, 48, 80) and masks.dtype == np.bool_ and scores.dtype == np.float32
    assert masks.any() and not masks.all()
    np.testing.assert_array_equal(masks, expected)


def test_the_pipeline_loads_no_library_that_it_can_do_without() -> None:
    """Each would take 30 to 130 MiB of a small computer's memory."""
    code = (
        "import sys, torch; from cs3_model.build import build_pipeline, load_preset\n"
        "build_pipeline(load_preset('micro'), device=torch.device('cpu'))\n"
        "assert 'cs3_model.networks.micro.micro_parts' in sys.modules\n"
        "print({'huggingface_hub', 'httpx', 'scipy', 'torchvision', 'transformers', 'sam2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
