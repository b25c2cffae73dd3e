"""Command line: turns a clip of the simulated world into a bag with camera, microphone and ground truth.

Reads the folder that ``python -m training.simulation clip`` writes; needs neither the world's simulator nor ROS.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import soundfile
import typer

from cs3_model.command_errors import one_line_errors
from cs3_model.types import Reason, Role, Verdict
from cs3_ros.bags.bag_writer import BagWriter
from cs3_ros.bags.simulated_clip import SimulatedClip, SimulatedImpact, read_simulated_clip
from cs3_ros.bags.video_to_bag import AUDIO_FRAME_ID, IMAGE_FRAME_ID
from cs3_ros.command_line import run_command

_NS_PER_S = 1_000_000_000
_HEAD_FRAME_ID = "head"
_HAND_ROLES = {"left": Role.LEFT_HAND, "right": Role.RIGHT_HAND}


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipToBag:
    """How a clip becomes a bag.

    Raises:
        ValueError: if a value is out of its range.
    """

    image_topic: str = "/image/compressed"
    """Topic of sensor_msgs/CompressedImage (JPEG)."""
    camera_info_topic: str = "/camera_info"
    """Topic of sensor_msgs/CameraInfo, one for each image."""
    audio_topic: str = "/audio"
    """Topic of cs3_msgs/AudioChunk."""
    truth_topic: str = "/ground_truth/collision"
    """Topic of cs3_msgs/Collision with the true masks."""
    audio_ms: float = 20.0
    """Length of an audio chunk, milliseconds."""
    time_zero_s: float = 1000.0
    """Stamp of the clip's beginning, seconds; above 0, because a zero stamp means no stamp."""

    def __post_init__(self) -> None:
        if not 1.0 <= self.audio_ms <= 10_000.0:
            raise ValueError(f"audio_ms must be 1 to 10000 milliseconds, got {self.audio_ms}")
        if not 0.0 < self.time_zero_s < 2**31 - 1:
            raise ValueError(f"time_zero_s must be above 0 and below 2^31, got {self.time_zero_s}")


def clip_to_bag(clip: Path, bag_path: Path, config: ClipToBag) -> dict[str, int]:
    """Writes the bag.

    Returns:
        The number of messages of each topic.

    Raises:
        ValueError: if `clip` is no clip, or there is something at `bag_path`; no bag is left then.
    """
    truth = read_simulated_clip(clip)
    counts: dict[str, int] = {}
    with BagWriter(bag_path) as bag:
        messages = _ClipMessages(bag.typestore.types, clip, truth, config)
        for time_ns, topic, msg in sorted(messages.all(), key=lambda entry: entry[0]):
            bag.write(topic, msg, time_ns)
            counts[topic] = counts.get(topic, 0) + 1
    return counts


class _ClipMessages:
    """Makes rosbags messages, which need no ROS."""

    def __init__(self, types: Any, folder: Path, clip: SimulatedClip, config: ClipToBag) -> None:
        self._types, self._folder, self._clip, self._config = types, folder, clip, config
        self._zero_ns = round(config.time_zero_s * _NS_PER_S)

    def all(self) -> Iterator[tuple[int, str, Any]]:
        """Yields the time of reception, the topic and the message of everything in the clip."""
        yield self._zero_ns, "/tf_static", self._transforms()
        for number in range(self._clip.num_frames):
            time_ns = self._frame_ns(number)
            data = self._read(f"frames/{number:06d}.jpg")
            image = self._types["sensor_msgs/msg/CompressedImage"](
                header=self._header(time_ns, IMAGE_FRAME_ID), format="jpeg", data=data
            )
            yield time_ns, self._config.image_topic, image
            yield time_ns, self._config.camera_info_topic, self._camera_info(time_ns)
        yield from self._audio()
        for number, impact in enumerate(self._clip.impacts):
            onset_ns = self._zero_ns + round(impact.time_s * _NS_PER_S)
            yield onset_ns, self._config.truth_topic, self._collision(number, impact, onset_ns)
        for time_s in self._clip.off_screen_s:
            onset_ns = self._zero_ns + round(time_s * _NS_PER_S)
            yield onset_ns, self._config.truth_topic, self._off_screen(time_s, onset_ns)

    def _frame_ns(self, number: int) -> int:
        return self._zero_ns + round(number / self._clip.fps * _NS_PER_S)

    def _read(self, name: str) -> np.ndarray:
        try:
            return np.frombuffer((self._folder / name).read_bytes(), np.uint8)
        except OSError as error:
            raise ValueError(f"the clip is not whole: {error}") from error

    def _audio(self) -> Iterator[tuple[int, str, Any]]:
        samples, rate_hz = soundfile.read(self._folder / "sound.flac", dtype="int16")
        size = max(round(self._config.audio_ms * 1e-3 * rate_hz), 1)
        for start in range(0, len(samples), size):
            block = np.ascontiguousarray(samples[start : start + size]).astype("<i2")
            start_ns = self._zero_ns + round(start / rate_hz * _NS_PER_S)
            end_ns = self._zero_ns + round((start + len(block)) / rate_hz * _NS_PER_S)
            chunk = self._types["cs3_msgs/msg/AudioChunk"](
                header=self._header(start_ns, AUDIO_FRAME_ID),
                sample_rate=rate_hz,
                channels=1,
                encoding="S16LE",
                data=block.view(np.uint8),
            )
            yield end_ns, self._config.audio_topic, chunk

    def _camera_info(self, time_ns: int) -> Any:
        camera = self._clip.camera
        focal, (cx, cy), (height, width) = camera.focal_px, camera.centre_xy, camera.size_hw
        return self._types["sensor_msgs/msg/CameraInfo"](
            header=self._header(time_ns, IMAGE_FRAME_ID),
            height=height,
            width=width,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=np.array([focal, 0, cx, 0, focal, cy, 0, 0, 1.0]),
            r=np.eye(3).ravel(),
            p=np.array([focal, 0, cx, 0, 0, focal, cy, 0, 0, 0, 1.0, 0]),
            binning_x=0,
            binning_y=0,
            roi=self._types["sensor_msgs/msg/RegionOfInterest"](
                x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
            ),
        )

    def _transforms(self) -> Any:
        """Camera and microphone sit in the head: the optical frame looks along its x axis (REP 103)."""
        half = 0.5
        optical = self._transform(IMAGE_FRAME_ID, (-half, half, -half, half))
        microphone = self._transform(AUDIO_FRAME_ID, (0.0, 0.0, 0.0, 1.0))
        return self._types["tf2_msgs/msg/TFMessage"](transforms=[optical, microphone])

    def _transform(self, child: str, xyzw: tuple[float, float, float, float]) -> Any:
        types = self._types
        x, y, z, w = xyzw
        return types["geometry_msgs/msg/TransformStamped"](
            header=self._header(self._zero_ns, _HEAD_FRAME_ID),
            child_frame_id=child,
            transform=types["geometry_msgs/msg/Transform"](
                translation=types["geometry_msgs/msg/Vector3"](x=0.0, y=0.0, z=0.0),
                rotation=types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w),
            ),
        )

    def _collision(self, number: int, impact: SimulatedImpact, onset_ns: int) -> Any:
        header = self._header(self._frame_ns(impact.frame), IMAGE_FRAME_ID)
        ids = cv2.imdecode(self._read(f"ids{number:03d}.png"), cv2.IMREAD_UNCHANGED)
        if ids is None:
            raise ValueError(f"the clip is not whole: ids{number:03d}.png is no picture")
        names = self._clip.names
        masks = {identity: np.equal(ids, identity) for identity in impact.ids}
        visible = [identity for identity in impact.ids if masks[identity].any()]
        return self._truth(
            header,
            onset_ns,
            f"{' and '.join(names[i] for i in impact.ids)}, {1e3 * impact.impulse_ns:.1f} mN s",
            [
                self._mask(masks[identity], names[identity], impact.side_of.get(identity), impact.contact_xy, header)
                for identity in visible
            ],
        )

    def _off_screen(self, time_s: float, onset_ns: int) -> Any:
        nearest = min(round(time_s * self._clip.fps), self._clip.num_frames - 1)
        return self._truth(self._header(self._frame_ns(nearest), IMAGE_FRAME_ID), onset_ns, "out of the picture", [])

    def _truth(self, header: Any, onset_ns: int, detail: str, masks: list[Any]) -> Any:
        return self._types["cs3_msgs/msg/Collision"](
            header=header,
            onset=self._stamp(onset_ns),
            onset_strength=0.0,
            verdict=int((Verdict.NONE, Verdict.ONE_OBJECT, Verdict.TWO_OBJECTS)[len(masks)]),
            reason=(Reason.GROUND_TRUTH if masks else Reason.NOT_IN_VIEW).value,
            detail=detail,
            confidence=1.0,
            masks=masks,
            rejected=[],
            stage_names=[],
            stage_ms=np.zeros(0, np.float32),
            latency_ms=0.0,
            preset="ground_truth",
            models=["simulated world"],
            trained=True,
        )

    def _mask(self, mask: np.ndarray, name: str, side: str | None, contact_xy: tuple[float, float], header: Any) -> Any:
        types = self._types
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        empty = types["sensor_msgs/msg/Image"](
            header=header, height=0, width=0, encoding="", is_bigendian=0, step=0, data=np.zeros(0, np.uint8)
        )
        png = cv2.imencode(".png", mask.astype(np.uint8) * 255)[1].reshape(-1)
        return types["cs3_msgs/msg/CollisionMask"](
            role=_HAND_ROLES[side].value if side else Role.AUDIO_VISUAL.value,
            score=1.0,
            box=np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32),
            has_contact_point=True,
            contact_point=np.array(contact_xy, np.float32),
            reason=f"truth: {name}",
            mask=empty,
            mask_compressed=types["sensor_msgs/msg/CompressedImage"](header=header, format="png", data=png),
        )

    def _stamp(self, time_ns: int) -> Any:
        sec, nanosec = divmod(time_ns, _NS_PER_S)
        return self._types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)

    def _header(self, time_ns: int, frame_id: str) -> Any:
        return self._types["std_msgs/msg/Header"](stamp=self._stamp(time_ns), frame_id=frame_id)


_DEFAULTS = ClipToBag()


def command(
    clip: Annotated[Path, typer.Argument(help="Folder written by python -m training.simulation clip.")],
    bag: Annotated[Path, typer.Argument(help="Folder to make.")],
    audio_ms: Annotated[float, typer.Option(help="Length of an audio chunk, milliseconds.")] = _DEFAULTS.audio_ms,
    time_zero_s: Annotated[
        float, typer.Option("--time-zero", help="Stamp of the beginning, seconds.")
    ] = _DEFAULTS.time_zero_s,
) -> None:
    """Turn a clip of the simulated world into a ROS 2 bag (mcap) with ground truth."""
    with one_line_errors("clip_to_bag", status=1):
        counts = clip_to_bag(clip, bag, ClipToBag(audio_ms=audio_ms, time_zero_s=time_zero_s))
    typer.echo(f"{bag}: " + ", ".join(f"{count} messages on {topic}" for topic, count in counts.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_command(command, argv, name="clip_to_bag")


if __name__ == "__main__":
    sys.exit(main())
