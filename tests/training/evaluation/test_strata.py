"""Labels of samples, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.drawn_world import drawn_sample
from training.data.samples import Conditions, Hand, SceneObject, SoundSegment
from training.evaluation.strata import ordered_labels, strata_of


def labels(sample, **conditions) -> dict[str, str]:
    sample = replace(sample, conditions=Conditions(**conditions))
    return strata_of(sample, sample.load_objects())


def test_a_drawn_sample_has_the_labels_that_it_was_made_for(tmp_path) -> None:
    """Objects of 16 x 16 pixels in 64 x 96 are 4.2 % of the image; the segment is 0.4 s."""
    sample = drawn_sample(tmp_path, 0, "high")
    assert strata_of(sample, sample.load_objects()) == {
        "audio duration": "< 1 s",
        "objects": "two",
        "object size": "2-5 %",
        "materials": "glass-metal",
        "held objects": "2 held, 1 collides",
        "acting hand": "right",
        "SNR": "< 0 dB",
        "level": "easy",
    }


@pytest.mark.parametrize(
    ("condition", "stratum", "label"),
    [
        ({"snr_db": 0.0}, "SNR", "0-10 dB"),
        ({"snr_db": 25.0}, "SNR", ">= 20 dB"),
        ({"occlusion": 0.0}, "occlusion", "< 10 %"),
        ({"occlusion": 1.0}, "occlusion", ">= 70 %"),
        ({"frame_offset_s": -0.1}, "frame", "before"),
        ({"frame_offset_s": 0.0}, "frame", "at"),
        ({"frame_offset_s": 0.1}, "frame", "after"),
        ({"scenario": "drop"}, "scenario", "drop"),
    ],
)
def test_conditions_become_labels(condition, stratum, label, tmp_path) -> None:
    assert labels(drawn_sample(tmp_path, 0, "high"), **condition)[stratum] == label


@pytest.mark.parametrize(("seconds", "label"), [(0.6, "< 1 s"), (1.0, "1-2 s"), (4.0, "3-5 s"), (13.0, ">= 5 s")])
def test_the_length_of_the_sound_is_binned(seconds, label, tmp_path) -> None:
    sample = drawn_sample(tmp_path, 0, "high")
    sample = replace(sample, sound=SoundSegment(path=sample.sound.path, start_s=0.0, stop_s=seconds))
    assert labels(sample)["audio duration"] == label


def test_one_material_and_one_object_are_named_as_such(tmp_path) -> None:
    sample = replace(drawn_sample(tmp_path, 0, "high"), materials=("wood",))
    tiny = np.zeros((100, 100), bool)
    tiny[:4, :10] = True
    found = strata_of(sample, [SceneObject(mask=tiny, is_colliding=True, held_by=Hand.LEFT | Hand.RIGHT)])
    assert found["materials"] == "wood-only" and found["objects"] == "one" and found["object size"] == "< 0.5 %"
    assert found["acting hand"] == "both" and found["held objects"] == "1 held, 1 collides"


def test_what_a_data_set_does_not_know_has_no_label(tmp_path) -> None:
    sample = replace(drawn_sample(tmp_path, 0, "high"), knows_whole_scene=False, materials=())
    sample = replace(sample, sound=SoundSegment(path=sample.sound.path, start_s=1.0, stop_s=1.0))
    assert set(labels(sample)) == {"objects", "object size"}


def test_labels_are_shown_from_small_to_large() -> None:
    assert ordered_labels("SNR", [">= 20 dB", "< 0 dB", "0-10 dB", "< 0 dB"]) == ["< 0 dB", "0-10 dB", ">= 20 dB"]
    assert ordered_labels("materials", ["wood-only", "glass-metal"]) == ["glass-metal", "wood-only"]
