"""What a sound should point at, and the stage that learns it, on drawn scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from cs3_model.networks.micro.micro_parts import DEBUG_MICRO, MicroNetworks
from tests.training.micro.conftest import BOXES, scene_truth
from tests.training.micro.small import small_networks
from training.micro.audio_visual.heard_data import VIEWS, HeardBatches, gather, heard_batch, joined, pointed_at
from training.micro.audio_visual.train_heard import HeardStage, heard_losses, main, measure_pointing, peak_loss
from training.micro.vision.scenes import list_scenes
from training.simulation.rendering.id_map import TABLE_ID


@pytest.mark.parametrize(
    ("colliding", "held", "expected"),
    [([2, 3], [2], [3]), ([1, TABLE_ID], [1], [TABLE_ID]), ([1, 2], [1, 2], [1, 2]), ([3], [], [3]), ([], [1], [])],
)
def test_a_sound_points_at_what_no_hand_holds(colliding, held, expected) -> None:
    assert pointed_at(scene_truth(colliding, held=held)) == expected


@pytest.fixture
def heard(make_scenes):
    torch.manual_seed(0)
    networks = MicroNetworks(DEBUG_MICRO)
    return joined(gather(networks, list_scenes(make_scenes(count=3), "train")), 3)


def test_both_collisions_of_a_scene_share_its_features_and_not_their_targets(heard) -> None:
    assert heard.features.shape == (3, 4, 8, 16, 16) and heard.ids.shape == (3, 4, 32, 32)
    assert heard.scene.tolist() == [0, 0, 1, 1, 2, 2]
    batch = heard_batch(heard, torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([0, 0]))
    assert torch.equal(batch.features[0], batch.features[1])
    x_min, y_min, x_max, y_max = (value // 2 for value in BOXES[3])
    expected = np.zeros((32, 32), bool)
    expected[y_min:y_max, x_min:x_max] = True
    assert np.array_equal(batch.masks[0, 0].numpy(), expected)
    assert batch.masks[1, 0, 16:].any() and not batch.masks[1, 0, :16].any()  # the table
    assert not torch.equal(batch.embedding[0], batch.embedding[1])


def test_a_mirrored_batch_has_mirrored_masks_and_features_of_the_mirrored_picture(heard) -> None:
    chosen, window = torch.tensor([0]), torch.tensor([1])
    plain, mirrored = (heard_batch(heard, chosen, window, torch.tensor([view])) for view in (0, 1))
    assert torch.equal(mirrored.masks, plain.masks.flip(-1))
    assert not torch.equal(mirrored.features, plain.features)


def test_filmed_views_have_their_own_ids_and_are_the_same_each_time(heard, tmp_path) -> None:
    again = joined(gather(MicroNetworks(DEBUG_MICRO), list_scenes(tmp_path / "data", "train")), 3)
    assert torch.equal(again.ids, heard.ids)
    as_is, mirrored, filmed, refilmed = heard.ids.unbind(1)
    assert torch.equal(mirrored, as_is.flip(-1))
    assert not torch.equal(filmed, as_is) and not torch.equal(filmed, refilmed)
    batch = heard_batch(heard, torch.tensor([0]), torch.tensor([0]), torch.tensor([VIEWS.index("as filmed")]))
    assert torch.equal(batch.masks[0, 0], filmed[0] == 3)


def test_pointing_is_measured_where_the_target_is_in_view(heard) -> None:
    """Six collisions, of which the drawn views show fewer."""
    lines = measure_pointing(MicroNetworks(DEBUG_MICRO), heard, "val").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[1] for row in cells] == [
        f"peak on target, {sound}, {view}"
        for view in ("as it is", "as filmed")
        for sound in ("own sound", "another sound")
    ]
    targets = [torch.isin(heard.ids[s, 2], heard.target[n].nonzero().flatten()) for n, s in enumerate(heard.scene)]
    assert [int(row[3]) for row in cells] == [6, 6] + 2 * [sum(bool(target.any()) for target in targets)]
    assert all(0.0 <= float(row[2]) <= 1.0 for row in cells)


def test_a_whole_micro_is_a_start(make_scenes, tmp_path) -> None:
    wanted = small_networks(tmp_path).heard.state_dict()
    command = typer.Typer()
    command.command()(main)
    weights = tmp_path / "small.safetensors"
    options = ["--data", make_scenes(), "--vision", weights, "--audio", weights, "--start-from", weights]
    options += ["--out", tmp_path / "out", "--steps", 1, "--batch-size", 2, "--debug", "--learning-rate", 0]
    result = CliRunner().invoke(command, list(map(str, options)))
    assert result.exit_code == 0, result.output
    written = load_file(tmp_path / "out/micro.safetensors")
    trained = {name for name, _ in MicroNetworks(DEBUG_MICRO).heard.named_parameters()}
    assert trained and all(torch.equal(written[f"heard.{name}"].float(), wanted[name]) for name in trained)


def test_batches_hold_whole_scenes_and_are_fixed_by_their_step(heard) -> None:
    batches = HeardBatches(heard, batch_size=2, seed=0)
    assert len(batches[0].masks) == 4
    assert torch.equal(batches[3].embedding, HeardBatches(heard, batch_size=2, seed=0)[3].embedding)


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_a_step_learns_on_processors_with_and_without_bfloat16(heard, has_bfloat16, monkeypatch) -> None:
    """Features are kept in bfloat16 on both."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has_bfloat16})
    stage = HeardStage(MicroNetworks(DEBUG_MICRO))
    losses = heard_losses(stage, HeardBatches(heard, batch_size=2, seed=0)[0], 0)
    torch.stack(list(losses.values())).sum().backward()
    gradients = [value.grad for value in stage.heard.parameters() if value.grad is not None]
    assert gradients and all(value.isfinite().all() for value in gradients)


def test_the_peak_loss_is_the_log_of_the_share_on_the_mask() -> None:
    logits = torch.zeros(2, 1, 2, 2)
    masks = torch.tensor([[[[True, False], [False, False]]], [[[True, True], [False, False]]]])
    assert peak_loss(logits, masks).item() == pytest.approx((np.log(4) + np.log(2)) / 2)
    logits[:, :, 0, 0] = 50.0
    assert peak_loss(logits, masks).item() == pytest.approx(0.0, abs=1e-6)


def test_samples_whose_target_is_not_seen_do_not_count_in_the_peak_loss() -> None:
    masks = torch.zeros(2, 1, 2, 2, dtype=torch.bool)
    assert peak_loss(torch.zeros(2, 1, 2, 2), masks).item() == 0.0
    masks[0, 0, 0, 0] = True
    assert peak_loss(torch.zeros(2, 1, 2, 2), masks).item() == pytest.approx(np.log(4))
