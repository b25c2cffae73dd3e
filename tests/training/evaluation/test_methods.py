"""Names of the command line to rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cs3_model.build import build_pipeline, load_preset
from cs3_model.moment.moment import Moment
from cs3_model.moment.selection import Calibration, SelectionNetwork, save_selection
from cs3_model.pipeline import CollisionPipeline, PipelineConfig, Proposed
from cs3_model.placement import Precision
from cs3_model.strategies import Strategy
from cs3_model.types import AudioWindow, BoolMask, Candidate, CollisionResult, Frame, Reason, Role, Verdict
from tests.training.drawn_world import drawn_sample, mask_of
from tests.training.micro.small import small_weights
from training.data.samples import Around
from training.data.sound_windows import read_window
from training.evaluation.baselines.prior_map import fit_prior_map
from training.evaluation.methods import build_row
from training.evaluation.oracle import with_true_masks
from training.evaluation.row import LoadedSample, Row, Sound
from training.evaluation.row_spec import ROW_NAMES, parse_row

CPU = torch.device("cpu")


def build(name: str, **options) -> Row:
    return build_row(parse_row(name), **{"device": CPU, "seed": 0, **options})


def heard(mask: BoolMask) -> Candidate:
    return Candidate(role=Role.AUDIO_VISUAL, mask=mask, box_xyxy=(0, 0, 1, 1), score=1.0, reason="")


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> LoadedSample:
    sample = drawn_sample(tmp_path_factory.mktemp("scene"), 0, "high")
    return LoadedSample(
        sample=sample,
        frame=Frame(image=sample.load_image()),
        window=read_window(sample.sound),
        objects=sample.load_objects(),
    )


@pytest.mark.parametrize("name", [name for name in ROW_NAMES if ":" not in name])
def test_every_named_method_answers_a_scene(name, scene) -> None:
    row = build(name, prior_map=fit_prior_map([scene.sample]))
    result = row.predict(scene)
    assert row.name == name and result.verdict is not Verdict.NONE
    assert all(item.mask.shape == (64, 96) and item.mask.any() for item in result.masks)
    assert row.needs_whole_scene == ("†" in row.label)


def test_a_preset_runs_the_pipeline_with_the_fields_that_are_named(scene) -> None:
    """The debug preset, reduced to the audio-visual map: one candidate is all there is."""
    row = build("preset:debug,use_hands=false,heard_mask=map,use_crop=false")
    result = row.predict(scene)
    assert not row.trained and len(row.models) == 3 and row.sound is Sound.OWN
    assert [item.role for item in result.candidates] == [Role.AUDIO_VISUAL]


def test_the_row_random_is_the_pretrained_network_around_a_random_projection(scene, tmp_path) -> None:
    """The frozen networks are those of the preset; another seed gives another map."""
    micro = f"preset:micro,weights={small_weights(tmp_path / 'a.safetensors', 0)}"
    name = f"{micro},token=random,use_hands=false,heard_mask=map,use_crop=false"
    first, again, other = (build(name, seed=seed).predict(scene).candidates[0].mask for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    row = build(name)
    assert row.models[0] == "micro, random token 0" and "a.safetensors" in row.models[1] and row.trained
    with pytest.raises(ValueError, match="token=random needs the part clipseg or micro or micro-weak, not debug"):
        build("preset:debug,token=random")
    with pytest.raises(ValueError, match="token must be random, got 'zero'"):
        build("preset:micro,token=zero")


def test_tables_use_float32_whatever_the_preset_says(monkeypatch) -> None:
    seen = []
    monkeypatch.setattr("training.evaluation.methods._parts", lambda preset, *_: seen.append(preset) or 1 / 0)
    for options in ({}, {"precision": Precision.BFLOAT16}):
        with pytest.raises(ZeroDivisionError):
            build("preset:foundation", **options)
    assert [preset.precision for preset in seen] == [Precision.FLOAT32, Precision.BFLOAT16]


def test_touch_is_refused_where_the_detector_does_not_say_what_a_held_object_touches() -> None:
    with pytest.raises(ValueError, match=r"hand detector micro .* does not say what a held object touches"):
        build("preset:micro,strategy=touch")
    assert build("preset:debug,strategy=touch").models


def test_the_oracle_of_a_preset_chooses_by_the_truth(scene) -> None:
    row = build("preset:debug,strategy=oracle,use_crop=false,use_hands=false,heard_mask=map")
    nothing_true = replace(scene, objects=())
    assert row.predict(nothing_true).verdict is Verdict.NONE


def test_the_oracle_of_all_also_takes_a_heard_object_that_was_passed_over(scene, monkeypatch) -> None:
    logits = np.zeros((4, 4), np.float32)
    candidates = (heard(mask_of("cup")), heard(mask_of("lid")))
    found = Proposed(candidates=candidates, logits=logits, heatmap=logits, moment=Moment(), stage_s={})
    monkeypatch.setattr(CollisionPipeline, "propose", lambda *args: found)
    lid = next(item for item in scene.objects if np.array_equal(item.mask, mask_of("lid")))
    lid_alone = replace(scene, objects=(replace(lid, is_colliding=True),))
    weighed, of_all = (
        build(f"preset:debug,strategy={name}").predict(lid_alone) for name in ("oracle", "oracle-of-all")
    )
    assert weighed.verdict is Verdict.NONE
    assert [item.mask is found.candidates[1].mask for item in of_all.masks] == [True]


@pytest.mark.parametrize("sound", list(Sound))
def test_a_preset_may_hear_something_else(sound) -> None:
    assert build(f"preset:debug,sound={sound.value}").sound is sound


def test_rows_of_one_preset_share_its_networks_and_candidates(scene, monkeypatch) -> None:
    rows = [build(f"preset:debug,use_crop=false{rest}") for rest in ("", ",strategy=right", ",strategy=oracle")]
    seen = []
    propose = CollisionPipeline.propose
    monkeypatch.setattr(CollisionPipeline, "propose", lambda *args: seen.append(args) or propose(*args))
    ours, right, _ = [row.predict(scene) for row in rows]
    assert len(seen) == 1 and all(a is b for a, b in zip(ours.candidates, right.candidates, strict=True))
    rows[0].predict(replace(scene, window=read_window(scene.sample.sound)))
    assert len(seen) == 2


def test_rows_share_candidates_unless_they_differ_in_what_is_one_object(scene, monkeypatch) -> None:
    seen = []
    propose = CollisionPipeline.propose
    monkeypatch.setattr(CollisionPipeline, "propose", lambda *args: seen.append(args[0].config) or propose(*args))
    for rest in ("", ",verification.contact_distance_px=9", ",verification.merge_iou=0.3"):
        build(f"preset:debug,use_crop=false{rest}").predict(scene)
    assert [config.verification.merge_iou for config in seen] == [0.6, 0.3]


def test_a_row_that_looks_at_what_moves_is_shown_the_pictures_around_unless_told_otherwise(
    scene, tmp_path, monkeypatch
) -> None:
    torch.manual_seed(0)
    save_selection(tmp_path / "s.safetensors", [SelectionNetwork()], Calibration())
    name = f"preset:debug,strategy=learned,use_crop=false,selection={tmp_path / 's.safetensors'}"
    rows = [build(name), build(f"{name},motion=false")]
    assert [row.uses_motion for row in rows] == [True, False] and not build("preset:debug").uses_motion
    before = Frame(image=np.roll(scene.frame.image, 5, axis=1), stamp_ns=-90_000_000)
    details = [row.predict(replace(scene, around=Around(before=before))).detail for row in rows]
    assert "no frame before" not in details[0] and "no frame after" in details[0]
    assert "no frame before" in details[1]


def test_another_strategy_is_that_of_the_pipeline(scene) -> None:
    row = build("preset:debug,use_crop=false,strategy=right-av")
    config = PipelineConfig(use_crop=False, strategy=Strategy.RIGHT_AV)
    pipeline = build_pipeline(replace(load_preset("debug"), pipeline=config), device=CPU, seed=0)
    expected = pipeline.process(scene.frame, scene.window)
    found = row.predict(scene)
    assert found.verdict is expected.verdict and [c.role for c in found.masks] == [c.role for c in expected.masks]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(found.masks, expected.masks, strict=True))


def test_a_field_of_a_field_leaves_its_neighbours(scene) -> None:
    row = build("preset:debug,use_crop=false,localisation.threshold=0.9,localisation.smoothing=0")
    preset = load_preset("debug")
    localisation = replace(preset.pipeline.localisation, threshold=0.9, smoothing=0.0)
    config = replace(preset.pipeline, use_crop=False, localisation=localisation)
    expected = build_pipeline(replace(preset, pipeline=config), device=CPU, seed=0).process(scene.frame, scene.window)
    found = row.predict(scene)
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(found.candidates, expected.candidates, strict=True))
    with pytest.raises(ValueError, match=r"unknown field 'localisation.treshold'; valid fields: smoothing"):
        build("preset:debug,localisation.treshold=0.9")


def test_a_map_of_words_hears_nothing(scene, tmp_path) -> None:
    weights = small_weights(tmp_path / "micro.safetensors")
    alone = "use_hands=false,use_crop=false,heard_mask=map"
    row = build(f"preset:micro,weights={weights},words=struck,{alone}")
    other = replace(scene, window=AudioWindow(samples=-scene.window.samples[::-1].copy()))
    first, second = (row.predict(item).candidates[0].mask for item in (scene, other))
    assert np.array_equal(first, second)
    asked_else = build(f"preset:micro,weights={weights},words=held left,{alone}").predict(scene).candidates[0].mask
    assert not np.array_equal(first, asked_else)


def test_true_outlines_keep_the_choice(scene) -> None:
    """The right half of the lid is found, and nothing but background beside it: the lid is what was chosen."""
    half, nothing = mask_of("lid"), np.zeros((64, 96), bool)
    half[:, :16] = False
    nothing[:8, 40:48] = True
    masks = heard(half), heard(nothing)
    found = CollisionResult(verdict=Verdict.TWO_OBJECTS, reason=Reason.SELECTED, detail="", masks=masks)
    outlined = with_true_masks(found, scene)
    assert outlined.verdict is Verdict.ONE_OBJECT and np.array_equal(outlined.masks[0].mask, mask_of("lid"))
    row = build("preset:debug,true_masks=true")
    assert row.needs_whole_scene
    truth = {item.mask.tobytes() for item in scene.objects}
    assert all(item.mask.tobytes() in truth for item in row.predict(scene).masks)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("center", "method must be one of centre, .*, prior-map, .*preset:NAME.*, got 'center'"),
        ("prior-map", "method 'prior-map' needs training samples: name them with --prior-data"),
        ("preset:", "names no preset; choose one of .*debug"),
        ("preset:huge", "unknown preset 'huge'; choose one of .*debug"),
        ("preset:debug,crop", "expected field=value after the preset, got 'crop'"),
        ("preset:debug,crop=false", "unknown field 'crop'; valid fields: use_hands, use_crop"),
        ("preset:debug,use_crop=perhaps", "use_crop must be of type bool, got 'perhaps'"),
        ("preset:debug,strategy=best", "strategy must be one of ours, right, .*got 'best'"),
        ("preset:debug,told=all", "told must be one of boxes, points, got 'all'"),
        ("preset:debug,sound=loud", "sound must be one of own, shuffled, other-clip, noise, silent, got 'loud'"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_choices(name, message) -> None:
    with pytest.raises(ValueError, match=message):
        build(name)
