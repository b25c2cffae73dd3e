"""Own recordings with drawn objects."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.training.conftest import number_of_picture
from training.data import DataSpec, open_data_set
from training.data.samples import Hand, SampleError

SQUARE = [[2, 2], [9, 2], [9, 9], [2, 9]]
HOLE = [[4, 4], [6, 4], [6, 6], [4, 6]]
DOT = [[5, 5], [5, 5], [5, 5]]


@pytest.fixture
def write(tmp_path, make_video):
    """Returns a function that labels a collision at 0.4 s of a clip and opens the folder."""
    make_video(tmp_path / "a.mkv", seconds=1.0, click_s=[0.4])

    def label(objects, **fields):
        entry = {"clip": "a.mkv", "onset_s": 0.4, "objects": objects, **fields}
        (tmp_path / "objects.json").write_text(json.dumps({"collisions": [entry]}))
        return open_data_set(DataSpec.parse(f"recordings:{tmp_path}"))

    return label


def named(*alternatives):
    return {"name": "cup", "alternatives": list(alternatives)}


def test_picture_and_sound_are_those_of_the_onset(write) -> None:
    (sample,) = write([named([SQUARE])]).samples
    assert number_of_picture(sample.load_image()) == 10
    assert (sample.sound.start_s, sample.sound.stop_s) == (0.4, 0.8)
    assert sample.load_around().after.stamp_ns == pytest.approx(80_000_000, abs=1_000_000)


def test_outlines_are_joined_cut_out_and_joined_again(write) -> None:
    """A filled polygon has its corners: 8 x 8 pixels, without 3 x 3, and one of these again."""
    (sample,) = write([named([SQUARE, "-", HOLE, "+", DOT]), named([SQUARE], [HOLE])]).samples
    cup, either = sample.load_objects()
    assert cup.mask.sum() == 64 - 9 + 1 and cup.mask[5, 5] and not cup.mask[4, 4] and cup.alternatives == ()
    assert cup.is_colliding and cup.category == "cup"
    assert either.mask.sum() == 64 and [mask.sum() for mask in either.alternatives] == [9]


def test_an_object_may_be_said_to_be_in_a_hand(write) -> None:
    (sample,) = write([named([SQUARE]) | {"held": "left"}, named([HOLE])]).samples
    assert [item.held_by for item in sample.load_objects()] == [Hand.LEFT, Hand.NONE]


def test_each_collision_in_ten_framings_shows_the_same_objects(write, tmp_path) -> None:
    (whole,) = write([named([SQUARE], [HOLE]) | {"held": "left"}]).samples
    framed = open_data_set(DataSpec.parse(f"recordings:{tmp_path}:framed")).samples
    assert len({sample.sample_id for sample in framed}) == 10
    assert {(sample.conditions.framing_of, sample.sound) for sample in framed} == {(whole.sample_id, whole.sound)}
    image, (cup,), after = whole.load_image(), whole.load_objects(), whole.load_around().after.image
    np.testing.assert_array_equal(framed[0].load_image(), image)
    np.testing.assert_array_equal(framed[1].load_image(), image[:, ::-1])
    np.testing.assert_array_equal(framed[1].load_around().after.image, after[:, ::-1])
    (mirrored,) = framed[1].load_objects()
    np.testing.assert_array_equal(mirrored.mask, cup.mask[:, ::-1])
    np.testing.assert_array_equal(mirrored.alternatives[0], cup.alternatives[0][:, ::-1])
    assert (cup.held_by, mirrored.held_by) == (Hand.LEFT, Hand.RIGHT)
    height, width = image.shape[:2]
    top, left = round(0.05 * height), round(0.05 * width)
    np.testing.assert_array_equal(framed[6].load_image(), image[top:, left:])
    np.testing.assert_array_equal(framed[6].load_objects()[0].mask, cup.mask[top:, left:])


def test_a_clip_that_is_not_there_is_listed(write) -> None:
    assert write([named([SQUARE])], clip="gone.mp4").missing == ("clip gone.mp4",)


def test_an_outline_outside_the_picture_is_refused_when_read(write) -> None:
    (sample,) = write([named([(np.array(SQUARE) + 10_000).tolist()])]).samples
    with pytest.raises(SampleError, match=r"collisions\[0\]: 'cup': an alternative has no pixel"):
        sample.load_objects()


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([], "one or two objects collide, got 0"),
        ([named()], "'cup' has no outline"),
        ([named([])], "an alternative has no polygon"),
        ([named([[[1, 2], [3, 4]]])], r"a polygon must be three or more points \[x, y\], got"),
        ([{"name": "cup"}], "no 'alternatives'"),
        ([named([SQUARE]) | {"held": "third"}], "'cup': held must be left or right, got 'third'"),
    ],
)
def test_labels_of_another_form_are_refused_with_their_place(objects, message, write) -> None:
    with pytest.raises(ValueError, match=rf"objects.json: collisions\[0\]: .*{message}"):
        write(objects)


def test_a_folder_without_labels_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"objects.json does not exist: it should hold the collisions"):
        open_data_set(DataSpec.parse(f"recordings:{tmp_path}"))
