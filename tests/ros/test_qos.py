from __future__ import annotations

import pytest
import rclpy
from rclpy.qos import DurabilityPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from std_msgs.msg import String

from cs3_ros.qos import overridable, publication, recorded_offer, sensor_subscription

pytestmark = pytest.mark.ros


def recorded(reliability: QosReliability, durability: QosDurability = QosDurability.VOLATILE, depth: int = 5) -> Qos:
    none = QosTime(0, 0)
    return Qos(QosHistory.KEEP_LAST, depth, reliability, durability, none, none, QosLiveliness.AUTOMATIC, none, False)


@pytest.mark.parametrize("reliability", [ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT])
def test_subscriptions_match_every_publisher_and_publishers_every_subscription(reliability):
    other = QoSProfile(depth=1, reliability=reliability)

    assert qos_check_compatible(other, sensor_subscription(1))[0] != QoSCompatibility.ERROR
    assert qos_check_compatible(publication(), other)[0] != QoSCompatibility.ERROR


def test_the_profile_can_be_overridden_by_a_parameter():
    context = rclpy.Context()
    override = "qos_overrides./chatter.subscription.reliability:=reliable"
    rclpy.init(args=["--ros-args", "-p", override], context=context)
    try:
        node = rclpy.create_node("overridden", context=context)
        node.create_subscription(String, "chatter", print, sensor_subscription(3), qos_overriding_options=overridable())
        (info,) = node.get_subscriptions_info_by_topic("/chatter")
        assert info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
    finally:
        context.shutdown()


@pytest.mark.parametrize(
    ("profiles", "reliability", "durability", "depth"),
    [
        ([], ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10),
        ([recorded(QosReliability.BEST_EFFORT)], ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, 10),
        (
            [recorded(QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, 50)],
            ReliabilityPolicy.RELIABLE,
            DurabilityPolicy.TRANSIENT_LOCAL,
            50,
        ),
        (
            [recorded(QosReliability.RELIABLE), recorded(QosReliability.BEST_EFFORT)],
            ReliabilityPolicy.RELIABLE,
            DurabilityPolicy.VOLATILE,
            10,
        ),
        ([recorded(QosReliability.UNKNOWN)], ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10),
    ],
    ids=["not recorded", "best effort", "latched", "publishers differ", "unknown"],
)
def test_a_replay_offers_what_was_offered(profiles, reliability, durability, depth):
    offer = recorded_offer(profiles)

    assert (offer.reliability, offer.durability, offer.depth) == (reliability, durability, depth)
