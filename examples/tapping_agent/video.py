"""An episode as a video: the arm, what the node sees with what it hears there, and what the agent makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from cs3_model.types import UInt8Image
from cs3_ros.client import Collision
from examples.tapping_agent.agent import Shares, shares_of
from examples.tapping_agent.episode import Episode
from examples.tapping_agent.pictures import RobotCamera
from examples.tapping_agent.world import FPS, RATE_HZ, TappingMicrophone

_AFTER_TOUCH_S = 0.4
"""When the answer is shown: the node hears 0.3 s after the onset, and takes a moment."""
_BAR_H, _MARGIN = 96, 12
_INK, _PAPER, _GREEN, _ORANGE = (35, 35, 35), (245, 245, 242), (42, 127, 98), (214, 120, 30)


def write_video(episode: Episode, camera: RobotCamera, seed: int, microphone: str, path: Path) -> None:
    """Writes an MP4 of the episode, H.264 with AAC sound.

    Args:
        episode: What happened.
        camera: In the episode's scene.
        seed: Of the episode; with it the same sound is made again.
        microphone: One of `world.MICROPHONES`, the episode's.
        path: Of the file.
    """
    record = TappingMicrophone(episode.table, seed, microphone).record
    sound = np.concatenate([record(stretch) for stretch in episode.stretches])
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=FPS, options={"crf": "27", "preset": "slow"})
        pictures.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=RATE_HZ, layout="mono")
        for image in _images(episode, camera, "metal"):
            if not pictures.codec_context.is_open:
                pictures.height, pictures.width = image.shape[:2]
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(pictures.encode())
        block = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        block.sample_rate = RATE_HZ
        container.mux(audio.encode(block))
        container.mux(audio.encode())


def _images(episode: Episode, camera: RobotCamera, material: str) -> Iterator[UInt8Image]:
    """The finished pictures, RGB uint8 [H, W, 3], `FPS` per second."""
    num_objects = len(episode.table.kinds)
    place = [sample.material for sample in episode.samples].index(material)
    sums, counts = np.zeros(num_objects), np.zeros(num_objects)
    shown: Collision | None = None
    for number, stretch in enumerate(episode.stretches):
        tap = number - 1
        is_new = 0 <= tap < len(episode.heard)
        for state in stretch.states:
            if is_new and stretch.touch_s is not None and state.time_s > stretch.touch_s + _AFTER_TOUCH_S:
                shown, is_new = next(iter(episode.heard[tap]), None), False
                counts[tap % num_objects] += 1
                if shown is not None:
                    sums[tap % num_objects] += shares_of(shown, episode.samples)[place]
            chosen = episode.chosen[material] if tap >= len(episode.heard) else None
            seen = np.hstack([camera.arm(state), _with_masks(episode.picture, shown)])
            yield np.vstack([seen, _bars(episode, sums / np.maximum(counts, 1), chosen, material, seen.shape[1])])


def _with_masks(picture: UInt8Image, collision: Collision | None) -> UInt8Image:
    """What the node sees; the heard objects in colour, as strong as their scores."""
    image = picture.copy()
    if collision is not None:
        for found in (*collision.objects, *collision.rejected):
            if "heard" in found.roles:
                share = 0.7 * found.score
                image[found.mask] = ((1 - share) * image[found.mask] + share * np.array(_ORANGE)).astype(np.uint8)
    return image


def _bars(episode: Episode, shares: Shares, chosen: int | None, material: str, width: int) -> UInt8Image:
    """One bar per look-alike: how much it sounds like the sample; at the end the choice, and what each was made of."""
    image = np.full((_BAR_H, width, 3), _PAPER, np.uint8)
    cell = width // len(shares)
    for index, share in enumerate(shares):
        left, right = index * cell + _MARGIN, (index + 1) * cell - _MARGIN
        colour = _GREEN if index == chosen else (150, 155, 160)
        cv2.rectangle(image, (left, 34), (right, 58), (225, 226, 222), -1)
        cv2.rectangle(image, (left, 34), (left + round(min(float(share), 1.0) * (right - left)), 58), colour, -1)
        _write(image, f"{index + 1}: like the {material} {share:.2f}", (left, 24))
        if chosen is not None:
            mark = "chosen: " if index == chosen else ""
            _write(image, f"{mark}it is {episode.table.kinds[index]}", (left, 82))
    return image


def _write(image: UInt8Image, text: str, at_xy: tuple[int, int]) -> None:
    cv2.putText(image, text, at_xy, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
