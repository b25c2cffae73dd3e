"""The weakly supervised map of micro, with random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cs3_model.build import PartNames, Preset, build_pipeline
from cs3_model.localisation import Binarisation, LocalisationConfig, Masker
from cs3_model.networks.micro.micro_parts import DEBUG_MICRO, MicroNetworks, micro_file
from cs3_model.networks.micro.weak import weakly_heard
from cs3_model.pipeline import HeardMask, PipelineConfig
from cs3_model.types import AudioWindow, Frame

CPU = torch.device("cpu")


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    torch.manual_seed(0)
    networks = MicroNetworks(DEBUG_MICRO)
    (tmp_path / "micro.safetensors").write_bytes(micro_file(networks, {}))
    token = weakly_heard(networks).token.state_dict()
    save_file({f"token.{name}": value for name, value in token.items()}, tmp_path / "weak.safetensors")
    return Preset(
        parts=PartNames(audio_visual="micro-weak", hands="micro", boxes="micro"),
        micro_weights=str(tmp_path / "micro.safetensors"),
        audio_weights=str(tmp_path / "weak.safetensors"),
    )


def test_the_map_follows_the_token_of_the_file(preset: Preset) -> None:
    """With the projection at zero all sounds are alike; with other weights they are not."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 48, 3), np.uint8)
    noise = rng.uniform(-1, 1, 32_000).astype(np.float32)
    windows = [AudioWindow(samples=samples) for samples in (noise, np.sin(np.cumsum(noise)))]

    def maps() -> list[np.ndarray]:
        part = build_pipeline(preset, device=CPU).audio_visual
        return [part.decode(part.embed_image(image), part.embed_audio(window)) for window in windows]

    first, second = maps()
    assert first.shape == (32, 32) and not np.allclose(first, second, atol=1e-6)
    path = Path(preset.audio_weights)
    save_file({name: torch.zeros_like(value) for name, value in load_file(path).items()}, path)
    first, second = maps()
    assert np.array_equal(first, second)


def test_the_map_may_be_cut_where_training_cut_it(preset: Preset) -> None:
    path = Path(preset.audio_weights)
    trained = load_file(path)
    assert build_pipeline(preset, device=CPU).audio_visual.masker is None  # a file from before it was exported
    save_file(trained | {"masker.scale": torch.tensor(5.0), "masker.bias": torch.tensor(-1.5)}, path)
    assert build_pipeline(preset, device=CPU).audio_visual.masker == Masker(scale=5.0, bias=-1.5)


def test_a_pipeline_takes_the_logits_that_the_masker_takes(preset: Preset) -> None:
    """Without smoothing, the mask is where 5 x + b >= 0: a bias with a third of the logits above it takes a third."""
    path = Path(preset.audio_weights)
    rng = np.random.default_rng(0)
    frame = Frame(image=rng.integers(0, 256, (32, 32, 3), np.uint8))  # as large as the map: nothing is resampled
    window = AudioWindow(samples=rng.uniform(-1, 1, 32_000).astype(np.float32))
    part = build_pipeline(preset, device=CPU).audio_visual
    logits = part.decode(part.embed_image(frame.image), part.embed_audio(window))
    edge = float(np.quantile(logits, 2 / 3))
    save_file(load_file(path) | {"masker.scale": torch.tensor(5.0), "masker.bias": torch.tensor(-5.0 * edge)}, path)
    localisation = LocalisationConfig(smoothing=0, binarisation=Binarisation.MASKER)
    config = PipelineConfig(use_hands=False, use_crop=False, heard_mask=HeardMask.MAP, localisation=localisation)
    (heard,) = build_pipeline(replace(preset, pipeline=config), device=CPU).process(frame, window).masks
    assert np.mean(heard.mask != (logits > edge)) <= 1 / 1024 and abs(heard.mask.mean() - 1 / 3) < 0.01


def test_weights_are_needed_and_must_fit(preset: Preset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="audio_weights must name a file for the part micro-weak"):
        build_pipeline(replace(preset, audio_weights=""), device=CPU)
    with pytest.raises(ValueError, match=r"absent.safetensors cannot be read"):
        build_pipeline(replace(preset, audio_weights=str(tmp_path / "absent.safetensors")), device=CPU)
    save_file({"token.norm.weight": torch.zeros(8)}, tmp_path / "part.safetensors")
    with pytest.raises(ValueError, match="micro-weak"):
        build_pipeline(replace(preset, audio_weights=str(tmp_path / "part.safetensors")), device=CPU)
