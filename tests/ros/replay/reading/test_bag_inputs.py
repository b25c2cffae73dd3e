"""What is heard and seen of a bag: topics, types, definitions, clocks."""

from __future__ import annotations

import numpy as np
import pytest
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from cs3_model.frame_ring import StoredFrame
from cs3_model.types import AudioBlock
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.default_parameters import default_values
from cs3_ros.perception.parameters import override_values
from cs3_ros.replay.reading.bag_inputs import BagInputs, choose_topics
from tests.ros.conftest import FOREIGN_PACKAGES
from tests.ros.replay.recordings import BLOCK_S, FPS, NS, RATE_HZ, ZERO_S, picture, write_recording

pytestmark = pytest.mark.ros


def definitions(vendor: str) -> dict[str, str]:
    return {
        f"{package}/msg/{name}": text
        for package, messages in FOREIGN_PACKAGES[vendor].items()
        if package != "vision_msgs"
        for name, text in messages.items()
    }


def raw_audio(make, header, block):
    return {
        "timestamp": header.stamp,
        "data": block.view(np.uint8),
        "format": "pcm-s16",
        "sample_rate": RATE_HZ,
        "number_of_channels": 1,
    }


def audio_frame(make, header, block):
    """Stamped at its end."""
    end_ns = header.stamp.sec * NS + header.stamp.nanosec + len(block) * NS // RATE_HZ
    header.stamp.sec, header.stamp.nanosec = divmod(end_ns, NS)
    fields = {"format": "signed_16", "channel_count": 1, "sampling_frequency": RATE_HZ}
    return {"header": header, **fields, "frame_sample_count": len(block), "data": block.view(np.uint8)}


def audio_stamped(make, header, block):
    empty = {"float32_data": "f4", "int32_data": "i4", "int8_data": "i1", "uint8_data": "u1"}
    data = make.types["audio_common_msgs/msg/AudioData"](
        **{name: np.zeros(0, kind) for name, kind in empty.items()}, int16_data=block
    )
    info = make.types["audio_common_msgs/msg/AudioInfo"](format=8, channels=1, rate=RATE_HZ, chunk=len(block))
    return {"header": header, "audio": make.types["audio_common_msgs/msg/Audio"](audio_data=data, info=info)}


def audio_data(make, header, block):
    return {"data": block.view(np.uint8)}


def audio_data_stamped(make, header, block):
    data = make.types["audio_common_msgs/msg/AudioData"](data=block.view(np.uint8))
    return {"header": header, "audio": data}


FOREIGN = [
    ("audio_common_msgs/msg/AudioData", "ros_drivers", audio_data),
    ("audio_common_msgs/msg/AudioDataStamped", "ros_drivers", audio_data_stamped),
    ("audio_common_msgs/msg/AudioStamped", "mgonzs13", audio_stamped),
    ("audio_utils_msgs/msg/AudioFrame", "ros_drivers", audio_frame),
    ("foxglove_msgs/msg/RawAudio", "ros_drivers", raw_audio),
]


def items(path, **overrides) -> list:
    with RecordedBag(path) as bag:
        inputs = BagInputs(bag, choose_topics(bag), override_values(default_values(), overrides))
        found = [item for _, item in inputs.read()]
        assert not inputs.refused
        return found


@pytest.mark.parametrize(("audio_type", "vendor", "fields"), FOREIGN)
def test_every_audio_type_is_heard_without_its_package(tmp_path, audio_type, vendor, fields) -> None:
    path = write_recording(
        tmp_path / "bag",
        seconds=0.5,
        onsets_s=(),
        audio_type=audio_type,
        audio_definitions=definitions(vendor),
        audio_fields=fields,
    )
    blocks = [item for item in items(path, assumed_sample_rate=RATE_HZ) if isinstance(item, AudioBlock)]
    expected = [
        item
        for item in items(write_recording(tmp_path / "own", seconds=0.5, onsets_s=()))
        if isinstance(item, AudioBlock)
    ]
    assert len(blocks) == 25
    for block, own in zip(blocks, expected, strict=True):
        assert (block.stamp_ns, block.sample_rate_hz) == (own.stamp_ns, RATE_HZ)
        np.testing.assert_array_equal(block.samples, own.samples)


@pytest.mark.parametrize("raw_images", [False, True])
def test_frames_come_undecoded_with_their_stamps(tmp_path, raw_images) -> None:
    path = write_recording(tmp_path / "bag", seconds=0.5, raw_images=raw_images)
    frames = [item for item in items(path) if isinstance(item, StoredFrame)]
    assert [frame.stamp_ns for frame in frames] == [ZERO_S * NS + number * NS // FPS for number in range(10)]
    np.testing.assert_array_equal(frames[0].decode().image, picture())


def test_messages_that_the_node_would_refuse_are_counted_and_left_out(tmp_path) -> None:
    def sometimes_broken(make, header, block):
        fields = make.audio_chunk(make, header, block)
        return {**fields, "encoding": "mp3"} if header.stamp.nanosec >= NS // 4 else fields

    path = write_recording(tmp_path / "bag", seconds=0.5, audio_fields=sometimes_broken)
    with RecordedBag(path) as bag:
        inputs = BagInputs(bag, choose_topics(bag), default_values())
        assert sum(isinstance(item, AudioBlock) for _, item in inputs.read()) == 13
        ((reason, count),) = inputs.refused.items()
    assert count == 12 and reason.startswith("/audio: AudioChunk: encoding 'mp3' is not supported")


def string_message(topic: str) -> tuple:
    return (0.0, topic, "std_msgs/msg/String", {"data": "hello"})


def second_image(make_header=None) -> tuple:
    from tests.ros.replay.recordings import _Maker, typestore_with_cs3_msgs

    make = _Maker(typestore_with_cs3_msgs())
    topic, kind, fields = make.raw(make.header(0.0, "camera"))
    return 0.0, topic, kind, fields


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"audio_type": "std_msgs/msg/UInt8MultiArray"}, {}, None),
        ({"extra": [second_image()]}, {}, r"2 image topics \(/image, /image/compressed\): choose one with --image"),
        (
            {"extra": [string_message("/note")]},
            {"audio": "/note"},
            "/note has the type std_msgs/msg/String; audio can be",
        ),
        ({}, {"audio": "/mic"}, "no messages on /mic; it has /audio"),
    ],
)
def test_topics_that_cannot_be_chosen_are_named(tmp_path, changes, arguments, message) -> None:
    if message is None:  # a type of sound that nobody reads
        layout = "std_msgs/msg/MultiArrayLayout"

        def array(make, header, block):
            return {"layout": make.types[layout](dim=[], data_offset=0), "data": block.view(np.uint8)}

        changes, message = {**changes, "audio_fields": array}, "no audio topic that can be read; it has /audio"
    path = write_recording(tmp_path / "bag", seconds=0.2, **changes)
    with RecordedBag(path) as bag, pytest.raises(ValueError, match=message):
        choose_topics(bag, **arguments)


def test_a_named_topic_settles_which_of_two_is_taken(tmp_path) -> None:
    path = write_recording(tmp_path / "bag", seconds=0.2, extra=[second_image()])
    with RecordedBag(path) as bag:
        assert choose_topics(bag, image="image").image == "/image"


def test_a_type_without_format_needs_the_parameters(tmp_path) -> None:
    path = write_recording(
        tmp_path / "bag",
        seconds=0.2,
        audio_type="audio_common_msgs/msg/AudioData",
        audio_definitions=definitions("ros_drivers"),
        audio_fields=audio_data,
    )
    with pytest.raises(ValueError, match="set them as parameters: --param assumed_sample_rate"):
        items(path)


def test_missing_definitions_are_named_with_a_remedy(tmp_path) -> None:
    path = write_recording(
        tmp_path / "bag",
        seconds=0.2,
        audio_type="foxglove_msgs/msg/RawAudio",
        audio_definitions=definitions("ros_drivers"),
        audio_fields=raw_audio,
    )
    with RecordedBag(path) as bag:
        bag.topics["/audio"].definition = MessageDefinition(MessageDefinitionFormat.NONE, "")  # as before ROS 2 Iron
        with pytest.raises(ValueError, match="RawAudio is neither in the bag nor installed: source the workspace"):
            BagInputs(bag, choose_topics(bag), default_values())


def test_blocks_follow_each_other(tmp_path) -> None:
    blocks = [item for item in items(write_recording(tmp_path / "bag", seconds=0.5)) if isinstance(item, AudioBlock)]
    assert np.diff([block.stamp_ns for block in blocks]).tolist() == [round(BLOCK_S * NS)] * 24
