"""A clip that this package draws itself: a spoon that taps things on a table, with a sound for each tap.

A cartoon, not a simulation: it exists so that the whole graph can be watched on a machine that has no video at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from cs3_model.types import Float32Array, UInt8Image

WIDTH, HEIGHT, FPS = 640, 480, 30
SAMPLE_RATE_HZ = 48_000
DURATION_S = 9.0

_REST_XY = np.array([330.0, 395.0])
_SWING_S = 0.3
_AUDIO_BLOCK = 4096
_BEND = 16  # pixels of OpenCV's sub-pixel coordinates


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """Something on the table that can be tapped."""

    name: str
    tap_xy: tuple[int, int]
    """Where the spoon's tip meets it, pixels."""
    partials_hz: tuple[float, ...]
    """Frequencies of its ringing."""
    decay_s: float
    """Time in which the lowest partial falls by 1/e."""


MUG = Thing(name="ceramic mug", tap_xy=(178, 262), partials_hz=(1480, 2630, 4120, 6300), decay_s=0.06)
GLASS = Thing(name="glass", tap_xy=(330, 212), partials_hz=(2210, 4870, 7950), decay_s=0.25)
BOARD = Thing(name="wooden board", tap_xy=(520, 330), partials_hz=(310, 720, 1390, 2500, 3900), decay_s=0.015)
TAPS: tuple[tuple[float, Thing], ...] = tuple(
    (1.0 + 0.9 * index, thing) for index, thing in enumerate((MUG, GLASS, BOARD, MUG, BOARD, GLASS, MUG, BOARD))
)
"""When the spoon touches what, seconds: eight taps."""


def write_demo_video(path: Path) -> None:
    """Writes the clip as an MP4 with sound."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono")
        for image in draw_frames():
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        pcm = np.round(draw_sound() * 32767).astype(np.int16)[None]
        for start in range(0, pcm.shape[1], _AUDIO_BLOCK):
            block = av.AudioFrame.from_ndarray(pcm[:, start : start + _AUDIO_BLOCK], format="s16", layout="mono")
            block.sample_rate, block.pts = SAMPLE_RATE_HZ, start
            container.mux(audio.encode(block))
        container.mux(audio.encode())


def draw_frames() -> Iterator[UInt8Image]:
    """Yields the frames in order, RGB uint8 [480, 640, 3]."""
    table = _draw_table()
    for index in range(round(DURATION_S * FPS)):
        image = table.copy()
        _draw_spoon(image, _tip_xy(index / FPS))
        yield cv2.GaussianBlur(image, (3, 3), 0)


def draw_sound() -> Float32Array:
    """Returns the sound of the taps over faint noise, mono float32 [T] in [-1, 1]."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 6e-4, round(DURATION_S * SAMPLE_RATE_HZ))
    times = np.arange(round(0.8 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    for tap_s, thing in TAPS:
        ring = 0.3 * rng.normal(size=times.size) * np.exp(-times / 0.002)
        for order, frequency_hz in enumerate(thing.partials_hz):
            decay_s = thing.decay_s / (1 + 0.7 * order)
            phase = 2 * np.pi * frequency_hz * rng.uniform(0.99, 1.01) * times
            ring += np.exp(-times / decay_s) * np.sin(phase) / (1 + order)
        start = round(tap_s * SAMPLE_RATE_HZ)
        sound[start : start + ring.size] += 0.25 * rng.uniform(0.7, 1.0) * ring[: sound.size - start]
    return np.clip(sound, -1, 1).astype(np.float32)


def _tip_xy(time_s: float) -> np.ndarray:
    """The spoon's tip: at rest, swinging towards a thing, touching it at the tap, and back."""
    for tap_s, thing in TAPS:
        share = 1 - abs(time_s - tap_s) / _SWING_S
        if share > 0:
            return _REST_XY + (np.array(thing.tap_xy) - _REST_XY) * share**2
    return _REST_XY


def _draw_table() -> UInt8Image:
    rng = np.random.default_rng(1)
    grain = cv2.resize(rng.normal(0, 1, (HEIGHT // 3, 12)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    light = np.linspace(0.8, 1.1, HEIGHT)[:, None, None]
    image = np.clip((np.array([176, 134, 92]) + 7 * grain[..., None]) * light, 0, 255).astype(np.uint8)
    _draw_board(image)
    _draw_mug(image)
    _draw_glass(image)
    return image


def _draw_board(image: UInt8Image) -> None:
    _shadow(image, (512, 392), (130, 22))
    top = np.array([[440, 300], [600, 312], [618, 372], [420, 360]])
    side = np.array([[420, 360], [618, 372], [618, 392], [420, 380]])
    cv2.fillPoly(image, [top], (222, 190, 140), cv2.LINE_AA)
    cv2.fillPoly(image, [side], (170, 134, 88), cv2.LINE_AA)
    for row in range(1, 6):
        left, right = (440 - 20 * row // 6, 300 + 60 * row // 6), (600 + 18 * row // 6, 312 + 60 * row // 6)
        cv2.line(image, left, right, (206, 172, 122), 1, cv2.LINE_AA)


def _draw_mug(image: UInt8Image) -> None:
    _shadow(image, (120, 352), (72, 20))
    cv2.ellipse(image, (62, 290), (26, 34), 0, 90, 270, (196, 70, 60), 10, cv2.LINE_AA)
    cv2.rectangle(image, (66, 245), (174, 340), (214, 84, 72), -1)
    cv2.ellipse(image, (120, 340), (54, 16), 0, 0, 180, (214, 84, 72), -1, cv2.LINE_AA)
    cv2.rectangle(image, (80, 250), (92, 340), (232, 128, 116), -1)
    cv2.ellipse(image, (120, 245), (54, 16), 0, 0, 360, (238, 226, 214), -1, cv2.LINE_AA)
    cv2.ellipse(image, (120, 248), (46, 11), 0, 0, 360, (72, 46, 34), -1, cv2.LINE_AA)


def _draw_glass(image: UInt8Image) -> None:
    _shadow(image, (330, 292), (44, 13))
    tinted = image.copy()
    outline = np.array([[292, 168], [368, 168], [358, 284], [302, 284]])
    cv2.fillPoly(tinted, [outline], (206, 226, 232), cv2.LINE_AA)
    cv2.ellipse(tinted, (330, 284), (28, 8), 0, 0, 180, (206, 226, 232), -1, cv2.LINE_AA)
    image[:] = cv2.addWeighted(image, 0.55, tinted, 0.45, 0)
    cv2.polylines(image, [outline], False, (236, 244, 246), 1, cv2.LINE_AA)
    cv2.ellipse(image, (330, 168), (38, 9), 0, 0, 360, (240, 248, 250), 2, cv2.LINE_AA)
    cv2.line(image, (304, 182), (310, 272), (250, 252, 252), 3, cv2.LINE_AA)


def _draw_spoon(image: UInt8Image, tip_xy: np.ndarray) -> None:
    grip_xy = 0.75 * tip_xy + 0.25 * _REST_XY + np.array([40.0, 150.0])
    tip, grip = (_sub_pixel(point) for point in (tip_xy, grip_xy))
    shift = _BEND.bit_length() - 1
    cv2.line(image, tip, grip, (128, 132, 138), 9, cv2.LINE_AA, shift)
    cv2.line(image, tip, grip, (206, 210, 214), 5, cv2.LINE_AA, shift)
    angle = float(np.degrees(np.arctan2(*(tip_xy - grip_xy)[::-1])))
    bowl = _sub_pixel(tip_xy - 14 * (tip_xy - grip_xy) / np.linalg.norm(tip_xy - grip_xy))
    cv2.ellipse(image, bowl, (22 * _BEND, 13 * _BEND), angle, 0, 360, (136, 140, 146), -1, cv2.LINE_AA, shift)
    cv2.ellipse(image, bowl, (17 * _BEND, 9 * _BEND), angle, 0, 360, (222, 226, 230), -1, cv2.LINE_AA, shift)
    hand = grip_xy + np.array([6.0, 34.0])
    cv2.ellipse(image, _sub_pixel(hand), (44 * _BEND, 52 * _BEND), 20, 0, 360, (214, 164, 132), -1, cv2.LINE_AA, shift)
    for finger in range(3):
        centre = hand + np.array([-22.0 + 20 * finger, -40.0 + 5 * finger])
        cv2.ellipse(
            image, _sub_pixel(centre), (13 * _BEND, 20 * _BEND), 25, 0, 360, (222, 176, 146), -1, cv2.LINE_AA, shift
        )


def _sub_pixel(point: np.ndarray) -> tuple[int, int]:
    return round(float(point[0]) * _BEND), round(float(point[1]) * _BEND)


def _shadow(image: UInt8Image, centre: tuple[int, int], axes: tuple[int, int]) -> None:
    dark = np.zeros(image.shape[:2], np.float32)
    cv2.ellipse(dark, centre, axes, 0, 0, 360, 0.45, -1, cv2.LINE_AA)
    dark = cv2.GaussianBlur(dark, (0, 0), 9)
    image[:] = (image * (1 - dark[..., None])).astype(np.uint8)
