"""What the selection knows, worked out by hand on a small picture."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.moment.evidence import (
    CANDIDATE_FEATURES,
    PAIR_FEATURES,
    SCENE_FEATURES,
    ReducedCandidates,
    SelectionEvidence,
    gather,
    reduced_masks,
)
from cs3_model.moment.motion import Motion
from cs3_model.types import Role

HEIGHT, WIDTH = 96, 128
LEFT_SQUARE, RIGHT_SQUARE = (slice(40, 60), slice(20, 40)), (slice(40, 60), slice(50, 70))


def mask(place: tuple[slice, slice]) -> np.ndarray:
    canvas = np.zeros((HEIGHT, WIDTH), bool)
    canvas[place] = True
    return canvas


def motion(x: float, place: tuple[slice, slice] = LEFT_SQUARE) -> Motion:
    velocity = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    velocity[place] = (x, 0.0)
    return Motion(velocity=velocity, explained=0.75, similarity=0.9)


def candidates() -> ReducedCandidates:
    """What the right hand holds, and what is heard ten cells to the right of it, where all of the map lies."""
    logits = np.zeros((HEIGHT, WIDTH), np.float32)
    logits[RIGHT_SQUARE] = 20.0
    return ReducedCandidates(
        masks=np.stack([mask(LEFT_SQUARE), mask(RIGHT_SQUARE)]),
        roles=(Role.RIGHT_HAND, Role.AUDIO_VISUAL),
        scores=np.array([0.8, 0.6], np.float32),
        logits=logits,
    )


def of_candidate(evidence: SelectionEvidence, index: int, name: str) -> float:
    return float(evidence.candidates_KD[index, CANDIDATE_FEATURES.index(name)])


def test_roles_scores_area_and_map_of_each_candidate() -> None:
    evidence = gather(candidates(), None, None)
    assert [of_candidate(evidence, 0, name) for name in CANDIDATE_FEATURES[:5]] == pytest.approx([1, 0, 0, 0, 0.8])
    assert [of_candidate(evidence, 1, name) for name in CANDIDATE_FEATURES[:5]] == pytest.approx([0, 0, 1, 0, 0.6])
    assert of_candidate(evidence, 0, "log area") == pytest.approx(np.log10(400 / (96 * 128) + 1e-4), abs=1e-5)
    assert [of_candidate(evidence, index, "share of the map") for index in (0, 1)] == pytest.approx([0, 1], abs=1e-4)


def test_the_sound_map_says_how_much_lies_where_and_how_it_is_spread() -> None:
    """All of it lies evenly on 400 of 12288 cells: an entropy of log 400 of log 12288; a lead of 1.02 to 0.02."""
    evidence = gather(candidates(), None, None)
    scene = dict(zip(SCENE_FEATURES, evidence.scene_G.tolist(), strict=True))
    assert scene["spread of the map"] == pytest.approx(np.log(400) / np.log(12288), abs=1e-3)
    assert scene["peak of the map"] == pytest.approx(2.0)
    lead = of_candidate(evidence, 1, "lead in share of the map")
    assert (
        lead == pytest.approx(np.log(1.02 / 0.02), abs=1e-2) == -of_candidate(evidence, 0, "lead in share of the map")
    )


def test_motion_counts_where_a_candidate_is() -> None:
    """0.05 picture widths per second are one unit: log(1 + 0.3 / 0.05)."""
    evidence = gather(candidates(), motion(0.3), motion(0.1))
    assert of_candidate(evidence, 0, "speed before") == pytest.approx(np.log1p(6.0), abs=1e-4)
    assert of_candidate(evidence, 0, "speed after") == pytest.approx(np.log1p(2.0), abs=1e-4)
    assert of_candidate(evidence, 0, "change of velocity") == pytest.approx(np.log1p(4.0), abs=1e-4)
    assert of_candidate(evidence, 0, "agreement before") == pytest.approx(1.0, abs=0.01)
    assert of_candidate(evidence, 1, "speed before") == 0.0


def test_a_pair_that_closes_in_approaches() -> None:
    """The left one moves to the right, towards the other, before the onset, and away from it afterwards."""
    (row,) = gather(candidates(), motion(0.3), motion(-0.3)).pairs_PE
    by_name = dict(zip(PAIR_FEATURES, row.tolist(), strict=True))
    assert by_name["approach before"] == pytest.approx(np.log1p(6.0), abs=1e-4)
    assert by_name["approach after"] == pytest.approx(-np.log1p(6.0), abs=1e-4)
    assert by_name["log distance"] == pytest.approx(np.log10(11 / 128 + 0.003), abs=0.02)


def test_unknown_motion_is_marked_and_counts_nothing() -> None:
    evidence = gather(candidates(), None, motion(0.3))
    scene = dict(zip(SCENE_FEATURES, evidence.scene_G.tolist(), strict=True))
    assert (scene["motion before is known"], scene["motion after is known"]) == (0.0, 1.0)
    assert scene["explained after"] == pytest.approx(0.75)
    assert of_candidate(evidence, 0, "speed before") == 0.0
    assert of_candidate(evidence, 0, "change of velocity") == 0.0


def test_motion_at_another_resolution_says_the_same() -> None:
    fine = Motion(velocity=np.repeat(np.repeat(motion(0.3).velocity, 2, 0), 2, 1), explained=0.75, similarity=0.9)
    one, other = gather(candidates(), motion(0.3), None), gather(candidates(), fine, None)
    assert np.allclose(one.candidates_KD, other.candidates_KD, atol=1e-5)


def test_two_outlines_of_one_object_are_no_pair() -> None:
    found = candidates()
    double = ReducedCandidates(
        masks=np.concatenate([found.masks, found.masks[:1]]),
        roles=(*found.roles, Role.MOVED),
        scores=np.array([0.8, 0.6, 0.5], np.float32),
        logits=found.logits,
    )
    assert gather(double, None, None).pairs_P2.tolist() == [[0, 1], [1, 2]]


def test_thin_objects_survive_the_reduction() -> None:
    thin = np.zeros((960, 1280), bool)
    thin[300:302, 100:900] = True
    small = reduced_masks([thin], (HEIGHT, WIDTH))
    assert small.shape == (1, HEIGHT, WIDTH) and small[0, 30, 10:90].all()
