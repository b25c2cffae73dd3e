"""Names of the command line to rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cs3_model.types import Frame, Role, Verdict
from tests.training.drawn_world import drawn_sample
from training.data.sound import read_window
from training.methods import METHOD_NAMES, build_row
from training.prior_map import fit_prior_map
from training.rows import Row, Scene, Sound

CPU = torch.device("cpu")


def build(name: str, **options) -> Row:
    return build_row(name, **{"device": CPU, "seed": 0, "prior_map": None, **options})


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    sample = drawn_sample(tmp_path_factory.mktemp("scene"), 0, "high")
    return Scene(
        sample=sample,
        frame=Frame(image=sample.load_image()),
        window=read_window(sample.sound),
        objects=sample.load_objects(),
    )


@pytest.mark.parametrize("name", METHOD_NAMES[:-1])
def test_every_named_method_answers_a_scene(name, scene) -> None:
    row = build(name, prior_map=fit_prior_map([scene.sample]))
    result = row.predict(scene)
    assert row.name == name and result.verdict is not Verdict.NONE
    assert all(item.mask.shape == (64, 96) and item.mask.any() for item in result.masks)
    assert row.needs_whole_scene == ("†" in row.label)


def test_a_preset_runs_the_pipeline_with_the_fields_that_are_named(scene) -> None:
    """The debug preset, reduced to the audio-visual map: one candidate is all there is."""
    row = build("preset:debug,use_hands=false,use_boxes_for_sound=false,use_crop=false")
    result = row.predict(scene)
    assert not row.trained and len(row.models) == 3 and row.sound is Sound.OWN
    assert [item.role for item in result.candidates] == [Role.AUDIO_VISUAL]


def test_the_oracle_of_a_preset_chooses_by_the_truth(scene) -> None:
    row = build("preset:debug,strategy=oracle,use_crop=false,use_hands=false,use_boxes_for_sound=false")
    nothing_true = replace(scene, objects=())
    assert row.predict(nothing_true).verdict is Verdict.NONE


@pytest.mark.parametrize("sound", list(Sound))
def test_a_preset_may_hear_something_else(sound) -> None:
    assert build(f"preset:debug,sound={sound.value}").sound is sound


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("center", "method must be one of centre, .*, prior-map, preset:NAME.*, got 'center'"),
        ("prior-map", "method 'prior-map' needs training samples: name them with --prior-data"),
        ("preset:", "names no preset; choose one of .*debug"),
        ("preset:huge", "unknown preset 'huge'; choose one of .*debug"),
        ("preset:debug,crop", "expected field=value after the preset, got 'crop'"),
        ("preset:debug,crop=false", "unknown field 'crop'; valid fields: use_hands, use_crop"),
        ("preset:debug,use_crop=perhaps", "use_crop must be of type bool, got 'perhaps'"),
        ("preset:debug,strategy=best", "strategy must be one of ours, right, .*got 'best'"),
        ("preset:debug,sound=loud", "sound must be one of own, shuffled, silent, got 'loud'"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_choices(name, message) -> None:
    with pytest.raises(ValueError, match=message):
        build(name)
