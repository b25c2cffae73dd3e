"""The evaluation loop: one scene for all rows, other sounds, skipped samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cs3_model.types import CollisionResult, Reason, Verdict, no_collision
from tests.training.drawn_world import RATE_HZ, drawn_data_set
from training.data.framings import in_framings
from training.data.samples import Conditions, DataSet
from training.data.sound_windows import WindowRule
from training.evaluation.methods import build_row
from training.evaluation.row import LoadedSample, Row, Sound
from training.evaluation.row_spec import parse_row
from training.evaluation.runner import Evaluation, evaluate

CPU = torch.device("cpu")


class Listener:
    """Notes the pitch of what it hears, by zero crossings, and answers nothing."""

    def __init__(self) -> None:
        self.heard: dict[str, str] = {}

    def __call__(self, scene: LoadedSample) -> CollisionResult:
        samples = scene.window.samples
        loud = samples[np.abs(samples).argmax() :][: RATE_HZ // 10]
        crossings = np.count_nonzero(np.diff(np.signbit(loud)))
        self.heard[scene.sample.sample_id] = "nothing" if not samples.any() else "high" if crossings > 250 else "low"
        return no_collision(Reason.NO_CANDIDATE, "it only listens")


def run(rows: list[Row], data_set: DataSet, **options) -> Evaluation:
    *_, evaluation = evaluate(rows, data_set, **{"rule": WindowRule(), "seed": 0, **options})
    return evaluation


def rows_of(*names: str) -> list[Row]:
    return [build_row(parse_row(name), device=CPU, seed=0) for name in names]


def test_scores_are_those_worked_out_by_hand(tmp_path) -> None:
    """Right answers the pan: half of high, nothing of low. The oracle has all of high, half of low."""
    evaluation = run(rows_of("right", "right-left", "oracle"), drawn_data_set(tmp_path, 2))
    assert [record.sample_id for record in evaluation.records["right"]] == ["0-high", "0-low", "1-high", "1-low"]
    assert [record.score.iou for record in evaluation.records["right"]] == [0.5, 0.0, 0.5, 0.0]
    assert [record.score.iou for record in evaluation.records["right-left"]] == [0.5] * 4
    assert [record.score.iou for record in evaluation.records["oracle"]] == [1.0, 0.5, 1.0, 0.5]
    first, second, third, _ = evaluation.records["right"]
    assert first.group == second.group == "picture 0" and first.answer == third.answer != second.answer


def test_framings_of_a_sample_are_resampled_together_and_have_one_answer(tmp_path) -> None:
    data_set = drawn_data_set(tmp_path, 1, ("high",))
    framed = replace(data_set, samples=tuple(in_framings(replace(data_set.samples[0], conditions=Conditions()))))
    records = run(rows_of("centre"), framed).records["centre"]
    assert len(records) == 10
    assert {(record.group, record.answer) for record in records} == {("0-high", "0-high")}


def test_samples_without_a_visible_collision_have_no_score(tmp_path) -> None:
    evaluation = run(rows_of("centre", "oracle"), drawn_data_set(tmp_path, 1, ("high", "none")))
    scored, silent = evaluation.records["centre"]
    assert scored.score is not None and silent.score is None and silent.verdict is Verdict.ONE_OBJECT
    assert evaluation.records["oracle"][1].verdict is Verdict.NONE


def test_each_row_hears_what_it_should(tmp_path) -> None:
    sounds = (Sound.OWN, Sound.SHUFFLED, Sound.SILENT)
    listeners = {sound: Listener() for sound in sounds}
    rows = [Row(name=sound.value, label=sound.value, predict=listeners[sound], sound=sound) for sound in sounds]
    run(rows, drawn_data_set(tmp_path, 4))
    own, shuffled, silent = (listeners[sound].heard for sound in sounds)
    assert all(name.endswith(pitch) for name, pitch in own.items()) and len(own) == 8
    assert set(silent.values()) == {"nothing"}
    assert sorted(shuffled.values()) == sorted(own.values()) and shuffled != own


def test_shuffles_differ(tmp_path) -> None:
    listeners = [Listener() for _ in range(3)]
    rows = [
        Row(name=str(number), label=str(number), predict=listener, sound=Sound.SHUFFLED, shuffle=number)
        for number, listener in enumerate(listeners)
    ]
    run(rows, drawn_data_set(tmp_path, 6))
    assert len({tuple(listener.heard.values()) for listener in listeners}) == 3


def test_unreadable_samples_are_skipped_with_their_reason(tmp_path) -> None:
    data_set = drawn_data_set(tmp_path, 2)
    (tmp_path / "1-low.flac").unlink()
    evaluation = run(rows_of("right", "left"), data_set)
    assert len(evaluation.records["right"]) == len(evaluation.records["left"]) == 3
    (skipped,) = evaluation.skipped
    assert skipped.sample_id == "1-low" and "1-low.flac does not exist" in skipped.reason


def test_a_mask_of_another_size_is_skipped_not_scored(tmp_path) -> None:
    data_set = drawn_data_set(tmp_path, 1)
    first, second = data_set.samples
    small = tuple(replace(item, mask=item.mask[::2, ::2]) for item in first.load_objects())
    evaluation = run(rows_of("right"), replace(data_set, samples=(replace(first, load_objects=lambda: small), second)))
    assert "a true mask is [32, 48], the picture [64, 96]" in evaluation.skipped[0].reason


def test_a_draw_is_fixed_by_the_seed_and_keeps_the_order(tmp_path) -> None:
    data_set = drawn_data_set(tmp_path, 6)

    def drawn(seed: int) -> list[str]:
        return [record.sample_id for record in run(rows_of("centre"), data_set, seed=seed, limit=5).records["centre"]]

    order = [sample.sample_id for sample in data_set.samples]
    assert len(drawn(0)) == 5 and drawn(0) == drawn(0) != drawn(1)
    assert sorted(drawn(0), key=order.index) == drawn(0)


def test_examples_show_the_same_scenes_for_all_rows(tmp_path) -> None:
    evaluation = run(rows_of("centre", "oracle"), drawn_data_set(tmp_path, 4), num_examples=3)
    assert len(evaluation.examples) == 3
    assert all(set(example.results) == {"centre", "oracle"} for example in evaluation.examples)


@pytest.mark.parametrize(
    ("change", "rows", "message"),
    [
        ({"samples": ()}, ["centre"], "drawn has no samples"),
        ({}, ["centre", "centre"], "method 'centre' is named twice"),
        (
            {"knows_whole_scene": False},
            ["centre", "adjacent", "oracle"],
            "adjacent, oracle: .* not say for 2 of 2 samples",
        ),
        ({"load_objects": None}, ["centre"], "this split of drawn has no true masks"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(change, rows, message, tmp_path) -> None:
    data_set = drawn_data_set(tmp_path, 1)
    if "samples" in change:
        data_set = replace(data_set, **change)
    elif change:
        data_set = replace(data_set, samples=tuple(replace(sample, **change) for sample in data_set.samples))
    with pytest.raises(ValueError, match=message):
        run(rows_of(*rows), data_set)
