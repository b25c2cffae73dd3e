"""Fine-tuning on labelled collisions: what is learned from, and what stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from cs3_model.build import load_preset
from cs3_model.networks.micro.micro_parts import load_micro
from tests.training.micro.conftest import SIDE, drawn_ids
from tests.training.micro.small import small_networks, small_weights
from training.data import DataSpec, open_data_set
from training.micro.tuning.labelled import LabelledBatches, read_labelled, seen_again
from training.micro.tuning.tune import Tuned, heard_target, losses_of, main

CPU = torch.device("cpu")


@pytest.fixture
def labelled(make_scenes, tmp_path):
    """Eight collisions: by turns object 2 in the right hand hits object 3, and object 1 in the left hand the table."""
    samples = open_data_set(DataSpec(name="sim_cs3", root=make_scenes(), split="train")).samples
    return read_labelled(samples, small_networks(tmp_path))


def tune(data: str, start: Path, out: Path, *arguments: object):
    command = typer.Typer()
    command.command()(main)
    options = ["--data", data, "--start-from", start, "--out", out, "--batch-size", 2, *arguments]
    return CliRunner().invoke(command, list(map(str, options)))


def test_what_collided_is_drawn_and_held_as_the_labels_say(labelled) -> None:
    assert len(labelled) == 8
    first, second = labelled[:2]
    assert set(np.unique(first.ids)) == {0, 1, 2} and first.image.shape == (SIDE, SIDE, 3)
    names = {number: int(np.unique(drawn_ids()[first.ids == number])[0]) for number in (1, 2)}
    assert sorted(names.values()) == [2, 3]
    spoon = next(number for number, drawn in names.items() if drawn == 2)
    assert first.objects.held[spoon].tolist() == [False, True] and first.objects.held.sum() == 1
    assert second.objects.held.sum(0).tolist() == [1, 0]
    assert not torch.equal(first.embedding_D, second.embedding_D)


def test_views_show_the_picture_with_its_ids_and_a_mirror_swaps_hands(labelled) -> None:
    hands = set()
    for seed in range(20):
        image, ids, objects = seen_again(np.random.default_rng(seed), labelled[0], SIDE)
        assert image.shape == (SIDE, SIDE, 3) and set(np.unique(ids)) <= {0, 1, 2}
        hands.add(tuple(objects.held.any(0).tolist()))
    assert hands == {(True, False), (False, True)}


def test_the_sound_points_at_what_no_hand_holds(labelled) -> None:
    batch = LabelledBatches(labelled, side=SIDE, batch_size=8, seed=0)[0]
    target, held = heard_target(batch.pictures), batch.pictures.held.any(2)
    for n, mask in enumerate(target[:, 0]):
        pointed_at = batch.pictures.ids[n, ::2, ::2][mask].unique().tolist()
        assert all(not held[n, number] and batch.pictures.struck[n, number] for number in pointed_at)
    assert target.flatten(1).any(1).sum() >= 6


def test_where_all_is_held_the_sound_points_at_all(labelled) -> None:
    batch = LabelledBatches(labelled[:1], side=SIDE, batch_size=1, seed=0)[0]
    pictures = batch.pictures._replace(held=batch.pictures.struck[..., None].expand(-1, -1, 2))
    assert torch.equal(heard_target(pictures)[0, 0], pictures.ids[0, ::2, ::2] > 0)


def test_steps_lower_the_losses_and_leave_tower_statistics_and_audio_encoder(labelled, tmp_path) -> None:
    networks = small_networks(tmp_path)
    before = {name: value.clone() for name, value in networks.state_dict().items()}
    model = Tuned(networks).train()
    batches = LabelledBatches(labelled, side=SIDE, batch_size=4, seed=0)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 3e-3)
    totals = []
    for step in range(30):
        total = torch.stack(list(losses_of(model, batches[step], step).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert np.mean(totals[-5:]) < 0.8 * np.mean(totals[:5])
    changed = {name for name, value in networks.state_dict().items() if not torch.equal(value, before[name])}
    parts = {".".join(name.split(".")[: 2 if name.startswith("vision") else 1]) for name in changed}
    assert parts == {"vision.held", "vision.pointed", "vision.boxed", "heard"}
    assert not any("running" in name for name in changed)


def test_the_command_writes_a_preset_with_its_weights(make_scenes, tmp_path) -> None:
    start = small_weights(tmp_path / "small.safetensors")
    result = tune(f"sim_cs3:{make_scenes()}:train", start, tmp_path / "out", "--steps", 2)
    assert result.exit_code == 0, result.output
    assert "learned from 8 collisions" in result.output
    old, new = (load_micro(path, CPU).state_dict() for path in (start, tmp_path / "out/micro.safetensors"))
    assert old.keys() == new.keys()
    assert all(torch.equal(old[name], new[name]) for name in old if name.startswith("audio"))
    assert any(not torch.equal(old[name], new[name]) for name in old if name.startswith("vision"))
    preset = load_preset(str(tmp_path / "out/micro.yaml"))
    assert replace(preset, micro_weights="") == load_preset("micro")
    assert Path(preset.micro_weights) == tmp_path / "out/micro.safetensors"


def test_data_without_collisions_is_one_line(make_scenes, tmp_path, monkeypatch) -> None:
    start = small_weights(tmp_path / "small.safetensors")
    result = tune(f"sim_cs3:{tmp_path}/nothing:train", start, tmp_path / "out")
    assert result.exit_code == 1 and result.output.startswith("error: ") and result.output.count("\n") == 1
    with pytest.raises(ValueError, match="nothing to learn from"):
        read_labelled([], load_micro(start, CPU))
