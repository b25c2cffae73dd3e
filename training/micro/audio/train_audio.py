"""Trains the audio encoder of the preset `micro` on labelled impact sounds.

    python -m training.micro.audio.audio_hits out/hits --count 50000
    python -m training.micro.audio.train_audio --hits out/hits --data sim_cs3:data/sim_cs3:train \\
        --out out/micro_audio.safetensors --evaluate sim_cs3:data/sim_cs3:val

A run that was stopped goes on with the same command. The gain needs no augmentation, since the network brings every
window to the same peak.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import typer
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from cs3_model.command_errors import one_line_errors
from cs3_model.files import file_digest, write_whole
from cs3_model.networks.micro.audio import DEBUG_AUDIO, MicroAudioConfig, MicroAudioEncoder
from cs3_model.types import MODEL_SAMPLE_RATE_HZ
from training.loop.freed_memory import keep_freed_memory
from training.loop.trainer import RunStoppedError
from training.micro.audio.audio_gate import Windows, hear_materials, markdown, read_windows
from training.micro.audio.audio_hits import Hits, read_hits
from training.micro.fitting import StageConfig, fit, quick_autocast
from training.micro.initial_weights import load_part
from training.micro.stage_options import Debug

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowConfig:
    """Which windows of the sounds are learned from.

    Raises:
        ValueError: if a value is out of its range.
    """

    batch_size: int = 64
    """Sounds per step."""
    length_s: tuple[float, float] = (0.8, 1.5)
    """Shortest and longest window; one length per step. Shorter than what is heard later, to save time."""
    before_s: float = 0.1
    """Least sound before the onset."""
    after_s: float = 0.6
    """Least sound after it: how fast it fades tells the material."""
    noise_db: tuple[float, float] = (15.0, 60.0)
    """Range of the peak of a sound over the white noise that is added to it."""
    seed: int = 0
    """Fixes order, windows and noise."""

    def __post_init__(self) -> None:
        if self.batch_size <= 0:
            raise ValueError(f"WindowConfig.batch_size must be positive, got {self.batch_size}")
        if not self.before_s + self.after_s <= self.length_s[0] <= self.length_s[1]:
            raise ValueError(
                f"WindowConfig.length_s must be (shortest, longest) from before_s + after_s up, got {self.length_s}"
            )


class DrawnWindows(NamedTuple):
    """Which hits a step hears, and where they are cut."""

    chosen: npt.NDArray[np.intp]
    """Of all hits."""
    starts: list[int]
    """First sample of each, before or after the beginning of its sound."""
    num_samples: int
    rng: np.random.Generator
    """For what else the step draws."""


def draw_windows(hits: Hits, config: WindowConfig, step: int) -> DrawnWindows:
    """Draws the windows of a step; the same for the same step. Every hit once before any comes again.

    The onset lies anywhere from `before_s` after the start of a window to `after_s` before its end.
    """
    epoch, place = divmod(step, steps_per_epoch(hits, config))
    order = np.random.default_rng([config.seed, 1, epoch]).permutation(len(hits.sounds))
    chosen = order[place * config.batch_size :][: config.batch_size]
    rng = np.random.default_rng([config.seed, 2, step])
    length_s = rng.uniform(*config.length_s)
    starts_s = [hits.onsets_s[index] - rng.uniform(config.before_s, length_s - config.after_s) for index in chosen]
    starts = [round(start_s * MODEL_SAMPLE_RATE_HZ) for start_s in starts_s]
    return DrawnWindows(chosen, starts, round(length_s * MODEL_SAMPLE_RATE_HZ), rng)


def steps_per_epoch(hits: Hits, config: WindowConfig) -> int:
    """Steps in which every hit comes once, but for a rest that fills no batch."""
    return max(len(hits.sounds) // config.batch_size, 1)


class HitBatches(Dataset[tuple[Tensor, Tensor]]):
    """The windows [N, T] and labels [N, 7] of a step, as `draw_windows` draws them."""

    def __init__(self, hits: Hits, config: WindowConfig) -> None:
        self.hits, self._config = hits, config
        self.steps_per_epoch = steps_per_epoch(hits, config)

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        config, hits = self._config, self.hits
        chosen, starts, num_samples, rng = draw_windows(hits, config, step)
        windows = np.zeros((len(chosen), num_samples), np.float32)
        for window, index, start in zip(windows, chosen, starts, strict=True):
            cut(hits.sounds[index], start, window)
        peaks = np.abs(windows).max(axis=1, keepdims=True)
        noise_db = rng.uniform(*config.noise_db, (len(chosen), 1)).astype(np.float32)
        windows += peaks * 10 ** (-noise_db / 20) * rng.standard_normal(windows.shape, np.float32)
        return torch.from_numpy(windows), torch.from_numpy(hits.labels[chosen].astype(np.float32))


def cut(sound: npt.NDArray[np.int16], start: int, window: npt.NDArray[np.float32]) -> None:
    """Fills a window with a sound from sample `start` on; zeros where there is no sound."""
    first, last = max(start, 0), min(start + len(window), len(sound))
    window[first - start : last - start] = sound[first:last]
    window /= 32767.0


def equalise(log_mel_NMF: Tensor, tilt: float = 0.1) -> Tensor:
    """Tilts each spectrum by a random slope of standard deviation `tilt`, 0.7 dB per tenth, as microphones differ."""
    slope_N11 = tilt * torch.randn(len(log_mel_NMF), 1, 1)
    return log_mel_NMF + slope_N11 * torch.linspace(-1.0, 1.0, log_mel_NMF.shape[1])[None, :, None]


def losses_of(encoder: MicroAudioEncoder, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:
    """Binary cross-entropy over the materials; each takes part or not."""
    samples_NT, labels = batch
    with torch.no_grad():
        log_mel_NMF = equalise(encoder.spectrogram(samples_NT))
    with quick_autocast():
        logits = encoder.encode(log_mel_NMF).material_logits
    return {"materials": functional.binary_cross_entropy_with_logits(logits.float(), labels)}


def hits_of(windows: Windows) -> Hits:
    """Windows of a data set as hits; the onset lies 0.2 s before the middle of a window, see `WindowRule`."""
    onset_s = windows.samples.shape[1] / MODEL_SAMPLE_RATE_HZ / 2 - 0.2
    sounds = np.round(windows.samples * 32767).astype(np.int16)
    return Hits(
        sounds=sounds,
        plain=sounds,
        labels=windows.labels,
        onsets_s=np.full(len(windows.samples), onset_s, np.float32),
    )


def build_encoder(config: MicroAudioConfig, start: Path | None, seed: int) -> MicroAudioEncoder:
    """The network with random weights, or those of a file.

    Raises:
        ValueError: if the file does not fit.
    """
    torch.manual_seed(seed)
    encoder = MicroAudioEncoder(config)
    if start is not None:
        load_part(encoder, "audio", start)
    # A tenth faster; torch's annotations do not know the argument.
    return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def main(
    out: Annotated[Path, typer.Option(help="Weights to write, .safetensors; checkpoints and curves go beside it.")],
    hits: Annotated[Path | None, typer.Option(help="Folder of hits.")] = None,
    num_hits: Annotated[int, typer.Option(min=0, help="Hits to use; 0: all.")] = 0,
    data: Annotated[list[str], typer.Option(metavar="NAME:PATH:SPLIT", help="Samples to learn from as well.")] = [],
    start: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    epochs: Annotated[float, typer.Option(help="Times that every sound is heard.")] = 7.0,
    steps: Annotated[int, typer.Option(min=0, help="Batches, instead of --epochs; 0: those.")] = 0,
    learning_rate: Annotated[float, typer.Option(help="At its highest.")] = 3e-3,
    evaluate: Annotated[list[str], typer.Option(metavar="NAME:PATH:SPLIT", help="Samples for the gate.")] = [],
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Fixes weights, order and augmentation.")] = 0,
    debug: Debug = False,
) -> None:
    """Train the audio encoder of the preset `micro`, or go on with it, and report the gate."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(threads)
    with one_line_errors(status=2, kinds=(ValueError, OSError, RunStoppedError)):
        parts = [read_hits(hits, num_hits)] if hits is not None else []
        parts += [hits_of(read_windows(named)) for named in data]
        if not parts:
            raise ValueError("nothing to learn from: name --hits or --data")
        window = WindowConfig(seed=seed)
        batches = HitBatches(Hits.joined(parts), window)
        steps = steps or max(round(epochs * batches.steps_per_epoch), 1)
        log.info("%d sounds, %d steps", len(batches.hits.sounds), steps)
        config = StageConfig(steps=steps, learning_rate=learning_rate, weight_decay=0.02)
        folder = out.with_suffix("")
        run: dict[str, str | int | bool] = {
            "hits": str(hits.resolve()) if hits else "none", "data": " ".join(data) or "none",
            "number of sounds": len(batches.hits.sounds), "batch size": window.batch_size, "seed": seed,
            "start": file_digest(start) if start else "random",
        }  # fmt: skip
        encoder = build_encoder(DEBUG_AUDIO if debug else MicroAudioConfig(), start, seed)
        encoder = fit(encoder, batches, losses_of, config, folder, run=run)
        write_whole(out, save({name: value.contiguous() for name, value in encoder.state_dict().items()}))
        for named in evaluate:
            windows = read_windows(named)
            typer.echo(markdown(named, hear_materials(encoder, windows.samples), windows) + "\n")


if __name__ == "__main__":
    keep_freed_memory()
    typer.run(main)
