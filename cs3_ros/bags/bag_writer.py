"""Writes ROS 2 bags (mcap) without needing ROS."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer

from cs3_ros.message_types import typestore_with_cs3_msgs

_NO_DEADLINE = QosTime(0, 0)
_RELIABLE = Qos(
    history=QosHistory.KEEP_LAST,
    depth=10,
    reliability=QosReliability.RELIABLE,
    durability=QosDurability.VOLATILE,
    deadline=_NO_DEADLINE,
    lifespan=_NO_DEADLINE,
    liveliness=QosLiveliness.AUTOMATIC,
    liveliness_lease_duration=_NO_DEADLINE,
    avoid_ros_namespace_conventions=False,
)

_LATCHED = _RELIABLE._replace(durability=QosDurability.TRANSIENT_LOCAL)
_LATCHED_TOPICS = ("/tf_static",)  # their subscribers want what was sent before they came


class BagWriter:
    """A new bag folder, complete or not there at all.

    It is written under a hidden name beside its place and moved there when the ``with`` block ends; an exception in
    the block removes it::

        with BagWriter(Path("out/results")) as bag:
            bag.write("/collision", msg, time_ns)

    Use it from one thread.
    """

    def __init__(self, path: Path) -> None:
        """Prepares a bag at `path`.

        Raises:
            ValueError: if something is there already.
        """
        if path.exists():
            raise ValueError(f"{path} exists already: remove it or choose another name for the bag")
        self.typestore = typestore_with_cs3_msgs()
        """Definitions of the messages that `write` takes; make rosbags messages from its ``types``."""
        self._path = path
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> BagWriter:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._workplace = Path(tempfile.mkdtemp(prefix=f".{self._path.name}-", dir=self._path.parent))
        self._writer = Writer(self._workplace / self._path.name, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._writer.close()
                Path(self._writer.path).rename(self._path)
            else:
                self._writer.abort()
        finally:
            shutil.rmtree(self._workplace)

    def write(self, topic: str, msg: Any, time_ns: int) -> None:
        """Appends a message of rclpy or of rosbags.

        Args:
            topic: Absolute topic name; its type is that of its first message.
            msg: A message of the common interfaces or of cs3_msgs.
            time_ns: When it was received, nanoseconds.
        """
        if hasattr(msg, "__msgtype__"):  # rosbags
            self.write_serialized(topic, msg.__msgtype__, self.typestore.serialize_cdr(msg, msg.__msgtype__), time_ns)
        else:
            from rclpy.serialization import serialize_message

            type_name = f"{type(msg).__module__.partition('.')[0]}/msg/{type(msg).__name__}"
            self.write_serialized(topic, type_name, serialize_message(msg), time_ns)

    def write_serialized(self, topic: str, type_name: str, data: bytes | memoryview, time_ns: int) -> None:
        """Appends a message that is serialized already, for instance by a raw subscription.

        Raises:
            ValueError: if the definition of its type is not known, or the topic has another type.
        """
        connection = self._connections.get(topic)
        if connection is None:
            connection = self._connections[topic] = self._connect(topic, type_name)
        if connection.msgtype != type_name:
            raise ValueError(f"topic {topic} has type {connection.msgtype}, cannot write a {type_name} to it")
        self._writer.write(connection, time_ns, data)

    def _connect(self, topic: str, type_name: str) -> Connection:
        if type_name not in self.typestore.types:
            raise ValueError(f"cannot record {topic}: the definition of {type_name} is neither common nor in cs3_msgs")
        qos = _LATCHED if topic in _LATCHED_TOPICS else _RELIABLE
        return self._writer.add_connection(topic, type_name, typestore=self.typestore, offered_qos_profiles=[qos])
