"""Trains the baseline of `training.evaluation.baselines.mix_localize` on frozen audio encoder and tower.

python -m training.micro.audio_visual.train_mix_localize --data data/sim_cs3 --weights out/micro/micro-seed0.safetensors \
    --out out/micro/mixture-seed0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.utils.data import Dataset

from cs3_model.command_errors import one_line_errors
from cs3_model.files import file_digest
from cs3_model.networks.micro.micro_parts import MicroNetworks, load_micro
from cs3_model.types import Float32Array
from training.data import DataSpec, open_data_set
from training.data.samples import Sample
from training.data.sound_windows import read_window
from training.evaluation.baselines.mix_localize import NUM_SLOTS, MixtureNetwork, return_loss, save_mixture
from training.loop.freed_memory import keep_freed_memory
from training.loop.trainer import RunStoppedError
from training.micro.fitting import StageConfig, fit, quick_autocast
from training.micro.stage_options import DataFolder, LearningRate, Seed, Steps
from training.weak.micro_model import Pixels, Spectrogram

_SHIFT_S = 0.3
_LOUDNESS_DB = 3.0
_CPU = torch.device("cpu")


def main(
    data: DataFolder,
    weights: Annotated[Path, typer.Option(help="Weights of micro, whose audio encoder and tower are used.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, curves and mixture.safetensors.")],
    steps: Steps = 1500,
    batch_size: Annotated[int, typer.Option(min=1, help="Mixtures per batch.")] = 8,
    learning_rate: LearningRate = 1e-3,
    seed: Seed = 0,
) -> None:
    """Train the two-mask baseline; the same command goes on after an interruption."""
    with one_line_errors(status=1, kinds=(ValueError, OSError, RunStoppedError)):
        networks = load_micro(weights, _CPU)
        torch.manual_seed(seed)
        samples = [
            sample
            for sample in open_data_set(DataSpec(name="sim_cs3", root=data, split="train")).samples
            if not sample.is_silent
        ]
        batches = MixtureBatches(samples, networks, batch_size=batch_size, seed=seed)
        run: dict[str, str | int | bool] = {
            "data": str(data.resolve()), "split": "train", "number of samples": len(samples), "batch size": batch_size,
            "seed": seed, "weights": file_digest(weights),
        }  # fmt: skip
        config = StageConfig(steps=steps, learning_rate=learning_rate)
        average = fit(Mixing(networks), batches, losses_of, config, out, run=run)
        save_mixture(average.network, out / "mixture.safetensors")


class MixtureBatch(NamedTuple):
    """G pairs of pictures, next to each other, and two mixtures of their sounds."""

    pixels: Tensor
    """[2 G, 3, S, S]."""
    spectrograms: Tensor
    """[2, G, M, F]."""


class MixtureBatches(Dataset[MixtureBatch]):
    """Batch `step` of an endless, fixed sequence.

    The original draws the sound of the second mixture from another moment of the same video. A collision is heard
    once: here the second mixture has other offsets in time and another balance.

    Args:
        samples: collisions.
        networks: of `micro`, for the form of its input.
        batch_size: G.
        seed: fixes the sequence.
    """

    def __init__(self, samples: Sequence[Sample], networks: MicroNetworks, *, batch_size: int, seed: int) -> None:
        self._samples, self._batch_size, self._seed = samples, batch_size, seed
        self._pixels = Pixels(networks.config.vision.side)
        self._spectrogram = Spectrogram(networks.audio.spectrogram)

    def __getitem__(self, step: int) -> MixtureBatch:
        rng = np.random.default_rng([self._seed, step])
        count = NUM_SLOTS * self._batch_size
        chosen = [self._samples[i] for i in rng.choice(len(self._samples), count, len(self._samples) < count)]
        flipped = rng.random(count) < 0.5
        images = [sample.load_image()[:, :: -1 if flip else 1] for sample, flip in zip(chosen, flipped, strict=True)]
        pairs = [chosen[start : start + NUM_SLOTS] for start in range(0, count, NUM_SLOTS)]
        views = [torch.stack([self._spectrogram(_mixed(rng, pair)) for pair in pairs]) for _ in range(2)]
        return MixtureBatch(torch.stack([self._pixels(image) for image in images]), torch.stack(views))


def _mixed(rng: np.random.Generator, samples: Sequence[Sample]) -> Float32Array:
    """The mean of the windows of some sounds, about equally loud."""
    parts = []
    for sample in samples:
        shift_s = rng.uniform(-_SHIFT_S, _SHIFT_S)
        moved = replace(sample.sound, start_s=sample.sound.start_s + shift_s, stop_s=sample.sound.stop_s + shift_s)
        heard = read_window(moved).samples
        loudness = 10 ** (rng.uniform(-_LOUDNESS_DB, _LOUDNESS_DB) / 20)
        parts.append(heard * (loudness / max(float(np.sqrt(np.mean(heard**2))), 1e-4)))
    return np.stack(parts).mean(axis=0, dtype=np.float32)


class Mixing(nn.Module):
    """The trained network behind the frozen audio encoder and tower, which take no part in checkpoints.

    Args:
        networks: of `micro`, frozen and in evaluation mode.
    """

    def __init__(self, networks: MicroNetworks) -> None:
        super().__init__()
        self.network = MixtureNetwork(networks.config)
        self._frozen = (networks,)

    def forward(self, batch: MixtureBatch) -> Tensor:
        """The loss."""
        networks = self._frozen[0]
        with torch.no_grad():
            with quick_autocast():
                features = networks.vision.tower(batch.pixels.contiguous(memory_format=torch.channels_last) + 0.5)
            heard = networks.audio.encode(batch.spectrograms.flatten(0, 1)).embedding_ND
        leaving, arriving = self.network.embed_sound(heard).chunk(2)
        places = self.network.embed_image(features.float())
        return return_loss(places.view(-1, NUM_SLOTS, *places.shape[1:]).flatten(2, 3), leaving, arriving)


def losses_of(model: Mixing, batch: MixtureBatch, step: int) -> Mapping[str, Tensor]:
    """The walker's loss."""
    return {"return": model(batch)}


if __name__ == "__main__":
    keep_freed_memory()
    typer.run(main)
