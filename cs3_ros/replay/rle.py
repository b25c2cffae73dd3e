"""Masks as COCO run-length encodings, by pycocotools.

encode_mask(np.array([[0, 1], [0, 1]], bool))   # {"size": [2, 2], "counts": "22"}
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from pycocotools import mask as coco

from cs3_model.types import BoolMask


class Segmentation(TypedDict):
    """A mask in COCO's form."""

    size: list[int]
    """Height and width."""
    counts: str
    """Compressed runs."""


def encode_mask(mask: BoolMask) -> Segmentation:
    """Encodes a mask, bool [H, W]."""
    counts = coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    return {"size": list(mask.shape), "counts": counts.decode("ascii")}


def decode_mask(segmentation: Segmentation) -> BoolMask:
    """Decodes a mask to bool [H, W].

    Raises:
        ValueError: if the runs do not fill the mask.
    """
    height, width = segmentation["size"]
    complaint = f"the runs of a mask do not fill its {height} x {width} pixels"
    try:
        decoded = coco.decode({"size": [height, width], "counts": segmentation["counts"].encode("ascii")})
    except ValueError:
        raise ValueError(complaint) from None
    # pycocotools leaves pixels that no run covers as they were in memory: only whole masks come back as they went.
    mask = decoded.astype(bool)
    if encode_mask(mask)["counts"] != segmentation["counts"]:
        raise ValueError(complaint)
    return mask
