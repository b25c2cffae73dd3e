"""The training of the small audio encoder learns, resumes exactly, and its gate counts right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cs3_model.networks.micro.audio import MicroAudioConfig, MicroAudioEncoder
from training.loop.trainer import LoopConfig
from training.micro.audio.audio_gate import Windows, area_under_curve, likeliest_sets, markdown, read_windows
from training.micro.audio.audio_hits import MATERIAL_NAMES, Hits, label_of
from training.micro.audio.train_audio import HitBatches, WindowConfig, losses_of
from training.micro.fitting import StageConfig, fit

RATE_HZ = 16_000
TINY = MicroAudioConfig(channels=(4, 6, 8, 8), temporal_channels=16, embedding_dim=16, dropout=0.1)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def hits() -> Hits:
    """Two kinds: high short rings are of metal, low dull ones of wood."""
    rng = np.random.default_rng(0)
    time = np.arange(2 * RATE_HZ) / RATE_HZ
    sounds, labels, onsets = [], [], []
    for index in range(48):
        onset, metal = rng.uniform(0.6, 1.2), index % 2 == 0
        pitch, decay = (4000.0, 8.0) if metal else (300.0, 60.0)
        since = np.clip(time - onset, 0.0, None)
        ring = np.sin(2 * np.pi * pitch * rng.uniform(0.9, 1.1) * since) * np.exp(-decay * since) * (time >= onset)
        sounds.append(np.round(8000 * ring + 80 * rng.standard_normal(time.size)).astype(np.int16))
        labels.append(label_of(("metal",) if metal else ("wood",)))
        onsets.append(onset)
    return Hits(
        sounds=np.stack(sounds), plain=np.stack(sounds), labels=np.stack(labels), onsets_s=np.array(onsets, np.float32)
    )


def encoder() -> MicroAudioEncoder:
    torch.manual_seed(0)
    return MicroAudioEncoder(TINY)


def batches(hits: Hits, **changes) -> HitBatches:
    return HitBatches(hits, WindowConfig(**{"batch_size": 12, **changes}))


def run(hits: Hits, steps: int, folder: Path, losses=losses_of) -> MicroAudioEncoder:
    config = StageConfig(steps=steps, learning_rate=5e-3, warm_up_steps=2, averaging=0.5, loader_workers=0)
    return fit(encoder(), batches(hits), losses, config, folder, run={}, loop=LoopConfig(checkpoint_every=1))


def test_a_short_training_lowers_the_loss(hits, tmp_path):
    def loss(network: MicroAudioEncoder) -> float:
        with torch.no_grad():
            return float(losses_of(network, batches(hits)[100], 0)["materials"])

    before = loss(encoder().eval())
    assert loss(run(hits, 36, tmp_path)) < 0.7 * before


def test_a_run_that_was_stopped_ends_with_the_same_weights(hits, tmp_path):
    whole = run(hits, 6, tmp_path / "whole")

    def stops(network, batch, step):
        if step == 3:
            raise KeyboardInterrupt
        return losses_of(network, batch, step)

    with pytest.raises(KeyboardInterrupt):
        run(hits, 6, tmp_path / "stopped", stops)
    resumed = run(hits, 6, tmp_path / "stopped")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_an_epoch_holds_every_sound_once(hits):
    labels = torch.cat([batches(hits)[step][1] for step in range(4)])
    assert labels.sum(0).tolist() == hits.labels.sum(0).tolist()


def test_a_step_gives_the_same_windows_again(hits):
    first, again, other = batches(hits)[5], batches(hits)[5], batches(hits, seed=1)[5]
    assert torch.equal(first[0], again[0])
    assert first[0].shape != other[0].shape


def test_the_onset_is_inside_every_window(hits):
    for step in range(12):
        samples, _ = batches(hits, noise_db=(80.0, 80.0))[step]
        loudest_s = samples.abs().argmax(dim=1) / RATE_HZ
        assert (loudest_s > 0.099).all() and (loudest_s < samples.shape[1] / RATE_HZ - 0.55).all()


def test_windows_too_short_for_the_sound_around_the_onset_are_refused():
    with pytest.raises(ValueError, match=r"WindowConfig.length_s must be"):
        WindowConfig(length_s=(0.5, 1.0))


def test_area_under_the_curve_counts_ordered_pairs():
    """Positives 3, 1; negatives 2, 1, 0: of six pairs 3>2, 3>1, 3>0, 1>0 are right, 1=1 is half right."""
    scores, labels = np.array([3.0, 2.0, 1.0, 1.0, 0.0]), np.array([1, 0, 1, 0, 0], np.uint8)
    assert area_under_curve(scores, labels) == pytest.approx(4.5 / 6)


def test_the_likeliest_set_has_one_or_two_materials():
    logits = np.full((3, 7), -4.0)
    logits[0, 2] = 1.0
    logits[1, [0, 3, 5]] = (3.0, 2.0, 1.0)
    named = [{MATERIAL_NAMES[k] for k in np.flatnonzero(row)} for row in likeliest_sets(logits)]
    assert named[:2] == [{"glass"}, {"metal", "wood"}]
    assert len(named[2]) == 1  # never none


def test_the_gates_table_has_a_row_for_each_level():
    labels = np.stack([label_of((name,)) for name in MATERIAL_NAMES] * 2)
    windows = Windows(samples=np.zeros((14, 8), np.float32), labels=labels, levels=("easy",) * 7 + ("hard",) * 7)
    table = markdown("sim", 10.0 * labels.astype(float) - 5.0, windows)
    assert "| easy | 7 | 1.000 |" in table and "| hard | 7 | 1.000 |" in table
    assert table.endswith("passed")


def test_data_without_a_split_is_refused():
    with pytest.raises(ValueError, match="NAME:PATH:SPLIT"):
        read_windows("sim_cs3:data")
