from __future__ import annotations

import struct

import pytest

from cs3_ros.conversions.audio import (
    SUPPORTED_AUDIO_TYPES,
    AudioFormat,
    audio_adapter,
    audio_chunk_msg,
    block_reader,
)

pytestmark = pytest.mark.ros

ARRIVAL_NS = 9_000_000_000
STAMP_NS = 5_000_000_000
DURATION_NS = 500_000
STEREO_8K = AudioFormat(sample_rate_hz=8000, channels=2, encoding="S16LE")

CHUNK = "cs3_msgs/msg/AudioChunk"
DATA = "audio_common_msgs/msg/AudioData"
DATA_STAMPED = "audio_common_msgs/msg/AudioDataStamped"
STAMPED = "audio_common_msgs/msg/AudioStamped"
FRAME = "audio_utils_msgs/msg/AudioFrame"
RAW = "foxglove_msgs/msg/RawAudio"

START_NS = {
    CHUNK: STAMP_NS,
    DATA: ARRIVAL_NS - DURATION_NS,
    DATA_STAMPED: STAMP_NS,
    STAMPED: STAMP_NS,
    FRAME: STAMP_NS - DURATION_NS,
    RAW: STAMP_NS,
}


def test_samples_and_start_are_read_by_the_convention_of_each_type(audio_type, audio_message):
    block = block_reader(audio_type, assumed_format=STEREO_8K)(audio_message(audio_type), arrival_ns=ARRIVAL_NS)

    assert block.samples.tolist() == [[0.5, -0.5]] * 4
    assert block.sample_rate_hz == 8000
    assert block.stamp_ns == START_NS[audio_type]


def test_every_supported_type_is_tested():
    assert set(START_NS) == set(SUPPORTED_AUDIO_TYPES)


def test_the_stamp_reference_overrides_the_convention(audio_type, audio_message):
    stamp_ns = ARRIVAL_NS if audio_type == DATA else STAMP_NS
    msg = audio_message(audio_type)

    start = block_reader(audio_type, stamp_reference="start", assumed_format=STEREO_8K)(msg, arrival_ns=ARRIVAL_NS)
    end = block_reader(audio_type, stamp_reference="end", assumed_format=STEREO_8K)(msg, arrival_ns=ARRIVAL_NS)

    assert (start.stamp_ns, end.stamp_ns) == (stamp_ns, stamp_ns - DURATION_NS)


def test_the_offset_is_added_to_every_stamp(audio_type, audio_message):
    read = block_reader(audio_type, offset_s=-0.25, assumed_format=STEREO_8K)

    assert read(audio_message(audio_type), arrival_ns=ARRIVAL_NS).stamp_ns == START_NS[audio_type] - 250_000_000


@pytest.mark.parametrize(
    ("flag", "field", "values"),
    [
        (1, "float32_data", [0.5, -0.5]),
        (2, "int32_data", [2**30, -(2**30)]),
        (8, "int16_data", [2**14, -(2**14)]),
        (16, "int8_data", [64, -64]),
        (32, "uint8_data", [192, 64]),
    ],
)
def test_typed_arrays_are_chosen_by_the_portaudio_flag(audio_message, flag, field, values):
    changes = {"audio.info.format": flag, "audio.audio_data.int16_data": [], f"audio.audio_data.{field}": values}

    block = block_reader(STAMPED)(audio_message(STAMPED, changes), arrival_ns=0)

    assert block.samples.tolist() == [[0.5, -0.5]]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("signed_24", b"\0\0\x40\0\0\xc0"),
        ("signed_padded_24", b"\0\0\x40\0\0\0\xc0\0"),
        ("float", struct.pack("<2f", 0.5, -0.5)),
        ("double", struct.pack("<2d", 0.5, -0.5)),
        ("unsigned_16", struct.pack("<2H", 49152, 16384)),
    ],
)
def test_format_names_of_audio_utils_are_understood(audio_message, name, data):
    block = block_reader(FRAME)(audio_message(FRAME, {"format": name, "data": list(data)}), arrival_ns=0)

    assert block.samples.tolist() == [[0.5, -0.5]]


@pytest.mark.parametrize(
    ("audio_type", "changes", "complaint"),
    [
        (CHUNK, {"sample_rate": 0}, "AudioChunk: sample rate must be 4000 to 768000 Hz, got 0"),
        (CHUNK, {"sample_rate": 4_000_000_000}, "AudioChunk: sample rate .* got 4000000000"),
        (CHUNK, {"channels": 0}, "AudioChunk: channels must be 1 to 64, got 0"),
        (CHUNK, {"channels": 3}, "AudioChunk: data must be a positive multiple of 6 bytes"),
        (CHUNK, {"encoding": "MP3"}, "AudioChunk: encoding 'MP3' is not supported; accepted: S16LE, S32LE, F32LE"),
        (CHUNK, {"encoding": ""}, "AudioChunk: encoding '' is not supported"),
        (CHUNK, {"data": [0] * 15}, "AudioChunk: data must be a positive multiple of 4 bytes .* got 15"),
        (CHUNK, {"data": []}, "AudioChunk: data must be .* got 0"),
        (CHUNK, {"header.stamp.sec": 0}, "AudioChunk: the stamp is zero"),
        (CHUNK, {"encoding": "F32LE", "data": [0, 0, 0xC0, 0x7F] * 2}, "AudioChunk: float samples must be finite"),
        (DATA, {"data": [255] * 417}, "AudioData: data must be .* got 417; if audio_capture sends mp3.*format:=wave"),
        (DATA_STAMPED, {"audio.data": [255] * 417}, "AudioDataStamped: data .* got 417.*format:=wave"),
        (DATA_STAMPED, {"header.stamp.sec": 0}, "AudioDataStamped: the stamp is zero"),
        (STAMPED, {"audio.info.rate": 0}, "AudioStamped: sample rate .* got 0"),
        (STAMPED, {"audio.info.channels": -1}, "AudioStamped: channels .* got -1"),
        (
            STAMPED,
            {"audio.info.format": 4},
            "AudioStamped: info.format 4 is no PortAudio format; accepted: .1, 2, 8, 16, 32",
        ),
        (STAMPED, {"audio.info.format": 1}, "AudioStamped: info.format 1 needs float32_data .* got .'int16_data'"),
        (STAMPED, {"audio.audio_data.int8_data": [1]}, "needs int16_data filled and no other, got .*int8_data"),
        (STAMPED, {"audio.audio_data.int16_data": []}, "AudioStamped: info.format 8 needs int16_data .* got no data"),
        (FRAME, {"format": "vorbis"}, "AudioFrame: format 'vorbis' is not supported; accepted: signed_8"),
        (FRAME, {"sampling_frequency": 0}, "AudioFrame: sample rate .* got 0"),
        (FRAME, {"channel_count": 0}, "AudioFrame: channels .* got 0"),
        (RAW, {"format": "opus"}, "RawAudio: format 'opus' is not supported; accepted: pcm-s16"),
        (RAW, {"timestamp.sec": 0}, "RawAudio: the stamp is zero"),
    ],
)
def test_malformed_messages_are_refused_in_one_line(audio_type, changes, complaint, audio_message):
    read = block_reader(audio_type, assumed_format=STEREO_8K)

    with pytest.raises(ValueError, match=complaint) as caught:
        read(audio_message(audio_type, changes), arrival_ns=ARRIVAL_NS)

    assert "\n" not in str(caught.value)


def test_types_without_a_format_need_to_be_told():
    with pytest.raises(ValueError, match="AudioData does not say its sample rate"):
        block_reader(DATA)


def test_an_assumed_mp3_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"'mp3' is not PCM.*format:=wave"):
        AudioFormat(sample_rate_hz=16000, channels=1, encoding="mp3")


def test_an_unknown_stamp_reference_is_refused():
    with pytest.raises(ValueError, match="start, end or auto, got 'middle'"):
        block_reader(CHUNK, stamp_reference="middle")


def test_an_unknown_topic_type_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"std_msgs/msg/String.*accepted: cs3_msgs/msg/AudioChunk"):
        audio_adapter("std_msgs/msg/String")


def test_a_type_whose_package_is_missing_says_what_to_install():
    with pytest.raises(ValueError, match=r"foxglove_msgs .* is not installed.*ros-\$ROS_DISTRO-foxglove-msgs"):
        audio_adapter(RAW)


def test_the_message_class_comes_with_the_adapter():
    message_class, read = audio_adapter(CHUNK)
    chunk = audio_chunk_msg(b"\0\x40\0\xc0", audio_format=STEREO_8K, stamp_ns=7_000_000_001, frame_id="head")

    assert isinstance(chunk, message_class)
    assert (chunk.header.frame_id, chunk.header.stamp.sec, chunk.header.stamp.nanosec) == ("head", 7, 1)
    assert read(chunk, arrival_ns=0).samples.tolist() == [[0.5, -0.5]]
