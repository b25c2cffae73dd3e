"""Quality of service of every topic in this package (REP-2003), overridable by parameters.

Subscriptions are reliable where all publishers are, otherwise best effort, so that they match any publisher and lose
nothing that need not be lost: by default Fast DDS drops most raw 720p images of a best-effort subscription.
Publications are reliable, so that any subscription matches them. Users change both with ``qos_overrides.<topic>.<subscription|publisher>.<policy>``.
"""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rosbags.interfaces import Qos, QosDurability, QosReliability

_LEASE_S = 0.6
"""Shorter leases run out on machines that are very busy."""
_REQUESTS = 200


def sensor_subscription(depth: int) -> QoSProfile:
    """Returns the profile of a sensor's subscription, to be made once its publishers are there."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_AVAILABLE,
        durability=DurabilityPolicy.VOLATILE,
    )


def publication(depth: int = 10) -> QoSProfile:
    """Returns the profile of a publisher."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
    )


def heartbeat() -> QoSProfile:
    """Returns the profile of a topic that says nothing but whether its publisher lives; it keeps its one message for all.

    The middleware asserts it from a thread of its own, so a node that computes is alive, and one that was killed is
    noticed after the lease; without one that takes as long as a participant is remembered, 20 s.
    """
    profile = publication(1)
    profile.durability = DurabilityPolicy.TRANSIENT_LOCAL
    profile.liveliness = LivelinessPolicy.AUTOMATIC
    profile.liveliness_lease_duration = Duration(seconds=_LEASE_S)
    return profile


def requests() -> QoSProfile:
    """Returns the profile of a service that many call at once; by default the eleventh that waits is lost unanswered."""
    return publication(_REQUESTS)


def overridable() -> QoSOverridingOptions:
    """Returns the option that lets parameters override history, depth, reliability and durability."""
    return QoSOverridingOptions(
        [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY]
    )


def recorded_offer(profiles: Sequence[Qos]) -> QoSProfile:
    """Returns the profile under which to replay a topic, from the profiles that its publishers offered in the bag.

    Where they differed, or the bag does not say, it is reliable and volatile, which most subscriptions can match.
    """
    offers = {(profile.reliability, profile.durability) for profile in profiles}
    if len(offers) != 1:
        return publication()
    reliability, durability = offers.pop()
    offer = publication(max(10, *(profile.depth for profile in profiles)))
    if reliability is QosReliability.BEST_EFFORT:
        offer.reliability = ReliabilityPolicy.BEST_EFFORT
    if durability is QosDurability.TRANSIENT_LOCAL:
        offer.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return offer
