"""Ground truth of bags, also of such as were recorded before a field was added."""

from __future__ import annotations

from pathlib import Path

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import get_types_from_msg

from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.message_types import common_typestore
from cs3_ros.replay.reading.bag_inputs import typestore_for
from cs3_ros.replay.reading.ground_truth import read_truth

DEMO_BAG = Path(__file__).resolve().parents[4] / "cs3_ros" / "demo_bag"


def test_the_demos_truth_is_read_by_the_definition_in_its_bag() -> None:
    """Its seven collisions were recorded before `confidence`; each shows two objects or one."""
    with RecordedBag(DEMO_BAG) as bag:
        truth = read_truth(bag, "/ground_truth/collision")
    assert len(truth) == 7
    assert all(len(collision.masks) in (1, 2) for collision in truth)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_the_definition_in_the_bag_comes_before_the_present_one(storage, tmp_path) -> None:
    """An AudioChunk of another layout is read as it was written; without one in the bag, the present one is taken."""
    name, typestore = "cs3_msgs/msg/AudioChunk", common_typestore()
    typestore.register(get_types_from_msg("uint8 loudness\nstring room", name))
    with Writer(tmp_path / "bag", version=9, storage_plugin=storage) as writer:
        connection = writer.add_connection("/audio", name, typestore=typestore)
        data = typestore.serialize_cdr(typestore.types[name](loudness=7, room="kitchen"), name)
        writer.write(connection, 1, data)
    with RecordedBag(tmp_path / "bag") as bag:
        ((_, _, data),) = bag.messages({"/audio"})
        message = typestore_for(bag, ("/audio",)).deserialize_cdr(data, name)
    assert (message.loudness, message.room) == (7, "kitchen")
