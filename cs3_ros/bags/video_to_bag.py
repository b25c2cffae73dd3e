"""Command line: turns any video with sound into a bag of compressed images and audio chunks."""

from __future__ import annotations

import argparse
import heapq
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from cs3_model.media import END_NS, NS_PER_S, MediaFile, Picture, SoundBlock
from cs3_ros.bags.bag_writer import BagWriter

IMAGE_FRAME_ID = "camera_optical_frame"
AUDIO_FRAME_ID = "microphone"


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoToBag:
    """How a video becomes a bag.

    Raises:
        ValueError: if a value is out of its range.
    """

    image_topic: str = "/image/compressed"
    """Topic of sensor_msgs/CompressedImage (JPEG)."""
    audio_topic: str = "/audio"
    """Topic of cs3_msgs/AudioChunk, in the rate, channels and precision of the video."""
    width: int | None = None
    """Width of the images, pixels; the height follows. None keeps the video's size."""
    jpeg_quality: int = 90
    """1 to 100."""
    audio_ms: float = 20.0
    """Length of an audio chunk, milliseconds."""
    start_s: float = 0.0
    """Where to begin in the video, seconds."""
    duration_s: float | None = None
    """How much of it to take, seconds; None takes all."""
    time_zero_s: float = 1000.0
    """Stamp of the video's beginning, seconds; above 0, because a zero stamp means no stamp."""

    def __post_init__(self) -> None:
        if self.width is not None and not 16 <= self.width <= 16384:
            raise ValueError(f"width must be 16 to 16384 pixels, got {self.width}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality must be 1 to 100, got {self.jpeg_quality}")
        if not 1.0 <= self.audio_ms <= 10_000.0:
            raise ValueError(f"audio_ms must be 1 to 10000 milliseconds, got {self.audio_ms}")
        if not 0.0 <= self.start_s < math.inf:
            raise ValueError(f"start_s must be 0 or more, got {self.start_s}")
        if self.duration_s is not None and not self.duration_s > 0.0:
            raise ValueError(f"duration_s must be above 0, got {self.duration_s}")
        if not 0.0 < self.time_zero_s < 2**31 - 1:
            raise ValueError(f"time_zero_s must be above 0 and below 2^31, got {self.time_zero_s}")


def video_to_bag(video_path: Path, bag_path: Path, config: VideoToBag) -> dict[str, int]:
    """Writes the bag; stamps are those of the container, shifted by `VideoToBag.time_zero_s`.

    A chunk is logged when its last sample has been heard, as a live driver would publish it, an image at its stamp.

    Returns:
        The number of messages of each topic.

    Raises:
        ValueError: if the video cannot be used, or there is something at `bag_path`; no bag is left then.
    """
    video = MediaFile(video_path, unreadable=f"{video_path} cannot be read as a video")
    start_ns = round(config.start_s * NS_PER_S)
    stop_ns = END_NS if config.duration_s is None else start_ns + round(config.duration_s * NS_PER_S)
    pictures = video.pictures(start_ns, stop_ns)
    sound = video.sound(config.audio_ms / 1e3, start_ns, stop_ns)
    zero_ns = round(config.time_zero_s * NS_PER_S)
    counts = {config.image_topic: 0, config.audio_topic: 0}
    length_s = max(0.0, min(video.duration_s, stop_ns / NS_PER_S) - config.start_s)
    with BagWriter(bag_path) as bag:
        messages = _Messages(bag.typestore.types, video, config, zero_ns)
        with tqdm(total=length_s, unit="s", unit_scale=True, leave=False, disable=None) as progress:
            for part in heapq.merge(pictures, sound, key=_heard_or_seen_ns):
                topic = config.image_topic if isinstance(part, Picture) else config.audio_topic
                bag.write(topic, messages.of(part), zero_ns + _heard_or_seen_ns(part))
                counts[topic] += 1
                progress.update((part.time_ns - start_ns) / NS_PER_S - progress.n)
        if missing := [topic for topic, count in counts.items() if count == 0]:
            raise ValueError(
                f"{video_path} has nothing for {', '.join(missing)} from {config.start_s} s on "
                f"(it is {video.duration_s:.3f} s long)"
            )
    return counts


def _heard_or_seen_ns(part: Picture | SoundBlock) -> int:
    return part.time_ns if isinstance(part, Picture) else part.end_ns


class _Messages:
    """Makes rosbags messages, which need no ROS."""

    def __init__(self, types: Any, video: MediaFile, config: VideoToBag, zero_ns: int) -> None:
        self._types, self._video, self._config, self._zero_ns = types, video, config, zero_ns

    def of(self, part: Picture | SoundBlock) -> Any:
        return self._image(part) if isinstance(part, Picture) else self._chunk(part)

    def _image(self, picture: Picture) -> Any:
        bgr = cv2.cvtColor(picture.image, cv2.COLOR_RGB2BGR)
        height, width = bgr.shape[:2]
        if self._config.width is not None and self._config.width != width:
            new_height = max(1, round(height * self._config.width / width))
            bgr = cv2.resize(bgr, (self._config.width, new_height), interpolation=cv2.INTER_AREA)
        jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, self._config.jpeg_quality))[1]
        header = self._header(picture.time_ns, IMAGE_FRAME_ID)
        return self._types["sensor_msgs/msg/CompressedImage"](header=header, format="jpeg", data=jpeg.reshape(-1))

    def _chunk(self, block: SoundBlock) -> Any:
        return self._types["cs3_msgs/msg/AudioChunk"](
            header=self._header(block.time_ns, AUDIO_FRAME_ID),
            sample_rate=self._video.sample_rate_hz,
            channels=self._video.channels,
            encoding=self._video.encoding,
            data=np.frombuffer(block.data, np.uint8),
        )

    def _header(self, time_ns: int, frame_id: str) -> Any:
        sec, nanosec = divmod(self._zero_ns + time_ns, NS_PER_S)
        stamp = self._types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
        return self._types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = vars(_parser().parse_args(argv))
    video_path, bag_path = options.pop("video"), options.pop("bag")
    try:
        counts = video_to_bag(video_path, bag_path, VideoToBag(**options))
    except (ValueError, OSError) as error:
        print(f"video_to_bag: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("video_to_bag: stopped, no bag written", file=sys.stderr)
        return 130
    print(f"{bag_path}: " + ", ".join(f"{count} messages on {topic}" for topic, count in counts.items()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="video_to_bag",
        description="Turns a video with sound into a ROS 2 bag (mcap) of compressed images and audio chunks.",
        argument_default=argparse.SUPPRESS,  # VideoToBag has the defaults
    )
    parser.add_argument("video", type=Path, help="any video with sound that FFmpeg can read")
    parser.add_argument("bag", type=Path, help="folder to make")
    parser.add_argument("--width", type=int, help="scale the images to this width, pixels (default: as the video)")
    parser.add_argument("--jpeg-quality", type=int, help="1 to 100 (default 90)")
    parser.add_argument("--audio-ms", type=float, help="length of an audio chunk, milliseconds (default 20)")
    parser.add_argument("--start", dest="start_s", type=float, help="begin here, seconds (default 0)")
    parser.add_argument("--duration", dest="duration_s", type=float, help="take this much, seconds (default all)")
    parser.add_argument("--image-topic", help="default /image/compressed")
    parser.add_argument("--audio-topic", help="default /audio")
    parser.add_argument("--time-zero", dest="time_zero_s", type=float, help="stamp of the beginning (default 1000 s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
