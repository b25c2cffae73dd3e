"""The kinds of samples that results are reported by (paper, Figs. 6-8, and what a simulated world knows besides)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from training.data.samples import Hand, Sample, SceneObject

_DURATION_LABELS = ("< 1 s", "1-2 s", "2-3 s", "3-5 s", ">= 5 s")
_SIZE_LABELS = ("< 0.5 %", "0.5-1 %", "1-2 %", "2-5 %", "5-10 %", "10-20 %", ">= 20 %")
_SNR_LABELS = ("< 0 dB", "0-10 dB", "10-20 dB", ">= 20 dB")
_OCCLUSION_LABELS = ("< 10 %", "10-40 %", "40-70 %", ">= 70 %")
_FRAME_LABELS = ("before", "at", "after")
_AT_ONSET_S = 0.02


def strata_of(sample: Sample, objects: Sequence[SceneObject]) -> dict[str, str]:
    """The label of a sample in each stratum that is known for it.

    Args:
        sample: The sample.
        objects: Its truth, with at least one visible colliding object.
    """
    labels = {name: label(sample, objects) for name, label in _STRATA.items()}
    return {name: label for name, label in labels.items() if label}


def ordered_labels(stratum: str, labels: Sequence[str]) -> list[str]:
    """The distinct labels of a stratum, in the order that tables and plots show."""
    order = _ORDERS.get(stratum, ())
    return sorted(set(labels), key=lambda label: (order.index(label) if label in order else len(order), label))


def _duration(sample: Sample, objects: Sequence[SceneObject]) -> str:
    seconds = sample.sound.duration_s
    return _bin(seconds, (1, 2, 3, 5), _DURATION_LABELS) if seconds > 0 else ""


def _num_objects(sample: Sample, objects: Sequence[SceneObject]) -> str:
    return {1: "one", 2: "two"}.get(len(_visible_colliding(objects)), "more")


def _size(sample: Sample, objects: Sequence[SceneObject]) -> str:
    """Mean area of the colliding objects."""
    percent = 100 * float(np.mean([item.mask.mean() for item in _visible_colliding(objects)]))
    return _bin(percent, (0.5, 1, 2, 5, 10, 20), _SIZE_LABELS)


def _materials(sample: Sample, objects: Sequence[SceneObject]) -> str:
    names = sample.materials
    return f"{names[0]}-only" if len(names) == 1 else "-".join(names)


def _held(sample: Sample, objects: Sequence[SceneObject]) -> str:
    """How much the hands alone say about what collided."""
    if not sample.knows_whole_scene:
        return ""
    held = [item for item in objects if item.held_by]
    if not held:
        return "nothing held"
    colliding = sum(item.is_colliding for item in held)
    return f"{len(held)} held, {colliding} collide{'s' if colliding == 1 else ''}"


def _acting_hand(sample: Sample, objects: Sequence[SceneObject]) -> str:
    if not sample.knows_whole_scene:
        return ""
    hands = Hand.NONE
    for item in objects:
        if item.is_colliding:
            hands |= item.held_by
    return {Hand.NONE: "none", Hand.LEFT: "left", Hand.RIGHT: "right"}.get(hands, "both")


def _snr(sample: Sample, objects: Sequence[SceneObject]) -> str:
    snr_db = sample.conditions.snr_db
    return "" if snr_db is None else _bin(snr_db, (0, 10, 20), _SNR_LABELS)


def _occlusion(sample: Sample, objects: Sequence[SceneObject]) -> str:
    hidden = sample.conditions.occlusion
    return "" if hidden is None else _bin(hidden, (0.1, 0.4, 0.7), _OCCLUSION_LABELS)


def _level(sample: Sample, objects: Sequence[SceneObject]) -> str:
    return sample.conditions.level


def _scenario(sample: Sample, objects: Sequence[SceneObject]) -> str:
    return sample.conditions.scenario


def _frame(sample: Sample, objects: Sequence[SceneObject]) -> str:
    offset_s = sample.conditions.frame_offset_s
    return "" if offset_s is None else _bin(offset_s, (-_AT_ONSET_S, _AT_ONSET_S), _FRAME_LABELS)


def _visible_colliding(objects: Sequence[SceneObject]) -> list[SceneObject]:
    return [item for item in objects if item.is_colliding and item.mask.any()]


def _bin(value: float, edges: Sequence[float], labels: Sequence[str]) -> str:
    return labels[bisect_right(edges, value)]


_STRATA: Mapping[str, Callable[[Sample, Sequence[SceneObject]], str]] = {
    "audio duration": _duration,
    "objects": _num_objects,
    "object size": _size,
    "materials": _materials,
    "held objects": _held,
    "acting hand": _acting_hand,
    "SNR": _snr,
    "occlusion": _occlusion,
    "frame": _frame,
    "level": _level,
    "scenario": _scenario,
}
_ORDERS: Mapping[str, Sequence[str]] = {
    "audio duration": _DURATION_LABELS,
    "object size": _SIZE_LABELS,
    "SNR": _SNR_LABELS,
    "occlusion": _OCCLUSION_LABELS,
    "frame": _FRAME_LABELS,
    "level": ("easy", "medium", "hard"),
}
