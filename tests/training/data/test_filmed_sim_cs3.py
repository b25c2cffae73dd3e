"""Samples as other cameras film them: the truth goes along, and all pictures of a sample have one camera."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from cs3_model.types import Frame
from training.data import READERS, DataSpec, open_data_set
from training.data.filmed_sim_cs3 import filmed_sample
from training.data.samples import Around, Conditions, Hand, Sample, SceneObject, SoundSegment

SIDE = 128


def mask() -> np.ndarray:
    """A disk in the middle."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return x**2 + y**2 < (0.3 * SIDE) ** 2


def picture() -> np.ndarray:
    """The disk, white on black."""
    return np.where(mask(), 230, 20).astype(np.uint8)[..., None].repeat(3, 2)


def around() -> Around:
    """The same before and after."""
    return Around(before=Frame(image=picture(), stamp_ns=-30), after=Frame(image=picture(), stamp_ns=30))


def objects() -> tuple[SceneObject, ...]:
    """The disk, and something that cannot be seen."""
    hidden = np.zeros((SIDE, SIDE), bool)
    return (
        SceneObject(mask=mask(), is_colliding=True, held_by=Hand.LEFT),
        SceneObject(mask=hidden, is_colliding=True),
    )


def sample(number: int, tmp_path, group: str = "") -> Sample:
    """One that needs no disk."""
    return Sample(
        sample_id=f"val-{number}", data_set="sim_cs3", split="val", load_image=picture, load_around=around,
        load_objects=objects, knows_whole_scene=True, contact_xy=(1.0, 2.0), materials=("metal",),
        sound=SoundSegment(path=tmp_path / "sound.flac", start_s=1.0, stop_s=1.4),
        conditions=Conditions(group=group),
    )  # fmt: skip


def test_the_truth_goes_along_with_the_picture(tmp_path):
    """White where the mask is, in every view that shows enough of both to tell."""
    num_told = 0
    for number in range(40):
        filmed = filmed_sample(sample(number, tmp_path))
        image, (disk, hidden) = filmed.load_image(), filmed.load_objects()
        assert image.shape[:2] == disk.mask.shape and max(image.shape) == 352
        assert not hidden.mask.any() and disk.held_by == Hand.LEFT
        if 0.1 < disk.mask.mean() < 0.9:
            num_told += 1
            light = image.mean(2)
            assert light[disk.mask].mean() > light[~disk.mask].mean() + 20
    assert num_told > 20


def test_all_pictures_of_a_sample_have_one_camera_and_other_noise(tmp_path):
    for number in range(10):
        filmed = filmed_sample(sample(number, tmp_path))
        at, others = filmed.load_image(), filmed.load_around()
        for other in (others.before, others.after):
            assert other.image.shape == at.shape
            assert np.abs(other.image.astype(float) - at).mean() < 12
        assert [others.before.stamp_ns, others.after.stamp_ns] == [-30, 30]
        assert not np.array_equal(others.before.image, others.after.image)


def test_the_camera_is_fixed_by_the_sample_or_its_group(tmp_path):
    first, again, other = (filmed_sample(sample(number, tmp_path)).load_image() for number in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)
    one, two = (filmed_sample(sample(number, tmp_path, group="twins")).load_image() for number in (1, 2))
    assert np.array_equal(one, two)


def test_what_the_view_makes_unknown_is_not_told(tmp_path):
    filmed = filmed_sample(sample(0, tmp_path))
    assert filmed.contact_xy is None and filmed.hands is None and not filmed.knows_whole_scene
    assert filmed.materials == ("metal",) and filmed.sound == sample(0, tmp_path).sound
    assert pickle.loads(pickle.dumps(filmed)).load_image().shape == filmed.load_image().shape


def test_a_slice_of_an_object_is_not_in_view(tmp_path):
    """A single pixel of some thousand."""
    dot = np.zeros((SIDE, SIDE), bool)
    dot[SIDE // 2, SIDE // 2] = True
    plain = sample(3, tmp_path)
    filmed = filmed_sample(replace(plain, load_objects=lambda: (SceneObject(mask=dot, is_colliding=True),)))
    assert not filmed.load_objects()[0].mask.any()


@pytest.mark.slow
def test_a_split_reads_as_filmed(tiny):
    spec = DataSpec(name="filmed_sim_cs3", root=tiny, split="counterfactual")
    filmed, plain = open_data_set(spec).samples, READERS["sim_cs3"].open(tiny, "counterfactual").samples
    assert [item.sample_id for item in filmed] == [item.sample_id for item in plain]
    assert np.array_equal(filmed[0].load_image(), filmed[1].load_image())  # counterfactuals show one picture
    assert len(filmed[0].load_objects()) == len(plain[0].load_objects())
