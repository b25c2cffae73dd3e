"""Command line: turns any video with sound into a bag of compressed images and audio chunks."""

from __future__ import annotations

import heapq
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from tqdm import tqdm

from cs3_model.command_errors import one_line_errors
from cs3_model.media import END_NS, NS_PER_S, MediaFile, Picture, SoundBlock
from cs3_ros.bags.bag_writer import BagWriter
from cs3_ros.command_line import run_command

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
        messages = _VideoMessages(bag.typestore.types, video, config, zero_ns)
        with tqdm(total=length_s, unit="s", unit_scale=True, leave=False, disable=None) as progress:
            parts: Iterator[Picture | SoundBlock] = heapq.merge(pictures, sound, key=_heard_or_seen_ns)
            for part in parts:
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


class _VideoMessages:
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


_DEFAULTS = VideoToBag()


def command(
    video: Annotated[Path, typer.Argument(help="Any video with sound that FFmpeg can read.")],
    bag: Annotated[Path, typer.Argument(help="Folder to make.")],
    width: Annotated[
        int | None, typer.Option(help="Scale the images to this width, pixels.", show_default="as the video")
    ] = _DEFAULTS.width,
    jpeg_quality: Annotated[int, typer.Option(help="1 to 100.")] = _DEFAULTS.jpeg_quality,
    audio_ms: Annotated[float, typer.Option(help="Length of an audio chunk, milliseconds.")] = _DEFAULTS.audio_ms,
    start_s: Annotated[float, typer.Option("--start", help="Begin here, seconds.")] = _DEFAULTS.start_s,
    duration_s: Annotated[
        float | None, typer.Option("--duration", help="Take this much, seconds.", show_default="all")
    ] = _DEFAULTS.duration_s,
    image_topic: Annotated[str, typer.Option(help="Topic of the images.")] = _DEFAULTS.image_topic,
    audio_topic: Annotated[str, typer.Option(help="Topic of the sound.")] = _DEFAULTS.audio_topic,
    time_zero_s: Annotated[
        float, typer.Option("--time-zero", help="Stamp of the beginning, seconds.")
    ] = _DEFAULTS.time_zero_s,
) -> None:
    """Turn a video with sound into a ROS 2 bag (mcap) of compressed images and audio chunks."""
    with one_line_errors("video_to_bag", status=1, interrupted="stopped, no bag written"):
        config = VideoToBag(
            image_topic=image_topic,
            audio_topic=audio_topic,
            width=width,
            jpeg_quality=jpeg_quality,
            audio_ms=audio_ms,
            start_s=start_s,
            duration_s=duration_s,
            time_zero_s=time_zero_s,
        )
        counts = video_to_bag(video, bag, config)
    typer.echo(f"{bag}: " + ", ".join(f"{count} messages on {topic}" for topic, count in counts.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command(command, argv, name="video_to_bag")


if __name__ == "__main__":
    sys.exit(main())
