"""The labels are true: physics and sound confirm them by other means."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from training.simulation.dataset.generation_plan import SampleFormat
from training.simulation.dataset.scene_samples import make_scene
from training.simulation.dataset.storage import read_truth
from training.simulation.physics import variants
from training.simulation.physics.contacts import MIN_IMPULSE
from training.simulation.scenario.scenarios import SCENARIOS, draw_recipe, request_at_level
from training.simulation.scenario.splits import SPLITS
from training.simulation.scene.table_layout import LayoutError
from training.simulation.validation.label_check import label_violations, rerun, sound_violations


def test_contact_forces_confirm_every_labelled_collision(outcomes):
    for scene, made in outcomes:
        for outcome in made:
            assert label_violations(scene, outcome, rerun(scene, outcome)) == []


def test_a_label_with_another_time_is_refuted(outcomes):
    from dataclasses import replace

    scene, variants = outcomes[0]
    collision = replace(variants[0].collision, time_s=variants[0].collision.time_s + 0.012)
    late = replace(variants[0], collision=collision)
    assert label_violations(scene, late, rerun(scene, late))


def test_a_label_with_other_objects_is_refuted(outcomes):
    from dataclasses import replace

    scene, (first, second) = outcomes[0]
    swapped = replace(first, collision=replace(first.collision, objects=second.collision.objects))
    assert label_violations(scene, swapped, rerun(scene, swapped))


def test_every_kind_of_scene_can_be_made(outcomes):
    scenarios = {outcome.variant.scenario for _, variants in outcomes for outcome in variants}
    visible = set(SCENARIOS) - {"near_miss", "off_screen", "silence"}
    assert visible <= scenarios


def test_silent_variants_have_no_collision(outcomes):
    silent = [o for _, variants in outcomes for o in variants if o.variant.striking == 0]
    assert silent
    assert all(outcome.record.collisions == () for outcome in silent)


@pytest.mark.parametrize(("split", "scene"), [("test", 31), ("two_hands", 63), ("two_hands", 69)])
def test_nothing_held_bounces_back_in_a_silent_sample(renderer, split, scene):
    """The first draws of these scenes rest an object on a plate, which tips and comes back when all should have settled."""
    made = make_scene(split, scene, SampleFormat(size_hw=(96, 96), only_at_onset=True), renderer)
    assert any(outcome.collision is None for outcome in made.outcomes)
    for outcome in made.outcomes:
        assert label_violations(made.scene, outcome, rerun(made.scene, outcome)) == []


def test_colliders_that_overlap_as_they_part_do_not_collide():
    """In this draw a plate's rim is 6 ms inside a mug's before anything presses."""
    rng = np.random.default_rng([99, 149])
    recipe = draw_recipe(rng)
    request = request_at_level(str(rng.choice(["easy", "medium", "hard"])), recipe)
    scene, head = variants.prepare(rng, recipe, request)
    with pytest.raises(LayoutError, match="did not press"):
        variants.run(rng, recipe, scene, head, 0.08, 0.1)


def test_impulse_of_a_drop_is_the_momentum_it_loses(outcomes):
    """The weaker bound is no rebound, the stronger a full one: J = m v (1 + e) with e in [0, 1]."""
    scene, variants = next(made for made in outcomes if made[1][0].variant.scenario == "drop")
    hit = variants[0].collision
    masses = [scene.layout.items[i].shape.mass for i in hit.objects if i >= 0]
    reduced = 1.0 / sum(1.0 / mass for mass in masses)
    assert 0.7 * reduced * hit.closing_speed <= hit.impulse <= 2.1 * reduced * hit.closing_speed


def test_both_variants_of_a_scene_are_the_same_until_they_fork(outcomes):
    _, (first, second) = outcomes[0]
    for one, other in zip(first.record.states[:2], second.record.states[:2], strict=True):
        assert np.array_equal(one.qpos, other.qpos)
        assert np.array_equal(one.mocap_pos, other.mocap_pos)
    assert first.collision.objects != second.collision.objects


def test_onset_is_audible_within_5_ms_in_every_stored_clean_sound(tiny):
    checked = 0
    for split in SPLITS:
        for path in (tiny / split).glob("*/*/truth.json"):
            collision = read_truth(path.parent).collision
            if collision is None:
                continue
            clean, rate_hz = soundfile.read(path.parent / "clean.flac")
            assert sound_violations(clean, collision.time_s, rate_hz) == []
            assert collision.impulse_ns >= MIN_IMPULSE
            checked += 1
    assert checked >= 8
