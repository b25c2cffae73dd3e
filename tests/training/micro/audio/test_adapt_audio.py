"""The student learns what the teacher says of the plain sound, and nothing but the audio encoder changes."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from typer.testing import CliRunner

from cs3_model.networks.micro.micro_parts import DEBUG_MICRO, MicroNetworks, micro_file
from training.micro.audio import adapt_audio
from training.micro.audio.adapt_audio import SoundPairBatches, Teacher, agreement, random_equaliser
from training.micro.audio.audio_gate import Windows
from training.micro.audio.audio_hits import Hits, label_of
from training.micro.audio.train_audio import WindowConfig

RATE_HZ = 16_000


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def hits() -> Hits:
    """Sixteen clicks at 1 s; the recording is the plain click and noise, and every fourth has no plain sound."""
    rng = np.random.default_rng(0)
    plain = np.zeros((16, 2 * RATE_HZ))
    plain[:, RATE_HZ : RATE_HZ + 400] = 8000 * rng.standard_normal((16, 400))
    recorded = plain + 100 * rng.standard_normal(plain.shape)
    plain[::4] = 0
    return Hits(
        sounds=recorded.astype(np.int16),
        plain=plain.astype(np.int16),
        labels=np.stack([label_of(("wood",))] * 16),
        onsets_s=np.ones(16, np.float32),
    )


@pytest.fixture
def teacher() -> Teacher:
    torch.manual_seed(0)
    return Teacher(networks=MicroNetworks(DEBUG_MICRO).eval().requires_grad_(False))


def batches(hits: Hits) -> SoundPairBatches:
    return SoundPairBatches(hits, WindowConfig(batch_size=8, length_s=(0.8, 1.0)))


def test_both_windows_of_a_collision_begin_at_the_same_time(hits):
    batch = batches(hits)[0]
    for recorded, plain, known in zip(batch.recorded_NT, batch.plain_NT, batch.has_plain_N, strict=True):
        assert bool(plain.any()) == bool(known)
        if known:
            assert torch.equal(recorded.abs() > 0.05, plain.abs() > 0.05) or (recorded - plain).abs().max() < 0.03


def test_a_student_that_is_the_teacher_agrees_on_plain_sounds(teacher, hits):
    student = copy.deepcopy(teacher.networks.audio)
    batch = batches(hits)[0]
    other = batch._replace(recorded_NT=torch.randn_like(batch.recorded_NT))
    losses = teacher.losses_of(student, other, 0)
    assert float(losses["condition of plain sounds"]) == pytest.approx(0.0, abs=1e-6)
    assert float(losses["condition of recordings"]) > 1e-5
    windows = Windows(samples=hits.sounds / np.float32(32767), labels=hits.labels, levels=("",) * 16)
    assert agreement(teacher, student, windows) == pytest.approx(1.0, abs=1e-5)


def test_the_loss_moves_the_student_alone(teacher, hits):
    student = copy.deepcopy(teacher.networks.audio).requires_grad_(True)
    torch.stack(list(teacher.losses_of(student, batches(hits)[0], 0).values())).sum().backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in teacher.networks.parameters())


def test_the_equaliser_leaves_silence_silent():
    log_mel = torch.full((3, 64, 20), -1.0)
    assert torch.all(random_equaliser(log_mel) >= -1.0)
    loud = random_equaliser(torch.cat([log_mel, log_mel + 1.5], dim=2))
    assert loud.shape == (3, 64, 40)
    assert float((loud[..., 20:] - 0.5).abs().max()) > 0.02


def test_the_command_changes_the_audio_encoder_alone(tmp_path, hits, teacher):
    np.savez(
        tmp_path / "hits-0000.npz", sounds=hits.sounds, plain=hits.plain, labels=hits.labels, onsets_s=hits.onsets_s
    )
    start, out = tmp_path / "start.safetensors", tmp_path / "out.safetensors"
    start.write_bytes(micro_file(teacher.networks, {}))
    words = ["--hits", tmp_path, "--weights", start, "--out", out, "--steps", 2, "--batch-size", 4, "--held-back", 4]
    app = adapt_audio.typer.Typer()
    app.command()(adapt_audio.main)
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    assert "| hits held back, plain, after | n |" in result.output
    with safe_open(start, "pt") as before, safe_open(out, "pt") as after:
        changed = {name for name in before.keys() if not torch.equal(before.get_tensor(name), after.get_tensor(name))}  # noqa: SIM118
        assert json.loads(after.metadata()["cs3_micro"]) == json.loads(before.metadata()["cs3_micro"])
    assert changed
    assert all(name.startswith("audio.") for name in changed)
