"""Whether those who publish a topic mean the same by its message as this program."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rclpy.type_hash import TypeHash


class DefinitionCheck:
    """Compares definitions by the hash that the graph has of each endpoint's type (REP-2011).

    Fast DDS, as Kilted has it, does not connect endpoints whose types have one name and other fields: a listener hears
    nothing, and nobody says why. Where a middleware connects them, what comes is garbage.

    Args:
        node: Subscribes to the topic.
        topic: Full name.
    """

    def __init__(self, node: Node, topic: str) -> None:
        self._node, self._topic = node, topic

    def differs(self, sender: bytes | None) -> bool:
        """Whether a publisher of the topic has another definition; None asks for any of them."""
        return any(sender is None or bytes(info.endpoint_gid) == sender for info in self._others()[0])

    def complaint(self) -> str:
        """One line where there are publishers and all of them have another definition; empty otherwise."""
        others, num_publishers = self._others()
        if not others or len(others) < num_publishers:
            return ""
        theirs, own = others[0].topic_type_hash, self._own()
        return (
            f"{self._topic} is published by another definition of {others[0].topic_type} ({_short(theirs)}) "
            f"than that of this program ({_short(own)}): build cs3_msgs of one version for both"
        )

    def _others(self) -> tuple[list[TopicEndpointInfo], int]:
        """The publishers that have another definition, and the number of all."""
        own, publishers = self._own(), self._node.get_publishers_info_by_topic(self._topic)
        if not _is_known(own):
            return [], len(publishers)
        others = [info for info in publishers if _is_known(info.topic_type_hash) and info.topic_type_hash != own]
        return others, len(publishers)

    def _own(self) -> TypeHash | None:
        listeners = self._node.get_subscriptions_info_by_topic(self._topic)
        return next((info.topic_type_hash for info in listeners if info.node_name == self._node.get_name()), None)


def _is_known(type_hash: object) -> bool:
    """Not every middleware tells it."""
    return type_hash is not None and str(type_hash) != "INVALID"


def _short(type_hash: object) -> str:
    """Enough of it to tell two apart."""
    return str(type_hash)[:15]
