"""Rows that are told where the objects are."""

from __future__ import annotations

import numpy as np

from cs3_model.types import Frame, Verdict
from tests.training.drawn_world import drawn_sample
from training.data.samples import SceneObject
from training.data.sound_windows import read_window
from training.evaluation.baselines.told import Told, segment_told
from training.evaluation.row import LoadedSample


class FilledBoxes:
    """Answers with the box itself, and a point with the 3 x 3 pixels around it."""

    name, trained = "filled boxes", True

    def embed(self, image):
        return image.shape[:2]

    def segment(self, embedding, boxes_xyxy):
        masks = np.zeros((len(boxes_xyxy), *embedding), bool)
        for mask, (left, top, right, bottom) in zip(masks, boxes_xyxy.astype(int), strict=True):
            mask[top:bottom, left:right] = True
        return masks, np.ones(len(masks), np.float32)

    def segment_points(self, embedding, points_xy):
        return self.segment(embedding, np.concatenate([points_xy - 1, points_xy + 2], 1))


def rectangle(left, top, right, bottom):
    mask = np.zeros((64, 96), bool)
    mask[top:bottom, left:right] = True
    return mask


def scene(tmp_path, *objects) -> LoadedSample:
    sample = drawn_sample(tmp_path, 0, "high")
    return LoadedSample(
        sample=sample, frame=Frame(image=sample.load_image()), window=read_window(sample.sound), objects=objects
    )


def test_told_boxes_are_segmented_each_once(tmp_path) -> None:
    masks = rectangle(4, 4, 20, 10), rectangle(40, 30, 60, 50)
    objects = [SceneObject(mask=mask, is_colliding=True) for mask in masks]
    result = segment_told(FilledBoxes(), Told.BOXES, scene(tmp_path, *objects))
    assert result.verdict is Verdict.TWO_OBJECTS
    assert all((found.mask == mask).all() for found, mask in zip(result.masks, masks, strict=True))


def test_a_told_point_is_the_middle_of_the_object(tmp_path) -> None:
    item = SceneObject(mask=rectangle(10, 10, 21, 21), is_colliding=True)
    (found,) = segment_told(FilledBoxes(), Told.POINTS, scene(tmp_path, item)).masks
    assert (found.mask == rectangle(14, 14, 17, 17)).all()


def test_of_alternatives_the_one_that_is_segmented_best_is_answered(tmp_path) -> None:
    """Two corners of a box fill little of it; the alternative fills its box."""
    corners = rectangle(0, 0, 4, 4) | rectangle(60, 50, 64, 54)
    item = SceneObject(mask=corners, alternatives=(rectangle(30, 30, 40, 40),), is_colliding=True)
    (found,) = segment_told(FilledBoxes(), Told.BOXES, scene(tmp_path, item)).masks
    assert (found.mask == rectangle(30, 30, 40, 40)).all()


def test_nothing_is_told_of_what_does_not_collide(tmp_path) -> None:
    item = SceneObject(mask=rectangle(0, 0, 9, 9), is_colliding=False)
    assert segment_told(FilledBoxes(), Told.BOXES, scene(tmp_path, item)).verdict is Verdict.NONE
