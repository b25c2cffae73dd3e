"""Folders of recordings become windows with labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.micro.audio.audio_hits import label_of
from training.micro.audio.sound_folders import list_sounds, read_onset_window, read_sound_folder

RATE_HZ = 16_000


@pytest.fixture
def folder(tmp_path) -> Path:
    for place, start_s in (("wood/knock.wav", 0.25), ("glass/a.wav", 1.5), ("speech/talk.wav", 0.5)):
        sound = np.zeros(2 * RATE_HZ)
        sound[round(start_s * RATE_HZ) :] = 0.5 * np.exp(-np.arange(2 * RATE_HZ - round(start_s * RATE_HZ)) / 500)
        path = tmp_path / place
        path.parent.mkdir()
        soundfile.write(path, sound, RATE_HZ)
    return tmp_path


def test_folders_named_as_materials_are_read(folder):
    assert [(path.name, material) for path, material in list_sounds(folder)] == [
        ("a.wav", "glass"),
        ("knock.wav", "wood"),
    ]
    windows = read_sound_folder(folder)
    assert windows.labels.tolist() == [label_of(("glass",)).tolist(), label_of(("wood",)).tolist()]


def test_the_onset_lies_where_it_lies_in_use(folder):
    """0.8 s after the start of 2 s, with silence around a short file."""
    for name in ("wood/knock.wav", "glass/a.wav"):
        window = read_onset_window(folder / name)
        assert window.shape == (2 * RATE_HZ,)
        assert abs(int(np.argmax(np.abs(window) > 0.1)) - 0.8 * RATE_HZ) <= 2


def test_a_folder_without_materials_is_refused_with_their_names(tmp_path):
    with pytest.raises(ValueError, match="holds no sounds: put them into folders named metal, ceramic"):
        read_sound_folder(tmp_path)
