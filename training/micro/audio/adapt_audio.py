"""Teaches the audio encoder of a trained `micro` to hear recordings, so that all that was trained on it stays valid.

    python -m training.micro.audio.audio_hits out/hits --count 8000
    python -m training.micro.audio.adapt_audio --hits out/hits --out out/micro.safetensors \\
        --evaluate sim_cs3:data/sim_cs3:val --sounds recordings_by_material

Teacher and student: the encoder as it is hears each collision plain, as it learned to. The student, which begins as its
copy, hears the same collision as in a recording, and learns to give the condition of the map that the teacher gives
(and the materials that are true). It hears the plain sounds as well, so as not to forget. Token, decoder and vision
network keep their weights. A run that was stopped goes on with the same command.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import typer
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from cs3_model.command_errors import one_line_errors
from cs3_model.files import file_digest, write_whole
from cs3_model.networks.micro.audio import MicroAudioEncoder, MicroAudioOutput
from cs3_model.networks.micro.micro_parts import MicroNetworks, load_micro, micro_file
from training.data.samples import SampleError
from training.loop.freed_memory import keep_freed_memory
from training.loop.trainer import RunStoppedError
from training.micro.audio.audio_gate import Windows, hear_materials, markdown, read_windows
from training.micro.audio.audio_hits import Hits, read_hits
from training.micro.audio.sound_folders import read_sound_folder
from training.micro.audio.train_audio import WindowConfig, cut, draw_windows
from training.micro.fitting import StageConfig, fit
from training.micro.initial_weights import SHIPPED, load_part

_CONDITION_WEIGHT = 2.0
_EQUALISER_SCALE = 0.12
"""Standard deviation of the knots of the random curves over the bands, in units of the spectrogram (35 dB)."""
_EQUALISER_KNOTS = 6


class SoundPairs(NamedTuple):
    """The same collisions as in recordings and plain."""

    recorded_NT: Tensor
    plain_NT: Tensor
    has_plain_N: Tensor
    """Whether the plain sound is known."""
    labels_NM: Tensor
    """1 where a material took part."""


def has_plain(hits: Hits) -> npt.NDArray[np.bool_]:
    """Whether the plain sound of each hit is known [N]."""
    return np.asarray(hits.plain.any(axis=1), np.bool_)


class SoundPairBatches(Dataset[SoundPairs]):
    """The windows of a step, as `draw_windows` draws them."""

    def __init__(self, hits: Hits, config: WindowConfig) -> None:
        self._hits, self._config = hits, config
        self._has_plain = has_plain(hits)

    def __getitem__(self, step: int) -> SoundPairs:
        hits = self._hits
        chosen, starts, num_samples, _ = draw_windows(hits, self._config, step)
        windows = np.zeros((2, len(chosen), num_samples), np.float32)
        for row, (index, start) in enumerate(zip(chosen, starts, strict=True)):
            for kind, sounds in enumerate((hits.sounds, hits.plain)):
                cut(sounds[index], start, windows[kind, row])
        return SoundPairs(
            recorded_NT=torch.from_numpy(windows[0]),
            plain_NT=torch.from_numpy(windows[1]),
            has_plain_N=torch.from_numpy(self._has_plain[chosen]),
            labels_NM=torch.from_numpy(hits.labels[chosen].astype(np.float32)),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Teacher:
    """What a student learns from: the networks that it must serve, frozen."""

    networks: MicroNetworks

    def condition(self, heard: MicroAudioOutput) -> Tensor:
        """Unit vectors [N, P], which condition the map."""
        embedding_ND, logits_NM = (part.float() for part in heard)
        return self.networks.heard.condition(self.networks.vision.prompt, embedding_ND, logits_NM)

    def losses_of(self, student: MicroAudioEncoder, batch: SoundPairs, step: int) -> Mapping[str, Tensor]:
        """Materials of both kinds of sound, and distance to the teacher's condition for both."""
        known = batch.has_plain_N
        with torch.no_grad():
            plain = student.spectrogram(batch.plain_NT[known])
            target_KP = self.condition(self.networks.audio.encode(plain))
            recorded = random_equaliser(student.spectrogram(batch.recorded_NT))
        heard = student.encode(torch.cat([recorded, plain]))
        labels = torch.cat([batch.labels_NM, batch.labels_NM[known]])
        condition = self.condition(heard)
        num_recorded = len(recorded)
        far_recorded = (1.0 - (condition[:num_recorded][known] * target_KP).sum(1)).mean()
        far_plain = (1.0 - (condition[num_recorded:] * target_KP).sum(1)).mean()
        return {
            "materials": functional.binary_cross_entropy_with_logits(heard.material_logits, labels),
            "condition of recordings": _CONDITION_WEIGHT * far_recorded,
            "condition of plain sounds": _CONDITION_WEIGHT * far_plain,
        }


def windows_of(hits: Hits) -> dict[str, Windows]:
    """Hits as windows for the gate, as in recordings and plain."""
    known = has_plain(hits)
    kinds = {"recordings": (hits.sounds, hits.labels), "plain": (hits.plain[known], hits.labels[known])}
    return {
        f"hits held back, {name}": Windows(
            samples=sounds.astype(np.float32) / np.float32(32767), labels=labels, levels=("",) * len(sounds)
        )
        for name, (sounds, labels) in kinds.items()
    }


def random_equaliser(log_mel_NMF: Tensor) -> Tensor:
    """Adds a smooth random curve over the bands, as places and devices colour sounds."""
    knots_N1K = _EQUALISER_SCALE * torch.randn(len(log_mel_NMF), 1, _EQUALISER_KNOTS)
    curve_N1M = functional.interpolate(knots_N1K, log_mel_NMF.shape[1], mode="linear", align_corners=True)
    # What lies at the floor of the spectrogram stays there.
    return torch.maximum(log_mel_NMF + curve_N1M.transpose(1, 2), log_mel_NMF.amin(dim=(1, 2), keepdim=True))


@torch.inference_mode()
def agreement(teacher: Teacher, student: MicroAudioEncoder, windows: Windows) -> float:
    """Mean cosine between the conditions that student and teacher give."""
    cosines = []
    for start in range(0, len(windows.samples), 64):
        samples = torch.from_numpy(windows.samples[start : start + 64])
        both = [teacher.condition(encoder(samples)) for encoder in (student, teacher.networks.audio)]
        cosines.append((both[0] * both[1]).sum(1))
    return float(torch.cat(cosines).mean())


def report(teacher: Teacher, student: MicroAudioEncoder, name: str, windows: Windows) -> str:
    """The gate's tables before and after, and how far the conditions agree."""
    tables = [
        markdown(f"{name}, {title}", hear_materials(encoder, windows.samples), windows)
        for title, encoder in (("before", teacher.networks.audio), ("after", student))
    ]
    return "\n\n".join(
        [*tables, f"Cosine of the conditions before and after: {agreement(teacher, student, windows):.3f}"]
    )


def main(
    hits: Annotated[Path, typer.Option(help="Folder of hits.")],
    out: Annotated[Path, typer.Option(help="Whole micro to write, .safetensors; checkpoints and curves go beside it.")],
    weights: Annotated[Path, typer.Option(help="Whole micro, the teacher.")] = SHIPPED,
    start: Annotated[
        Path | None, typer.Option(help="Weights for the student to start from; else the teacher's.")
    ] = None,
    held_back: Annotated[int, typer.Option(min=0, help="Of the hits, the last so many are for the gate alone.")] = 500,
    steps: Annotated[int, typer.Option(min=1, help="Batches.")] = 3000,
    batch_size: Annotated[int, typer.Option(min=1, help="Hits per batch, each heard twice.")] = 24,
    learning_rate: Annotated[float, typer.Option(help="At its highest.")] = 1e-3,
    evaluate: Annotated[list[str], typer.Option(metavar="NAME:PATH:SPLIT", help="Samples for the gate.")] = [],
    sounds: Annotated[list[Path], typer.Option(help="Folder with a folder of recordings per material.")] = [],
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Fixes order and augmentation.")] = 0,
) -> None:
    """Adapt the audio encoder of a trained micro to recordings, or go on with it, and report the gate."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(threads)
    with one_line_errors(status=2, kinds=(ValueError, OSError, SampleError, RunStoppedError)):
        teacher = Teacher(networks=load_micro(weights, torch.device("cpu")))
        tested = {named: read_windows(named) for named in evaluate}
        tested |= {str(folder): read_sound_folder(folder) for folder in sounds}
        window = WindowConfig(seed=seed, batch_size=batch_size, length_s=(0.8, 1.1))
        known = read_hits(hits)
        if not 0 <= held_back < len(known.sounds):
            raise ValueError(f"--held-back must leave some of the {len(known.sounds)} hits, got {held_back}")
        num_hits = len(known.sounds) - held_back
        if held_back:
            tested |= windows_of(known.part(slice(num_hits, None)))
        batches = SoundPairBatches(known.part(slice(num_hits)), window)
        run: dict[str, str | int | bool] = {
            "hits": str(hits.resolve()), "number of hits": num_hits, "batch size": batch_size, "seed": seed,
            "teacher": file_digest(weights), "start": file_digest(start or weights),
        }  # fmt: skip
        config = StageConfig(steps=steps, learning_rate=learning_rate, weight_decay=0.02)
        student = copy.deepcopy(teacher.networks.audio).requires_grad_(True)
        if start is not None:
            load_part(student, "audio", start)
        student = fit(student, batches, teacher.losses_of, config, out.with_suffix(""), run=run)
        for name, windows in tested.items():
            typer.echo(report(teacher, student, name, windows) + "\n")
        teacher.networks.audio.load_state_dict(student.state_dict())
        write_whole(out, micro_file(teacher.networks, {"audio": f"adapted by {steps} steps of {batch_size} hits"}))


if __name__ == "__main__":
    keep_freed_memory()
    typer.run(main)
