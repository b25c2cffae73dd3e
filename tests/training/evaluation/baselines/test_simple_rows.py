"""What each row that needs no network answers in the drawn kitchen; scores by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cs3_model.metrics import score_masks
from cs3_model.strategies import Strategy
from cs3_model.types import Frame, Role, Verdict
from tests.training.drawn_world import drawn_sample, mask_of, objects_of
from training.data.samples import Hand
from training.data.sound_windows import read_window
from training.evaluation.baselines.prior_map import fit_prior_map
from training.evaluation.baselines.simple_rows import (
    best_choice,
    by_strategy,
    centre_square,
    held_and_nearest,
    random_objects,
    random_square,
)
from training.evaluation.row import LoadedSample


@pytest.fixture
def make_scene(tmp_path):
    """Returns a function that draws and reads a scene."""

    def make(event: str = "high", picture: int = 0) -> LoadedSample:
        sample = drawn_sample(tmp_path, picture, event)
        return LoadedSample(
            sample=sample,
            frame=Frame(image=sample.load_image()),
            window=read_window(sample.sound),
            objects=sample.load_objects(),
        )

    return make


def names(result) -> set[str]:
    """Which drawn objects were answered, exactly."""
    found = {
        name for name in ("pan", "lid", "cup", "box") for item in result.masks if (item.mask == mask_of(name)).all()
    }
    assert len(found) == len(result.masks)
    return found


def score(result, scene: LoadedSample) -> float:
    return score_masks([item.mask for item in result.masks], scene.true_masks).iou


def test_the_centre_is_a_square_of_a_tenth_of_the_image(make_scene) -> None:
    """sqrt(0.1 * 64 * 96) = 24.8: a square of 25 pixels around (48, 32)."""
    (square,) = centre_square(make_scene()).masks
    assert square.mask.sum() == 25 * 25 and square.box_xyxy == (36, 20, 61, 45)


def test_a_random_square_lies_inside_and_depends_on_picture_and_seed(make_scene) -> None:
    squares = [random_square(make_scene(picture=picture), seed=0).masks[0] for picture in range(8)]
    assert all(square.mask.sum() == 625 for square in squares)
    assert len({square.box_xyxy for square in squares}) == 8
    assert random_square(make_scene(), seed=0).masks[0].box_xyxy == squares[0].box_xyxy
    assert random_square(make_scene(), seed=1).masks[0].box_xyxy != squares[0].box_xyxy


def test_random_objects_are_two_and_never_the_table(make_scene) -> None:
    answers = [frozenset(names(random_objects(make_scene(picture=picture), seed=0))) for picture in range(30)]
    assert all(len(answer) == 2 for answer in answers) and len(set(answers)) == 6


@pytest.mark.parametrize(
    ("strategy", "answer", "high", "low"),
    [
        (Strategy.RIGHT, {"pan"}, 0.5, 0.0),
        (Strategy.LEFT, {"lid"}, 0.0, 0.5),
        (Strategy.RIGHT_LEFT, {"pan", "lid"}, 0.5, 0.5),
        (Strategy.ADJACENT, {"pan", "cup"}, 1.0, 0.0),
    ],
)
def test_strategies_use_true_hands_and_masks(strategy, answer, high, low, make_scene) -> None:
    for event, expected in (("high", high), ("low", low)):
        scene = make_scene(event)
        result = by_strategy(scene, strategy)
        assert names(result) == answer and score(result, scene) == expected


def test_held_and_nearest_are_the_closest_pair_with_a_held_object(make_scene) -> None:
    result = held_and_nearest(make_scene())
    assert names(result) == {"pan", "cup"} and {item.role for item in result.masks} == {
        Role.RIGHT_HAND,
        Role.AUDIO_VISUAL,
    }


def test_the_order_of_objects_does_not_break_ties(make_scene) -> None:
    """A twin of the cup on the pan's other side touches it as well: over pictures, each is chosen about half the time."""
    twin = np.zeros((64, 96), bool)
    twin[24:40, 40:56] = True
    chosen = []
    for picture in range(40):
        scene = make_scene(picture=picture)
        items = [replace(item, mask=twin) if item.category == "box" else item for item in scene.objects]
        result = held_and_nearest(replace(scene, objects=tuple(items)))
        chosen.append(any((item.mask == twin).all() for item in result.masks))
    assert 8 < sum(chosen) < 32


def test_empty_hands_leave_nothing_to_answer(make_scene) -> None:
    scene = make_scene()
    scene = replace(scene, objects=tuple(replace(item, held_by=Hand.NONE) for item in scene.objects))
    for result in (held_and_nearest(scene), by_strategy(scene, Strategy.RIGHT), by_strategy(scene, Strategy.ADJACENT)):
        assert result.verdict is Verdict.NONE


def test_a_lone_held_object_is_answered_alone(make_scene) -> None:
    scene = make_scene()
    scene = replace(scene, objects=tuple(item for item in scene.objects if item.category in ("pan", "table")))
    assert names(held_and_nearest(scene)) == {"pan"}


def test_the_oracle_chooses_the_best_of_right_left_and_nearest(make_scene) -> None:
    """The box that the lid hits is no candidate: the lid alone is the best that can be chosen."""
    high, low, silent = make_scene("high"), make_scene("low"), make_scene("none")
    assert names(best_choice(high)) == {"pan", "cup"} and score(best_choice(high), high) == 1.0
    assert names(best_choice(low)) == {"lid"} and score(best_choice(low), low) == 0.5
    assert best_choice(silent).verdict is Verdict.NONE


def test_hidden_objects_are_neither_truth_nor_candidates(make_scene) -> None:
    scene = make_scene()
    hidden = [
        replace(item, mask=np.zeros_like(item.mask)) if item.category == "cup" else item for item in objects_of("high")
    ]
    scene = replace(scene, objects=tuple(hidden))
    assert len(scene.true_masks) == 1 and "cup" not in names(by_strategy(scene, Strategy.ADJACENT))


def test_the_prior_map_answers_the_commonest_places(make_scene, tmp_path) -> None:
    """Three of four training samples are pan and cup, which together are 16 x 32 pixels."""
    events = ["high", "high", "high", "low"]
    prior = fit_prior_map([drawn_sample(tmp_path, picture, event) for picture, event in enumerate(events)])
    scene = make_scene()
    (prediction,) = prior.predict(scene).masks
    union = mask_of("pan") | mask_of("cup")
    assert (prediction.mask & union).sum() / (prediction.mask | union).sum() > 0.8
    assert score(prior.predict(scene), scene) == pytest.approx(0.25, abs=0.05)


def test_the_prior_map_needs_truth(tmp_path) -> None:
    with pytest.raises(ValueError, match="the prior map needs training samples with true masks"):
        fit_prior_map([drawn_sample(tmp_path, 0, "none")])
