"""What the selection learns from: the candidates and the motion of one event on the reduced grid, with the truth."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cs3_model.files import write_whole
from cs3_model.moment.evidence import ReducedCandidates, grid_hw, reduced_map, reduced_masks, reduced_motion
from cs3_model.moment.motion import Motion
from cs3_model.pipeline import Proposed
from cs3_model.types import BoolMask, Float32Array, Role


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SelectionEvent:
    """One event, before anything is chosen."""

    candidates: ReducedCandidates
    before: Motion | None
    after: Motion | None
    true_masks: npt.NDArray[np.bool_]
    """[T, h, w]; T = 0: nothing in view collided."""


def reduced_event(proposed: Proposed, true_masks: list[BoolMask], frame_hw: tuple[int, int]) -> SelectionEvent:
    """The event on the grid of the evidence."""
    size_hw = grid_hw(frame_hw)
    present = [item for item in proposed.candidates if item.mask.any()]
    return SelectionEvent(
        candidates=ReducedCandidates(
            masks=reduced_masks([item.mask for item in present], size_hw),
            roles=tuple(item.role for item in present),
            scores=np.array([item.score for item in present], np.float32),
            logits=reduced_map(proposed.logits, size_hw),
        ),
        before=reduced_motion(proposed.moment.before, size_hw),
        after=reduced_motion(proposed.moment.after, size_hw),
        true_masks=reduced_masks(true_masks, size_hw),
    )


def write_event(path: Path, event: SelectionEvent) -> None:
    """Writes an event, compressed.

    Raises:
        ValueError: if it cannot be written: one line.
    """
    found = event.candidates
    arrays: dict[str, npt.NDArray[Any]] = {
        "masks": np.packbits(found.masks, axis=-1),
        "roles": np.array([role.value for role in found.roles], np.uint8),
        "scores": found.scores,
        "logits": found.logits.astype(np.float16),
        "true_masks": np.packbits(event.true_masks, axis=-1),
        "width": np.array(found.logits.shape[1]),
    }
    for name, motion in (("before", event.before), ("after", event.after)):
        if motion is not None:
            arrays[name] = motion.velocity.astype(np.float16)
            arrays[f"{name}_quality"] = np.array([motion.explained, motion.similarity], np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stub takes any name for an option
    write_whole(path, buffer.getbuffer())


def read_event(path: Path) -> SelectionEvent:
    """Reads what `write_event` wrote.

    Raises:
        ValueError: if the file is damaged.
    """
    with np.load(path, allow_pickle=False) as arrays:
        width = int(arrays["width"])

        def masks(name: str) -> npt.NDArray[np.bool_]:
            return np.unpackbits(arrays[name], axis=-1, count=width).astype(bool)

        def motion(name: str) -> Motion | None:
            if name not in arrays:
                return None
            explained, similarity = arrays[f"{name}_quality"].tolist()
            velocity: Float32Array = arrays[name].astype(np.float32)
            return Motion(velocity=velocity, explained=explained, similarity=similarity)

        return SelectionEvent(
            candidates=ReducedCandidates(
                masks=masks("masks"),
                roles=tuple(Role(int(value)) for value in arrays["roles"]),
                scores=arrays["scores"],
                logits=arrays["logits"].astype(np.float32),
            ),
            before=motion("before"),
            after=motion("after"),
            true_masks=masks("true_masks"),
        )
