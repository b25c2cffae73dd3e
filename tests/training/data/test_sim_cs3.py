"""A data set of the world reads as the common sample type, and its counterfactuals are some."""

from __future__ import annotations

import numpy as np
import pytest

from training.data import DataSpec, open_data_set
from training.data.samples import SampleError
from training.data.sim_cs3 import read_sample
from training.evaluation.counterfactual import check_counterfactuals
from training.simulation.dataset.storage import read_truth, sample_folder
from training.simulation.objects.materials import HELD_OUT_PAIRS


@pytest.mark.slow
def test_one_or_two_objects_collide_where_there_is_a_collision(tiny):
    for sample in open_data_set(DataSpec(name="sim_cs3", root=tiny, split="train")).samples:
        colliding = [item for item in sample.load_objects() if item.is_colliding]
        expected = (0,) if sample.conditions.scenario in ("near_miss", "off_screen", "silence") else (1, 2)
        assert len(colliding) in expected
        assert sorted({item.material for item in colliding}) == list(sample.materials) or len(colliding) == 1


def test_masks_of_a_sample_do_not_overlap(tiny):
    sample = open_data_set(DataSpec(name="sim_cs3", root=tiny, split="train")).samples[0]
    assert np.sum([item.mask for item in sample.load_objects()], axis=0).max() == 1


def test_the_contact_is_where_a_colliding_object_is(tiny):
    for sample in open_data_set(DataSpec(name="sim_cs3", root=tiny, split="counterfactual")).samples:
        union = np.any([item.mask for item in sample.load_objects() if item.is_colliding], axis=0)
        rows, columns = np.nonzero(union)
        x, y = sample.contact_xy
        assert np.hypot(columns - x, rows - y).min() < 0.1 * union.shape[0]


def test_the_pictures_around_are_those_before_and_after_with_their_times(tiny):
    folder = sample_folder(tiny, "counterfactual", 0)
    truth, around = read_truth(folder), read_sample(folder).load_around()
    times_ns = [round((time_s - truth.frame_times_s[1]) * 1e9) for time_s in truth.frame_times_s]
    assert [around.before.stamp_ns, around.after.stamp_ns] == pytest.approx([times_ns[0], times_ns[2]], abs=1)
    assert not np.array_equal(around.before.image, around.after.image)


def test_looking_alone_answers_half_of_the_counterfactuals(tiny):
    check = check_counterfactuals(open_data_set(DataSpec(name="sim_cs3", root=tiny, split="counterfactual")).samples)
    assert check.problems == ()
    assert check.exact_by_looking == 0.5


def test_both_counterfactuals_show_the_same_bytes(tiny):
    pictures = [sample_folder(tiny, "counterfactual", index) / "frame1.jpg" for index in (0, 1)]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_materials_of_counterfactuals_differ(tiny):
    first, second = (read_truth(sample_folder(tiny, "counterfactual", index)) for index in (0, 1))
    assert first.collision.materials != second.collision.materials


def test_twins_are_of_one_class_and_different_materials(tiny):
    truths = [read_truth(sample_folder(tiny, "twins", index)) for index in (0, 1)]
    struck = []
    for truth in truths:
        objects = {item.id: item for item in truth.objects}
        (twin,) = [objects[number] for number in truth.collision.ids if not objects[number].held_by]
        struck.append(twin)
    assert struck[0].category == struck[1].category
    assert struck[0].material != struck[1].material


def test_training_has_no_held_out_pair_of_materials(tiny):
    for sample in open_data_set(DataSpec(name="sim_cs3", root=tiny, split="train")).samples:
        assert frozenset(sample.materials) not in HELD_OUT_PAIRS


def test_the_held_out_test_has_held_out_pairs(tiny):
    samples = open_data_set(DataSpec(name="sim_cs3", root=tiny, split="held_out")).samples
    assert any(frozenset(sample.materials) in HELD_OUT_PAIRS for sample in samples)


def test_a_broken_truth_file_is_named(tmp_path):
    (tmp_path / "truth.json").write_text("{", encoding="utf-8")
    with pytest.raises(SampleError, match=r"truth.json is no truth file"):
        read_sample(tmp_path)


def test_an_unknown_split_is_refused_with_the_choices(tiny):
    with pytest.raises(ValueError, match="must be one of train, val"):
        open_data_set(DataSpec(name="sim_cs3", root=tiny, split="tset"))
