"""ACL-SSL's weights in our networks, against numbers that upstream's own modules gave for the same random ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation
from typer.testing import CliRunner

from cs3_model.cli.weights import app
from cs3_model.networks.audio_token import AudioToken
from cs3_model.networks.clipseg import ConditionedCLIPSeg
from cs3_model.networks.state_dicts import load_strictly
from cs3_model.networks.text_prompt import AudioPrompt
from cs3_model.weights.acl import LAYOUT, converted
from cs3_model.weights.checkpoint import read_checkpoint
from tests.model.networks import acl_recipe

GOLDEN = json.loads((Path(__file__).parents[1] / "networks" / "golden" / "acl.json").read_text())


def published() -> dict[str, dict[str, torch.Tensor]]:
    """A checkpoint with the published names, at debug size."""
    shapes = {name: tuple(shape) for name, shape in GOLDEN["audio_proj"].items()}
    projection = {name: torch.from_numpy(value) for name, value in acl_recipe.tensors(shapes, "audio_proj").items()}
    return {"audio_proj": projection, "masker_i": {key: torch.tensor(value) for key, value in GOLDEN["masker"].items()}}


def imported(tmp_path: Path, checkpoint: object) -> Path:
    torch.save(checkpoint, tmp_path / "Param_best.pth")
    result = CliRunner().invoke(app, ["import-acl", str(tmp_path / "Param_best.pth"), str(tmp_path / "a.safetensors")])
    assert result.exit_code == 0, result.output
    return tmp_path / "a.safetensors"


def test_token_condition_and_map_are_those_of_upstream(tmp_path: Path) -> None:
    """The golden values come from upstream's modules with transformers 4.25.1, the recipe's weights and inputs."""
    checkpoint = read_checkpoint(imported(tmp_path, published()), remedy="")
    token = AudioToken(in_dim=96, token_dim=32).eval()
    names = {name: value for name, value in checkpoint.tensors.items() if name.startswith("audio_token.")}
    load_strictly(torch.nn.ModuleDict({"audio_token": token}), names, "the audio token")
    clipseg = ConditionedCLIPSeg(CLIPSegForImageSegmentation(CLIPSegConfig(**acl_recipe.CLIPSEG)), input_size=64).eval()
    shapes = {name: tuple(value.shape) for name, value in clipseg.model.state_dict().items()}
    filled = {name: torch.from_numpy(value) for name, value in acl_recipe.tensors(shapes, "clipseg").items()}
    load_strictly(clipseg.model, filled, "CLIPSeg")
    with torch.inference_mode():
        pooled = token(list(torch.from_numpy(acl_recipe.audio_levels())))
        condition = AudioPrompt(acl_recipe.PROMPT_IDS, acl_recipe.END_ID)(clipseg.model.clip, pooled)
        features = clipseg.image_features(torch.from_numpy(acl_recipe.pixels()))
        logits = clipseg.decode_pairs(features, condition)[0, 0]
    np.testing.assert_allclose(pooled[0], GOLDEN["token"], atol=1e-4)
    np.testing.assert_allclose(condition[0], GOLDEN["condition"], atol=1e-4)
    np.testing.assert_allclose(logits[::8, ::8], GOLDEN["logits"], atol=1e-4)


def test_prompt_normalisation_and_masker_travel_along(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(imported(tmp_path, published()), remedy="")
    assert checkpoint.extras == LAYOUT
    assert checkpoint.tensors["masker.scale"] == 9.5 and checkpoint.tensors["masker.bias"] == 13.25


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    other = published()
    other["audio_proj"]["fc3.weight"] = torch.zeros(1)
    half = published()
    del half["audio_proj"]["fga.reduce_potentials.0.weight"]
    for checkpoint, reason in (
        ({"model": {"a": torch.zeros(1)}}, "holds no audio_proj"),
        (other, "audio_proj.fc3.weight is unknown"),
        (half, "nothing for audio_token.pooling.mix"),
    ):
        torch.save(checkpoint, tmp_path / "x.pth")
        result = CliRunner().invoke(app, ["import-acl", str(tmp_path / "x.pth"), str(tmp_path / "y.safetensors")])
        assert result.exit_code == 1 and reason in result.output and not (tmp_path / "y.safetensors").exists()
    result = CliRunner().invoke(app, ["import-acl", str(tmp_path / "x.pth"), str(tmp_path / "y.pt")])
    assert result.exit_code == 1 and "must end in .safetensors" in result.output


def test_a_tensor_of_another_shape_is_found_when_it_is_loaded() -> None:
    tensors = {f"audio_proj.{name}": value for name, value in published()["audio_proj"].items()}
    tensors |= {f"masker_i.{name}": value for name, value in published()["masker_i"].items()}
    with pytest.raises(ValueError, match="not the weights of the audio token"):
        ours = {name: value for name, value in converted(tensors).items() if name.startswith("audio_token.")}
        load_strictly(torch.nn.ModuleDict({"audio_token": AudioToken()}), ours, "the audio token")
