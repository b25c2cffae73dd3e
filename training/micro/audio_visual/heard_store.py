"""Features of scenes and sounds on disk: the runs of the heard stage share them, and the memory that they are mapped to.

Those of the pictures are too many for memory (17 GB for 10,000 scenes), so that they are written as they are made: a folder
has them in `pictures.bin`, bfloat16 one after the other, and the rest in `sounds.safetensors`, which comes last.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cs3_model.files import write_whole
from training.micro.audio_visual.heard_data import HeardFeatures, joined

_PICTURES, _SOUNDS = "pictures.bin", "sounds.safetensors"


def save_heard(
    folder: Path, pieces: Iterable[HeardFeatures], num_scenes: int, about: Mapping[str, str | int]
) -> HeardFeatures:
    """Writes features as they are made, and what they were made of; returns them, mapped into memory.

    Raises:
        ValueError: if they cannot be written: one line.
    """

    def room(shape: tuple[int, ...]) -> Tensor:
        with (folder / _PICTURES).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * math.prod(shape))  # a full disk says so here, not by a signal
        return _mapped(folder, shape)

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _SOUNDS).unlink(missing_ok=True)
        heard = joined(pieces, num_scenes, room)
        rest = {name: value.contiguous() for name, value in heard._asdict().items() if name != "features"}
        write_whole(folder / _SOUNDS, save(rest, _metadata(heard.features.shape, about)))
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error}") from None
    return heard


def load_heard(folder: Path, about: Mapping[str, str | int]) -> HeardFeatures | None:
    """Maps features into memory; None if there are none, or they were made of something else.

    Raises:
        ValueError: if a file is damaged: one line.
    """
    if not (folder / _SOUNDS).exists():
        return None
    try:
        with safe_open(folder / _SOUNDS, "pt") as file:
            metadata = file.metadata()
            shape = tuple(json.loads(metadata["shape"]))
            if metadata != _metadata(shape, about):
                return None
            if (folder / _PICTURES).stat().st_size != 2 * math.prod(shape):
                raise ValueError(f"{_PICTURES} has another length")
            rest = {name: file.get_tensor(name) for name in HeardFeatures._fields if name != "features"}
            return HeardFeatures(features=_mapped(folder, shape), **rest)
    except (OSError, SafetensorError, ValueError) as error:
        raise ValueError(f"{folder} is damaged ({error}): delete it to look and listen again") from None


def _mapped(folder: Path, shape: tuple[int, ...]) -> Tensor:
    path = str(folder / _PICTURES)
    return torch.from_file(path, shared=True, size=math.prod(shape), dtype=torch.bfloat16).view(shape)


def _metadata(shape: tuple[int, ...], about: Mapping[str, str | int]) -> dict[str, str]:
    return {"shape": json.dumps(list(shape)), "about": json.dumps(dict(about), sort_keys=True)}
