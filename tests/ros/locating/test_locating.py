"""The node locator on a real graph: where the objects of a collision are, or why nobody knows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision, CollisionMask, CollisionPlaces, ObjectPlace
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from cs3_model.places.rigid_transform import RigidTransform
from cs3_ros.conversions.depth import camera_from_msg
from cs3_ros.conversions.images import mask_to_image
from cs3_ros.conversions.times import ns_to_stamp
from cs3_ros.locating.depth_buffer import DepthBuffer
from cs3_ros.locating.locator import Locator, LocatorConfig, PlaceNotYetError
from cs3_ros.locating.node import LocatorNode
from cs3_ros.qos import publication

pytestmark = pytest.mark.ros

SIZE_HW = (81, 101)
STAMP_NS = 5_000_000_000
FOCAL = 100.0
BOX_XYXY = (60, 30, 81, 51)
"""Its middle pixel, (70, 40), looks 0.2 m to the right at 1 m."""


def header(frame: str = "camera", stamp_ns: int = STAMP_NS) -> Header:
    return Header(stamp=ns_to_stamp(stamp_ns), frame_id=frame)


def collision(role: int = CollisionMask.ROLE_AUDIO_VISUAL) -> Collision:
    mask = np.zeros(SIZE_HW, bool)
    x_min, y_min, x_max, y_max = BOX_XYXY
    mask[y_min:y_max, x_min:x_max] = True
    found = CollisionMask(role=role, score=0.5, box=[float(edge) for edge in BOX_XYXY], reason="heard")
    found.mask = mask_to_image(mask, header())
    return Collision(
        header=header(),
        onset=ns_to_stamp(STAMP_NS),
        verdict=Collision.VERDICT_ONE_OBJECT,
        reason="single_mask",
        masks=[found],
    )


def camera_info() -> CameraInfo:
    height, width = SIZE_HW
    k = [FOCAL, 0.0, 50.0, 0.0, FOCAL, 40.0, 0.0, 0.0, 1.0]
    return CameraInfo(header=header(), width=width, height=height, k=k, distortion_model="plumb_bob", d=[0.0] * 5)


def depth_image(metres: float = 1.0, frame: str = "camera", stamp_ns: int = STAMP_NS, size_hw=SIZE_HW) -> Image:
    pixels = np.full(size_hw, round(1000 * metres), "<u2")
    height, width = size_hw
    head = header(frame, stamp_ns)
    return Image(header=head, height=height, width=width, encoding="16UC1", step=2 * width, data=pixels.tobytes())


def stamped(parent: str, child: str, xyz: tuple[float, float, float], stamp_ns: int, turn=(0.0, 0.0, 0.0, 1.0)):
    x, y, z = xyz
    move = Transform(translation=Vector3(x=x, y=y, z=z))
    move.rotation = Quaternion(x=turn[0], y=turn[1], z=turn[2], w=turn[3])
    return TransformStamped(header=header(parent, stamp_ns), child_frame_id=child, transform=move)


@pytest.fixture
def make_locator(graph):
    """Returns a function that puts a locator on the graph: parameters in, the list of its answers out."""
    nodes = []

    def make(**parameters):
        overrides = [Parameter(name, value=value) for name, value in {"patience_s": 0.3, **parameters}.items()]
        node = LocatorNode(context=graph.context, parameter_overrides=overrides)
        nodes.append(node)
        graph._executor.add_node(node)
        answers: list[CollisionPlaces] = []
        graph.node.create_subscription(CollisionPlaces, "/locator/places", answers.append, publication())
        graph.wait_for(lambda: graph.node.count_publishers("/locator/places") == 1, "the locator")
        return node, answers

    yield make
    for node in nodes:
        node.destroy_node()


def send(graph, topic: str, message) -> None:
    publisher = graph.node.create_publisher(type(message), topic, 10)
    graph.wait_for(publisher.get_subscription_count, f"a subscription of {topic}")
    publisher.publish(message)


def test_with_depth_and_calibration_each_mask_has_a_place(graph, make_locator):
    _, answers = make_locator()
    send(graph, "/camera_info", camera_info())
    send(graph, "/perception/collision", collision())  # depth comes late
    send(graph, "/depth", depth_image())
    graph.wait_for(lambda: answers, "the places")
    (place,) = answers[0].places
    assert (answers[0].header.frame_id, place.source, place.reason) == ("camera", ObjectPlace.SOURCE_DEPTH, "")
    found = (place.position.x, place.position.y, place.position.z)
    np.testing.assert_allclose(found, [0.2, 0.0, 1.0], atol=1e-6)
    assert place.has_extent and not place.has_contact_point and place.valid_share == 1.0


def test_without_depth_the_answer_says_so_after_a_while(graph, make_locator):
    _, answers = make_locator()
    send(graph, "/camera_info", camera_info())
    send(graph, "/perception/collision", collision())
    graph.wait_for(lambda: answers, "the answer")
    (place,) = answers[0].places
    assert (place.source, place.reason) == (ObjectPlace.SOURCE_NONE, "no depth image has come")


def test_where_too_many_wait_the_oldest_are_answered_with_what_is_there(graph, make_locator):
    _, answers = make_locator(patience_s=600.0)
    publisher = graph.node.create_publisher(Collision, "/perception/collision", 20)
    graph.wait_for(publisher.get_subscription_count, "the locator's subscription")
    for number in range(1, 19):
        waiting = collision()
        waiting.onset = ns_to_stamp(number)
        publisher.publish(waiting)
        graph.spin_once()
    graph.wait_for(lambda: len(answers) == 2, "the answers to the two that are too many")
    assert [answer.onset.nanosec for answer in answers] == [1, 2]
    assert all("no camera_info has come" in answer.places[0].reason for answer in answers)


def test_bad_calibrations_and_collisions_do_not_end_the_node(graph, make_locator):
    _, answers = make_locator()
    bad = camera_info()
    bad.k = [0.0] * 9
    send(graph, "/camera_info", bad)
    broken = collision()
    broken.masks[0].mask.step = 3
    send(graph, "/perception/collision", broken)
    send(graph, "/perception/collision", collision())
    graph.wait_for(lambda: answers, "the answer to the second")
    assert "no camera_info has come" in answers[0].places[0].reason


# --- the locator itself ---


def locator(**config) -> Locator:
    made = Locator(LocatorConfig(**config))
    made.camera = camera_from_msg(camera_info())
    return made


def only_place(made: Locator, role: int = CollisionMask.ROLE_AUDIO_VISUAL) -> ObjectPlace:
    (place,) = made.locate(collision(role), is_last_try=True).places
    return place


@pytest.mark.parametrize(
    ("depth", "reason"),
    [
        (depth_image(0.0), "only 0 of 169 pixels inside the mask have depth"),
        (depth_image(frame="depth_camera"), "in the frame 'depth_camera', the image in 'camera': use depth"),
        (depth_image(size_hw=(40, 50)), "must have one size"),
        (depth_image(stamp_ns=STAMP_NS + 10**9), "the nearest depth image lies 1.00 s from the image"),
    ],
)
def test_depth_that_cannot_be_used_is_named(depth, reason):
    made = locator()
    made.depths.push(depth)
    place = only_place(made)
    assert place.source == ObjectPlace.SOURCE_NONE and reason in place.reason


def test_a_late_transform_is_waited_for_and_interpolated(graph, make_locator):
    node, _ = make_locator(frame="base")
    made = node._locator
    made.camera = locator().camera
    made.depths.push(depth_image())
    with pytest.raises(PlaceNotYetError, match="nobody has told of base and camera"):
        made.locate(collision(), is_last_try=False)
    node.take_transforms(SimpleNamespace(transforms=[stamped("base", "camera", (0.0, 0.0, 0.0), STAMP_NS - 10**8)]))
    with pytest.raises(PlaceNotYetError, match=r"known only up to 0.10 s before the image"):
        made.locate(collision(), is_last_try=False)
    node.take_transforms(SimpleNamespace(transforms=[stamped("base", "camera", (1.0, 0.0, 0.0), STAMP_NS + 10**8)]))
    place = only_place(made)
    assert place.position.x == pytest.approx(0.7), "0.2 m to the right of a camera that is halfway to 1 m"


def test_an_object_on_a_table_is_found_without_depth_and_a_held_one_is_not(graph, make_locator):
    node, _ = make_locator(frame="base", plane_frame="base", plane_height_m=0.7)
    made = node._locator
    made.camera = locator().camera
    looks_down = stamped("base", "camera", (0.0, 0.0, 1.5), 0, turn=(1.0, 0.0, 0.0, 0.0))
    node.take_static_transforms(SimpleNamespace(transforms=[looks_down]))
    place = only_place(made)
    assert place.source == ObjectPlace.SOURCE_PLANE and not place.has_extent
    assert place.position.z == pytest.approx(0.7)
    held = only_place(made, CollisionMask.ROLE_RIGHT_HAND)
    assert held.source == ObjectPlace.SOURCE_NONE
    assert held.reason == "it is held, so the plane says nothing of it, and no depth image has come"


def test_transforms_in_a_loop_are_named():
    made = locator(frame="base")
    made.depths.push(depth_image())
    for parent, child in (("camera", "base"), ("base", "camera")):
        made.transforms.add_static(parent, child, RigidTransform.identity())
    assert "form a loop" in only_place(made).reason


def test_the_depth_buffer_is_bounded_and_starts_anew_when_the_clock_jumps_back():
    one = depth_image()
    buffer = DepthBuffer(max_bytes=2 * len(one.data))
    for number in range(1000):
        buffer.push(depth_image(stamp_ns=number * 33_000_000))
    assert len(buffer._messages) == 2
    buffer.push(depth_image(stamp_ns=7))
    assert buffer.nearest(10**12).header.stamp.nanosec == 7 and len(buffer._messages) == 1


@pytest.mark.parametrize("config", [{"plane_height_m": float("nan")}, {"max_depth_offset_s": -1.0}])
def test_what_is_no_room_is_refused(config):
    with pytest.raises(ValueError, match="must be"):
        LocatorConfig(**config)
