"""Run by test_locating_with_tf: a locator on a real graph with /tf and /tf_static, in an environment with tf2_msgs.

Standard output: [frame, source, x, y, z, reason] of the one place.
"""

from __future__ import annotations

import json

from cs3_msgs.msg import CollisionPlaces
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy

from cs3_ros.locating.node import LocatorNode
from cs3_ros.message_types import message_class
from cs3_ros.qos import publication
from tests.ros.conftest import Graph
from tests.ros.locating.test_locating import STAMP_NS, camera_info, collision, depth_image, stamped

HALF_S_NS = 500_000_000


def main() -> None:
    """The camera is 1.5 m above the base, which moves 2 m along x in the second around the image."""
    graph = Graph()
    tf_message = message_class("tf2_msgs/msg/TFMessage")
    latched = publication(1)
    latched.durability = DurabilityPolicy.TRANSIENT_LOCAL
    static = graph.node.create_publisher(tf_message, "/tf_static", latched)
    static.publish(tf_message(transforms=[stamped("base", "camera", (0.0, 0.0, 1.5), 0)]))
    parameters = [Parameter("frame", value="map"), Parameter("patience_s", value=30.0)]
    locator = LocatorNode(context=graph.context, parameter_overrides=parameters)
    graph._executor.add_node(locator)
    answers: list[CollisionPlaces] = []
    graph.node.create_subscription(CollisionPlaces, "/locator/places", answers.append, publication())
    moving = graph.node.create_publisher(tf_message, "/tf", 10)
    sent = [
        ("/camera_info", camera_info()),
        ("/depth", depth_image()),
        ("/perception/collision", collision()),
    ]
    for topic, message in sent:
        publisher = graph.node.create_publisher(type(message), topic, 10)
        graph.wait_for(publisher.get_subscription_count, topic)
        publisher.publish(message)
    graph.wait_for(moving.get_subscription_count, "/tf")
    for x, stamp_ns in ((0.0, STAMP_NS - HALF_S_NS), (2.0, STAMP_NS + HALF_S_NS)):  # later than the collision
        moving.publish(tf_message(transforms=[stamped("map", "base", (x, 0.0, 0.0), stamp_ns)]))
    graph.wait_for(lambda: answers, "the places")
    (place,) = answers[0].places
    at = place.position
    print(json.dumps([answers[0].header.frame_id, place.source, at.x, at.y, at.z, place.reason]))
    locator.destroy_node()
    graph.close()


if __name__ == "__main__":
    main()
