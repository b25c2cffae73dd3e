from __future__ import annotations

from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader

from cs3_ros.bags.bag_writer import BagWriter

pytestmark = pytest.mark.ros


def read(path: Path) -> list[tuple[str, int, object]]:
    with AnyReader([path]) as bag:
        return [
            (connection.topic, time_ns, bag.deserialize(data, connection.msgtype))
            for connection, time_ns, data in bag.messages()
        ]


def test_messages_of_rclpy_and_of_rosbags_are_read_back(tmp_path):
    from cs3_msgs.msg import Collision, CollisionMask
    from sensor_msgs.msg import Image

    mask = Image(height=1, width=2, step=2, encoding="mono8", data=[255, 0])
    collision = Collision(reason="closest_pair", masks=[CollisionMask(role=4, mask=mask)])
    with BagWriter(tmp_path / "deep" / "bag") as bag:
        bag.write("/collision", collision, 20)
        bag.write("/note", bag.typestore.types["std_msgs/msg/String"](data="hello"), 10)

    (first_topic, first_ns, note), (second_topic, second_ns, got) = read(tmp_path / "deep" / "bag")
    assert (first_topic, first_ns, note.data) == ("/note", 10, "hello")
    assert (second_topic, second_ns, got.reason) == ("/collision", 20, "closest_pair")
    assert (got.masks[0].role, got.masks[0].mask.data.tolist()) == (4, [255, 0])


def test_serialized_messages_are_kept_byte_by_byte(tmp_path):
    from rclpy.serialization import serialize_message
    from std_msgs.msg import String

    data = serialize_message(String(data="raw"))
    with BagWriter(tmp_path / "bag") as bag:
        bag.write_serialized("/note", "std_msgs/msg/String", data, 1)

    assert read(tmp_path / "bag")[0][2].data == "raw"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_bag_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(error), BagWriter(tmp_path / "bag") as bag:
        bag.write("/note", bag.typestore.types["std_msgs/msg/String"](data="x"), 1)
        raise error

    assert list(tmp_path.iterdir()) == []


def test_the_bag_is_not_there_before_it_is_complete(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/note", bag.typestore.types["std_msgs/msg/String"](data="x"), 1)
        assert not (tmp_path / "bag").exists()

    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == ["bag.mcap", "metadata.yaml"]
    assert [path.name for path in tmp_path.iterdir()] == ["bag"]


def test_an_existing_bag_is_not_overwritten(tmp_path):
    (tmp_path / "bag").mkdir()

    with pytest.raises(ValueError, match="exists already: remove it or choose another name"):
        BagWriter(tmp_path / "bag")


def test_unknown_types_and_second_types_of_a_topic_are_refused(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        bag.write_serialized("/note", "std_msgs/msg/String", b"\0\1\0\0\1\0\0\0\0", 1)
        with pytest.raises(ValueError, match="cannot record /x: the definition of a_msgs/msg/B"):
            bag.write_serialized("/x", "a_msgs/msg/B", b"", 1)
        with pytest.raises(ValueError, match="/note has type std_msgs/msg/String, cannot write a std_msgs/msg/Empty"):
            bag.write_serialized("/note", "std_msgs/msg/Empty", b"", 1)
