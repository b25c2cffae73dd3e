"""Features of scenes and sounds on disk: the runs of the heard stage share them, and the memory that they are mapped to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cs3_model.files import written_whole
from training.micro.audio_visual.heard_data import HeardFeatures


def save_heard(path: Path, heard: HeardFeatures, about: Mapping[str, str | int]) -> None:
    """Writes features, and what they were made of, as a whole.

    Raises:
        ValueError: if they cannot be written: one line. What was at `path` before is still there.
    """
    tensors = {name: value.contiguous() for name, value in heard._asdict().items()}
    try:
        with written_whole(path) as hidden:
            save_file(tensors, hidden, _metadata(about))
    except (OSError, SafetensorError) as error:
        size_mb = sum(value.nbytes for value in heard) / 1e6
        raise ValueError(f"{path} cannot be written ({size_mb:.0f} MB): {error}") from None


def load_heard(path: Path, about: Mapping[str, str | int]) -> HeardFeatures | None:
    """Maps features into memory; None if there are none, or they were made of something else.

    Raises:
        ValueError: if the file is damaged: one line.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            if file.metadata() != _metadata(about):
                return None
            return HeardFeatures(**{name: file.get_tensor(name) for name in HeardFeatures._fields})
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it to look and listen again") from None


def _metadata(about: Mapping[str, str | int]) -> dict[str, str]:
    return {"about": json.dumps(dict(about), sort_keys=True)}
