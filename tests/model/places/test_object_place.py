"""Places of drawn objects, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.places.calibrated_camera import CalibratedCamera
from cs3_model.places.object_place import PlaceUnknownError, Plane, place_from_depth, place_on_plane
from cs3_model.places.rigid_transform import RigidTransform

FOCAL = 100.0
CAMERA = CalibratedCamera(size_wh=(101, 81), matrix=np.array([[FOCAL, 0, 50], [0, FOCAL, 40], [0, 0, 1]]))
DOWN_BY_1_M = Plane(normal=np.array([0.0, 1.0, 0.0]), offset_m=1.0)
"""A floor 1 m below a camera that looks straight ahead."""


def box_mask(x_min: int, y_min: int, x_max: int, y_max: int) -> np.ndarray:
    mask = np.zeros((81, 101), bool)
    mask[y_min:y_max, x_min:x_max] = True
    return mask


def test_the_place_is_the_middle_of_the_surface_and_the_extent_its_size():
    """21 pixels at 1 m are 0.2 m from the first to the last; without edge and outliers a little less."""
    place = place_from_depth(box_mask(60, 30, 81, 51), np.full((81, 101), 1.0, np.float32), CAMERA)
    np.testing.assert_allclose(place.position_m, [0.2, 0.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(place.extent_m, [0.14, 0.14, 0.0], atol=0.03)
    assert place.valid_share == 1.0 and place.contact_m is None


def test_holes_noise_and_the_background_at_the_edge_do_not_move_it():
    rng = np.random.default_rng(0)
    depth = np.full((81, 101), 3.0, np.float32)
    depth[30:51, 60:81] = 1.0 + 0.003 * rng.standard_normal((21, 21))
    depth[30:51, 79:81] = 2.5  # the mask reaches past the object
    holes = rng.random((81, 101)) < 0.3
    depth[holes] = np.where(rng.random(holes.sum()) < 0.5, 0.0, np.nan)
    mask = box_mask(60, 30, 81, 51)
    place = place_from_depth(mask, depth, CAMERA)
    np.testing.assert_allclose(place.position_m, [0.2, 0.0, 1.0], atol=0.01)
    assert 0.6 < place.valid_share < 0.8


def test_another_frame_is_reached_by_its_transform():
    shifted = RigidTransform.from_quaternion((1.0, 2.0, 3.0), (0, 0, 0, 1))
    depth = np.full((81, 101), 1.0, np.float32)
    place = place_from_depth(box_mask(40, 30, 61, 51), depth, CAMERA, contact_xy=(60.0, 40.0), to_frame=shifted)
    np.testing.assert_allclose(place.position_m, [1.0, 2.0, 4.0], atol=1e-6)
    np.testing.assert_allclose(place.contact_m, [1.1, 2.0, 4.0], atol=1e-6)


def test_a_thin_mask_keeps_its_middle():
    place = place_from_depth(box_mask(20, 39, 80, 42), np.full((81, 101), 2.0, np.float32), CAMERA)
    assert place.position_m[2] == pytest.approx(2.0)


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -1.0])
def test_without_depth_the_place_is_unknown_not_zero(nothing):
    with pytest.raises(PlaceUnknownError, match="only 0 of 169 pixels inside the mask have depth"):
        place_from_depth(box_mask(60, 30, 81, 51), np.full((81, 101), nothing, np.float32), CAMERA)


def test_depth_of_another_size_is_refused_with_what_to_do():
    with pytest.raises(PlaceUnknownError, match="got 101x81, 50x40 and 101x81: use depth that is aligned"):
        place_from_depth(box_mask(60, 30, 81, 51), np.ones((40, 50), np.float32), CAMERA)


def test_the_foot_of_an_object_on_the_floor_is_where_its_lowest_pixels_look():
    """Row 60 is 20 below the centre: it looks 0.2 down per metre, and meets a floor 1 m below at 5 m."""
    place = place_on_plane(box_mask(45, 30, 56, 61), CAMERA, DOWN_BY_1_M)
    np.testing.assert_allclose(place.position_m, [0.0, 1.0, 5.0], atol=1e-6)
    assert place.extent_m is None and place.contact_m is None


@pytest.mark.parametrize(
    ("mask", "plane"),
    [
        (box_mask(45, 0, 56, 30), DOWN_BY_1_M),  # above the horizon
        (box_mask(45, 30, 56, 61), Plane(normal=np.array([0.0, 1.0, 0.0]), offset_m=-1.0)),  # above the camera
        (box_mask(45, 30, 56, 61), Plane(normal=np.array([0.0, 0.0, 1.0]), offset_m=-2.0)),  # behind it
    ],
)
def test_a_plane_that_is_not_in_front_of_the_camera_gives_no_place(mask, plane):
    if plane.offset_m == -1.0:
        mask = box_mask(45, 45, 56, 61)
    with pytest.raises(PlaceUnknownError, match="the plane is not in front of the camera where the mask is"):
        place_on_plane(mask, CAMERA, plane)


def test_a_plane_is_the_same_one_seen_from_another_frame():
    """A table at z = 0.7 of a base, and a camera 1.5 m above the base that looks straight down (its z is -z)."""
    looks_down = RigidTransform.from_quaternion((0.0, 0.0, 1.5), (1.0, 0.0, 0.0, 0.0))
    table = Plane(normal=np.array([0.0, 0.0, 1.0]), offset_m=0.7).seen_from(looks_down)
    np.testing.assert_allclose(table.normal, [0, 0, -1], atol=1e-12)
    assert table.offset_m == pytest.approx(-0.8), "0.8 m in front of it"
    place = place_on_plane(box_mask(45, 35, 56, 46), CAMERA, table, to_frame=looks_down)
    assert place.position_m[2] == pytest.approx(0.7)
