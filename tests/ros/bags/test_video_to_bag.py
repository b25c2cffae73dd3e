from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from cs3_ros.bags.video_to_bag import VideoToBag, main, video_to_bag

ZERO_NS = 1000 * 10**9
MS = 10**6
ROOT = Path(__file__).resolve().parents[3]


def read(path: Path) -> list[tuple[str, int, int, object]]:
    """Topic, log time, stamp and message of all messages, as they lie in the bag."""
    with AnyReader([path]) as bag:
        messages = []
        for connection, time_ns, data in bag.messages():
            msg = bag.deserialize(data, connection.msgtype)
            messages.append((connection.topic, time_ns, msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec, msg))
        return messages


@pytest.fixture
def small_video(make_video) -> Path:
    samples = np.arange(800)[:, None] * np.array([1, -1])
    return make_video("v.mkv", {0: 50, 33: 120, 90: 200}, {0: samples})


def test_images_and_chunks_carry_the_times_of_the_video(small_video, tmp_path):
    """Pictures at 0, 33 and 90 ms, logged then; chunks of 20 ms, logged when they have ended."""
    counts = video_to_bag(small_video, tmp_path / "bag", VideoToBag())
    messages = read(tmp_path / "bag")

    assert counts == {"/image/compressed": 3, "/audio": 5}
    times_ms = [
        (topic, (time_ns - ZERO_NS) / MS, (stamp_ns - ZERO_NS) / MS) for topic, time_ns, stamp_ns, _ in messages
    ]
    assert times_ms == [
        ("/image/compressed", 0, 0),
        ("/audio", 20, 0),
        ("/image/compressed", 33, 33),
        ("/audio", 40, 20),
        ("/audio", 60, 40),
        ("/audio", 80, 60),
        ("/image/compressed", 90, 90),
        ("/audio", 100, 80),
    ]


def test_chunks_describe_the_very_samples_of_the_video(small_video, tmp_path):
    video_to_bag(small_video, tmp_path / "bag", VideoToBag(audio_ms=30))
    chunks = [msg for topic, _, _, msg in read(tmp_path / "bag") if topic == "/audio"]

    assert {(c.sample_rate, c.channels, c.encoding, c.header.frame_id) for c in chunks} == {
        (8000, 2, "S16LE", "microphone")
    }
    samples = np.concatenate([np.frombuffer(chunk.data.tobytes(), "<i2") for chunk in chunks]).reshape(-1, 2)
    assert samples.tolist() == [[value, -value] for value in range(800)]


def test_images_are_jpegs_of_the_chosen_width(small_video, tmp_path):
    video_to_bag(small_video, tmp_path / "bag", VideoToBag(width=32, image_topic="/cam"))
    images = [msg for topic, _, _, msg in read(tmp_path / "bag") if topic == "/cam"]

    assert {(image.format, image.header.frame_id) for image in images} == {("jpeg", "camera_optical_frame")}
    pictures = [cv2.imdecode(image.data, cv2.IMREAD_COLOR) for image in images]
    assert [picture.shape for picture in pictures] == [(24, 32, 3)] * 3
    assert [int(picture.mean()) for picture in pictures] == pytest.approx([50, 120, 200], abs=4)


def test_colours_are_not_swapped(tmp_path, make_video):
    path = make_video("grey.mkv", {0: 0}, {0: np.zeros((800, 1))})
    red = tmp_path / "red.mkv"
    with av.open(str(path)) as source, av.open(str(red), "w") as target:
        video = target.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = target.add_stream_from_template(source.streams.audio[0])
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (220, 20, 20), np.uint8), format="rgb24")
        target.mux(video.encode(frame))
        target.mux(video.encode(None))
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = audio
                target.mux(packet)

    video_to_bag(red, tmp_path / "bag", VideoToBag())

    image = next(msg for topic, _, _, msg in read(tmp_path / "bag") if topic == "/image/compressed")
    blue, green, red_value = cv2.imdecode(image.data, cv2.IMREAD_COLOR).mean(axis=(0, 1))
    assert (red_value > 190, green < 50, blue < 50) == (True, True, True)


def test_a_span_keeps_the_stamps_that_it_has_in_the_whole(small_video, tmp_path):
    video_to_bag(small_video, tmp_path / "bag", VideoToBag(start_s=0.03, duration_s=0.04, time_zero_s=5))

    assert [(topic, stamp_ns / MS - 5000) for topic, _, stamp_ns, _ in read(tmp_path / "bag")] == [
        ("/image/compressed", 33),
        ("/audio", 30),
        ("/audio", 50),
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--start", "60"], "v.mkv has nothing for /image/compressed, /audio from 60.0 s on"),
        (["--width", "3"], "width must be 16 to 16384 pixels, got 3"),
        (["--jpeg-quality", "0"], "jpeg_quality must be 1 to 100, got 0"),
        (["--audio-ms", "0"], "audio_ms must be 1 to 10000 milliseconds, got 0.0"),
        (["--start", "-1"], "start_s must be 0 or more, got -1.0"),
        (["--duration", "nan"], "duration_s must be above 0, got nan"),
        (["--time-zero", "0"], "time_zero_s must be above 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_no_bag(small_video, tmp_path, capsys, arguments, complaint):
    assert main([str(small_video), str(tmp_path / "bag"), *arguments]) == 1

    message = capsys.readouterr().err
    assert complaint in message
    assert message.startswith("video_to_bag: ")
    assert message.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["v.mkv"]


def test_a_video_without_sound_is_refused(make_video, tmp_path, capsys):
    silent = make_video("silent.mkv", {0: 0, 40: 0}, None)

    assert main([str(silent), str(tmp_path / "bag")]) == 1
    assert capsys.readouterr().err.endswith("has no sound that can be decoded: collisions are found by their sound\n")


def test_a_video_without_its_index_is_refused(make_video, tmp_path, capsys):
    """A recording that broke off: the index of a mov file is at its end."""
    video = make_video("cut.mov", {0: 0, 40: 0}, {0: np.zeros((800, 1))})
    video.write_bytes(video.read_bytes()[:-2000])

    assert main([str(video), str(tmp_path / "bag")]) == 1
    assert "cut.mov cannot be read as a video: Invalid data" in capsys.readouterr().err
    assert not (tmp_path / "bag").exists()


def test_the_command_needs_no_ros(small_video, tmp_path):
    """In a Python that cannot import rclpy or any message package."""
    code = (
        "import sys\n"
        "for name in ('rclpy', 'sensor_msgs', 'builtin_interfaces', 'cs3_msgs'): sys.modules[name] = None\n"
        "from cs3_ros.bags.video_to_bag import main\n"
        f"sys.exit(main([{str(small_video)!r}, {str(tmp_path / 'bag')!r}]))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "AMENT_PREFIX_PATH"}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("bag: 3 messages on /image/compressed, 5 messages on /audio\n")


def test_the_real_clip_becomes_a_bag_with_all_its_pictures_and_samples(shared_data, tmp_path):
    clip = shared_data("real/chopping.mp4")
    video_to_bag(clip, tmp_path / "bag", VideoToBag(width=320))
    messages = read(tmp_path / "bag")

    images_ns = [stamp_ns - ZERO_NS for topic, _, stamp_ns, _ in messages if topic == "/image/compressed"]
    assert images_ns == [round(index * 1001 / 30000 * 1e9) for index in range(241)]
    with av.open(str(clip)) as container:
        num_samples = sum(frame.samples for frame in container.decode(audio=0))
    chunks = [(stamp_ns - ZERO_NS, msg.data.size // 8) for topic, _, stamp_ns, msg in messages if topic == "/audio"]
    assert chunks == [
        (882 * index * 10**9 // 44100, min(882, num_samples - 882 * index)) for index in range(len(chunks))
    ]
    assert sum(size for _, size in chunks) == num_samples
    times_ns = [time_ns for _, time_ns, _, _ in messages]
    assert times_ns == sorted(times_ns)
