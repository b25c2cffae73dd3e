"""Masks as COCO run-length encodings, as ``pycocotools.mask`` reads and writes them.

Runs are counted down the columns, alternately outside and inside, beginning outside. Each count, from the fourth on as
the difference to the one two before it, becomes groups of five bits, lowest first, in printable characters: 32 marks
that more groups follow, 16 of the last group is the sign, and 48 is added to all::

    encode_mask(np.array([[0, 1], [0, 1]], bool))   # runs of 2 outside, 2 inside: {"size": [2, 2], "counts": "22"}
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from cs3_model.types import BoolMask


class Segmentation(TypedDict):
    """A mask in COCO's form."""

    size: list[int]
    """Height and width."""
    counts: str
    """Compressed runs."""


def encode_mask(mask: BoolMask) -> Segmentation:
    """Encodes a mask, bool [H, W]."""
    flat = np.concatenate(([False], mask.ravel(order="F")))
    ends = np.append(np.flatnonzero(flat[1:] != flat[:-1]), mask.size)
    runs = np.diff(ends, prepend=0)
    runs[3:] -= runs[1:-2].copy()
    return {"size": list(mask.shape), "counts": "".join(map(_to_characters, runs.tolist()))}


def decode_mask(segmentation: Segmentation) -> BoolMask:
    """Decodes a mask to bool [H, W].

    Raises:
        ValueError: if the runs do not fill the mask.
    """
    height, width = segmentation["size"]
    runs = _from_characters(segmentation["counts"])
    if sum(runs) != height * width or min(runs, default=0) < 0:
        raise ValueError(f"the runs of a mask of {height} x {width} pixels cover {sum(runs)} pixels")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape((height, width), order="F")


def _to_characters(value: int) -> str:
    characters = []
    while True:
        group, value = value & 31, value >> 5
        is_last = value == (-1 if group & 16 else 0)
        characters.append(chr(48 + group + (0 if is_last else 32)))
        if is_last:
            return "".join(characters)


def _from_characters(text: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs
