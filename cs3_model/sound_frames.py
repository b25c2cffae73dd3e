"""Decoded frames of sound, made one stream: of one format, each at its place in time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np

_GAP_TOLERANCE_S = Fraction(5, 1000)
"""Containers round times to milliseconds or worse; only more than this is a hole in the sound."""
_JITTER_S = Fraction(25, 1000)
"""Frame times of Ogg/Vorbis jump by up to 10 ms where the block size changes, and jump back ..."""
_JITTER_SPAN_S = Fraction(1, 10)
"""... within this time; a jump that stays longer is a hole."""


def in_one_format(frames: Iterator[av.AudioFrame], target: dict[str, Any]) -> Iterator[av.AudioFrame]:
    """Brings all frames to one format, layout and rate: joined and broadcast files change theirs on the way.

    Args:
        frames: As decoded.
        target: Keyword arguments `format`, `layout` and `rate` of `av.AudioResampler`.
    """
    packer: av.AudioResampler | None = None
    source = None
    for frame in frames:
        if packer is None or source != (frame.format.name, frame.layout.name, frame.sample_rate):
            if packer is not None:
                yield from filter(None, packer.resample(None))  # the last samples, held back by a change of rate
            source = (frame.format.name, frame.layout.name, frame.sample_rate)
            packer = av.AudioResampler(**target)
        yield from packer.resample(frame)
    if packer is not None:
        yield from filter(None, packer.resample(None))


def settled(frames: Iterator[tuple[int | None, np.ndarray]], rate_hz: int) -> Iterator[tuple[int, np.ndarray]]:
    """Gives each frame its place: contiguous, unless its time says otherwise and the times after it agree.

    Times that deviate a little are waited for: if they return, nothing was missing.

    Args:
        frames: The samples [T, C] of each frame with the index that its time says, None where it has none.
        rate_hz: Rate of the samples.

    Yields:
        Runs of samples [T, C] with the index of their first one.
    """
    tolerance, jitter, span = (round(time_s * rate_hz) for time_s in (_GAP_TOLERANCE_S, _JITTER_S, _JITTER_SPAN_S))
    due: int | None = None
    held: list[np.ndarray] = []
    held_index = 0

    for index, samples in frames:
        if due is None:
            due = index or 0
        expected = due + sum(map(len, held))
        offset = 0 if index is None else index - expected
        if (
            held
            and index is not None
            and abs(offset) > tolerance
            and abs(index - held_index - sum(map(len, held))) > tolerance
        ):
            # Neither back nor as before: what was held stands where it said.
            yield held_index, np.concatenate(held)
            due, held = held_index + sum(map(len, held)), []
            offset = index - due
        if abs(offset) <= tolerance:
            for piece in (*held, samples):
                yield due, piece
                due += len(piece)
            held = []
        elif abs(offset) > jitter:
            due = due + sum(map(len, held)) + offset
            yield due, samples
            due, held = due + len(samples), []
        else:
            held_index = held_index if held else due + offset
            held.append(samples)
            if sum(map(len, held)) > span:
                yield held_index, np.concatenate(held)
                due, held = held_index + sum(map(len, held)), []
    if held:
        yield held_index, np.concatenate(held)
