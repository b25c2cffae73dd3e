"""Recordings to test on: a folder with a folder of sounds for each material, such as `metal/`, `glass/` and `wood/`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cs3_model.types import MODEL_SAMPLE_RATE_HZ, Float32Array
from training.data.clip_media import read_sound
from training.micro.audio.audio_gate import Windows
from training.micro.audio.audio_hits import MATERIAL_NAMES, label_of

SOUND_ENDINGS = (".flac", ".mp3", ".ogg", ".wav")
_LONGEST_S = 10.0
_ONSET_SHARE = 0.2
"""The onset is where a sound first exceeds this share of its peak."""
BEFORE_S = 0.8
"""Sound before the onset."""
_WINDOW_S = 2.0


def list_sounds(folder: Path) -> list[tuple[Path, str]]:
    """The sounds of a folder with their materials; folders that are named otherwise than a material are left out.

    Raises:
        ValueError: if there are none.
    """
    found = [
        (path, material)
        for material in MATERIAL_NAMES
        for path in sorted((folder / material).glob("*"))
        if path.suffix.lower() in SOUND_ENDINGS
    ]
    if not found:
        raise ValueError(f"{folder} holds no sounds: put them into folders named {', '.join(MATERIAL_NAMES)}")
    return found


def read_onset_window(path: Path) -> Float32Array:
    """Reads 2 s of a sound with its first onset 0.8 s after the start; zeros where there is no sound.

    Raises:
        SampleError: if the file cannot be read.
    """
    sound = read_sound(path, 0.0, _LONGEST_S)
    level = np.abs(sound)
    onset = int(np.argmax(level > _ONSET_SHARE * level.max()))
    start = onset - round(BEFORE_S * MODEL_SAMPLE_RATE_HZ)
    window = np.zeros(round(_WINDOW_S * MODEL_SAMPLE_RATE_HZ), np.float32)
    part = sound[max(start, 0) : start + len(window)]
    window[max(-start, 0) :][: len(part)] = part
    return window


def read_sound_folder(folder: Path) -> Windows:
    """The windows of all sounds of a folder.

    Raises:
        ValueError: if there are none.
        SampleError: if a file cannot be read.
    """
    sounds = list_sounds(folder)
    return Windows(
        samples=np.stack([read_onset_window(path) for path, _ in sounds]),
        labels=np.stack([label_of((material,)) for _, material in sounds]),
        levels=("",) * len(sounds),
    )
