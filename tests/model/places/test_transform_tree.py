"""Transforms between the frames of a robot, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cs3_model.places.rigid_transform import RigidTransform
from cs3_model.places.transform_tree import TransformNotYetError, TransformTree, TransformUnknownError

QUARTER_TURN_Z = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))
NO_TURN = (0.0, 0.0, 0.0, 1.0)


def moved(x: float, y: float = 0.0, z: float = 0.0, quaternion=NO_TURN) -> RigidTransform:
    return RigidTransform.from_quaternion((x, y, z), quaternion)


def test_a_point_is_turned_and_then_moved():
    np.testing.assert_allclose(moved(1, 0, 0, QUARTER_TURN_Z).apply([1, 0, 0]), [1, 1, 0], atol=1e-12)


def test_a_transform_and_its_inverse_cancel():
    there = moved(1, 2, 3, QUARTER_TURN_Z)
    np.testing.assert_allclose(there.inverse().after(there).apply([4, 5, 6]), [4, 5, 6], atol=1e-12)


def test_a_chain_leads_from_the_camera_to_the_base_and_back():
    tree = TransformTree()
    tree.add_static("base", "head", moved(0, 0, 1.5))
    tree.add_static("head", "camera", moved(0.1, 0, 0, QUARTER_TURN_Z))
    np.testing.assert_allclose(tree.lookup("base", "camera", stamp_ns=7).apply([1, 0, 0]), [0.1, 1, 1.5], atol=1e-12)
    np.testing.assert_allclose(tree.lookup("camera", "base", stamp_ns=7).apply([0.1, 1, 1.5]), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(tree.lookup("head", "head", stamp_ns=7).apply([1, 2, 3]), [1, 2, 3])


def test_between_two_branches_the_way_leads_over_their_common_ancestor():
    tree = TransformTree()
    tree.add_static("map", "robot", moved(10))
    tree.add_static("robot", "left", moved(0, 1))
    tree.add_static("robot", "right", moved(0, -1))
    np.testing.assert_allclose(tree.lookup("left", "right", stamp_ns=0).apply([0, 0, 0]), [0, -2, 0], atol=1e-12)


def test_between_two_stamps_the_transform_is_interpolated():
    tree = TransformTree()
    tree.add("base", "camera", moved(0), stamp_ns=0)
    tree.add("base", "camera", moved(2, 0, 0, QUARTER_TURN_Z), stamp_ns=100)
    found = tree.lookup("base", "camera", stamp_ns=50)
    np.testing.assert_allclose(found.translation_m, [1, 0, 0])
    half = np.sqrt(0.5)
    np.testing.assert_allclose(found.rotation.apply([1, 0, 0]), [half, half, 0], atol=1e-12)


def test_a_transform_that_comes_late_is_sorted_in():
    tree = TransformTree()
    for stamp_ns, x in ((0, 0.0), (200, 2.0), (100, 5.0)):
        tree.add("base", "camera", moved(x), stamp_ns=stamp_ns)
    np.testing.assert_allclose(tree.lookup("base", "camera", stamp_ns=150).translation_m, [3.5, 0, 0])


def test_what_is_not_known_yet_is_told_from_what_will_never_be():
    tree = TransformTree()
    tree.add("base", "camera", moved(0), stamp_ns=10**9)
    with pytest.raises(TransformNotYetError, match=r"from camera to base is known only up to 0.50 s before the image"):
        tree.lookup("base", "camera", stamp_ns=1_500_000_000)
    with pytest.raises(TransformUnknownError, match=r"begins 0.90 s after the image") as caught:
        tree.lookup("base", "camera", stamp_ns=10**8)
    assert not isinstance(caught.value, TransformNotYetError)


def test_a_loop_is_named_and_does_not_hang():
    tree = TransformTree()
    for parent, child in (("a", "b"), ("b", "c"), ("c", "a")):
        tree.add_static(parent, child, moved(1))
    with pytest.raises(TransformUnknownError, match="form a loop: a -> c -> b -> a"):
        tree.lookup("a", "b", stamp_ns=0)


def test_frames_without_a_connection_are_named():
    tree = TransformTree()
    tree.add_static("map", "robot", moved(1))
    tree.add_static("table", "cup", moved(1))
    with pytest.raises(TransformNotYetError, match="nobody has told of moon"):
        tree.lookup("moon", "robot", stamp_ns=0)
    with pytest.raises(TransformUnknownError, match="separate trees"):
        tree.lookup("map", "cup", stamp_ns=0)


def test_history_is_bounded_and_a_clock_that_jumps_back_starts_anew():
    tree = TransformTree(span_s=1e-6, max_per_frame=5)
    for stamp_ns in range(10_000):
        tree.add("base", "camera", moved(stamp_ns), stamp_ns=stamp_ns)
    with pytest.raises(TransformUnknownError):
        tree.lookup("base", "camera", stamp_ns=9_994)
    tree.add("base", "camera", moved(1), stamp_ns=3)
    np.testing.assert_allclose(tree.lookup("base", "camera", stamp_ns=3).translation_m, [1, 0, 0])


@pytest.mark.parametrize(("parent", "child"), [("a", "a"), ("", "a"), ("a", ""), ("/a", "a")])
def test_a_frame_needs_another_one_as_its_parent(parent, child):
    with pytest.raises(ValueError, match="must connect two frames"):
        TransformTree().add_static(parent, child, moved(1))


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 0), (0, 0, 0, 2), (np.nan, 0, 0, 1)])
def test_quaternions_that_turn_nothing_are_refused(quaternion):
    with pytest.raises(ValueError, match="transform must"):
        RigidTransform.from_quaternion((0, 0, 0), quaternion)
