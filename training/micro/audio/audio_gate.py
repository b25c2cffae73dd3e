"""How well a network hears materials: the gate before it may condition anything."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from cs3_model.networks.micro.audio import MicroAudioEncoder
from training.data import DataSpec, open_data_set
from training.data.sound_windows import WindowRule, read_window
from training.evaluation.results.certainty import auroc
from training.micro.audio.audio_hits import MATERIAL_NAMES, label_of

GATE_AUC = 0.9
"""Mean area under the curve that the audio-visual stages need."""

_SETS = [pair for size in (1, 2) for pair in combinations(range(len(MATERIAL_NAMES)), size)]
"""What can collide: two objects of one material or of two."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Windows:
    """The windows that an evaluation hears, of samples in which something collides."""

    samples: npt.NDArray[np.float32]
    """[N, T]."""
    labels: npt.NDArray[np.uint8]
    """[N, 7]."""
    levels: tuple[str, ...]
    """Difficulty of each, empty where unknown."""


def read_windows(named: str) -> Windows:
    """Reads the windows of NAME:PATH:SPLIT.

    Raises:
        ValueError: if there is no such split, or nothing in it collides.
    """
    spec = DataSpec.parse(named, default_split=None)
    chosen = [sample for sample in open_data_set(spec).samples if sample.materials]
    if not chosen:
        raise ValueError(f"{named} has no sample whose colliding materials are known")
    return Windows(
        samples=np.stack([read_window(sample.sound, WindowRule()).samples for sample in chosen]),
        labels=np.stack([label_of(sample.materials) for sample in chosen]),
        levels=tuple(sample.conditions.level for sample in chosen),
    )


@torch.inference_mode()
def hear_materials(encoder: MicroAudioEncoder, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Logits [N, 7] of windows [N, T]."""
    encoder.eval()
    parts = [encoder(torch.from_numpy(samples[i : i + 64])).material_logits for i in range(0, len(samples), 64)]
    return torch.cat(parts).double().numpy()


def area_under_curve(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8]) -> float:
    """Probability that a positive scores above a negative, ties half; NaN if either is missing."""
    positive = labels.astype(bool)
    return auroc(scores[positive], scores[~positive])


def mean_auc(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8]) -> float:
    """Mean over the materials for which it is defined."""
    return float(np.nanmean([area_under_curve(logits[:, k], labels[:, k]) for k in range(labels.shape[1])]))


def likeliest_sets(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """The likeliest one or two materials of each window, as labels [N, 7]."""
    odds = torch.from_numpy(logits)
    yes, no = functional.logsigmoid(odds).numpy(), functional.logsigmoid(-odds).numpy()
    members = np.array([[k in chosen for k in range(logits.shape[1])] for chosen in _SETS])
    likelihood = np.where(members[None], yes[:, None], no[:, None]).sum(axis=2)
    return members[likelihood.argmax(axis=1)].astype(np.uint8)


def markdown(name: str, logits: npt.NDArray[np.float64], windows: Windows) -> str:
    """The gate's table: area under the curve by material, exact sets, by level."""
    levels = [level for level in ("easy", "medium", "hard") if level in windows.levels]
    strata = {"all": np.ones(len(logits), bool)} | {
        level: np.array([other == level for other in windows.levels]) for level in levels
    }
    exact = (likeliest_sets(logits) == windows.labels).all(axis=1)
    lines = [
        f"| {name} | n | mean AUC | " + " | ".join(MATERIAL_NAMES) + " | exact set |",
        "|---|" + "---|" * (len(MATERIAL_NAMES) + 3),
    ]
    for stratum, members in strata.items():
        scores, labels = logits[members], windows.labels[members]
        areas = [area_under_curve(scores[:, k], labels[:, k]) for k in range(len(MATERIAL_NAMES))]
        cells = [f"{value:.3f}" for value in (mean_auc(scores, labels), *areas)]
        lines.append(f"| {stratum} | {len(scores)} | " + " | ".join(cells) + f" | {exact[members].mean():.3f} |")
    verdict = "passed" if mean_auc(logits, windows.labels) >= GATE_AUC else "not passed"
    return "\n".join([*lines, "", f"Gate (mean AUC >= {GATE_AUC}): {verdict}"])
