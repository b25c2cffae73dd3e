"""Draws what the method saw, heard and decided over the frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from cs3_model.types import AudioWindow, Candidate, CollisionResult, Role, UInt8Image, Verdict

_ROLE_COLOURS = {
    Role.RIGHT_HAND: (255, 176, 0),
    Role.LEFT_HAND: (100, 143, 255),
    Role.AUDIO_VISUAL: (220, 38, 127),
    Role.TOUCHED: (254, 254, 98),
    Role.MOVED: (0, 158, 115),
}
_ROLE_NAMES = {
    Role.RIGHT_HAND: "right hand",
    Role.LEFT_HAND: "left hand",
    Role.AUDIO_VISUAL: "heard",
    Role.TOUCHED: "touched",
    Role.MOVED: "moving",
}
_GREY = (190, 190, 190)
_WHITE = (255, 255, 255)
_RED = (255, 80, 80)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
VERDICT_WORDS = {Verdict.NONE: "no masks", Verdict.ONE_OBJECT: "one object", Verdict.TWO_OBJECTS: "two objects"}
"""Verdicts for people."""


def draw_overlay(
    image: UInt8Image,
    result: CollisionResult,
    *,
    window: AudioWindow | None = None,
    onset_ns: int | None = None,
    frame_ns: int | None = None,
    trained: bool = True,
    caption: str = "",
) -> UInt8Image:
    """Draws a result.

    Accepted masks are tinted in the colour of their role (orange: right hand, blue: left hand, magenta: heard, green:
    moving by itself), with
    the contact points; rejected candidates are thin grey boxes. A bar above says the verdict, a strip below shows the
    sound, the onset in it (red), when the image was taken (white), and how far it reaches before and after the onset.

    Args:
        image: RGB, uint8 [H, W, 3].
        result: What to draw.
        window: The sound, drawn below.
        onset_ns: Time of the onset, marked in the sound, nanoseconds.
        frame_ns: Time of the image, marked in the sound, nanoseconds.
        trained: False adds a warning that the masks mean nothing.
        caption: More text for the bar.

    Returns:
        RGB, uint8 [H + bars, W, 3].
    """
    canvas = image.copy()
    scale = max(image.shape[1] / 1280, 0.7)
    for candidate in result.rejected:
        _draw_box(canvas, candidate, scale)
    for candidate in result.masks:
        _draw_mask(canvas, candidate, scale)
    for candidate in result.masks:
        _draw_contact(canvas, candidate, scale)
    _draw_labels(canvas, result, scale)
    lines = [caption] if caption else []
    lines.append(f"{VERDICT_WORDS[result.verdict]}: {result.detail}")
    bars = [_text_bar(image.shape[1], lines, trained, scale), canvas]
    if window is not None:
        bars.append(_waveform_strip(image.shape[1], window, onset_ns, frame_ns, scale))
    return np.concatenate(bars, axis=0)


def role_name(role: Role) -> str:
    """The roles of a candidate in words, for instance "right hand + heard"."""
    return " + ".join(name for flag, name in _ROLE_NAMES.items() if flag in role)


def role_colour(role: Role) -> tuple[int, int, int]:
    """The colour of a candidate's mask, RGB."""
    return next(colour for flag, colour in _ROLE_COLOURS.items() if flag in role)


def _draw_mask(canvas: UInt8Image, candidate: Candidate, scale: float) -> None:
    colour = role_colour(candidate.role)
    mask = candidate.mask
    canvas[mask] = (0.5 * canvas[mask] + 0.5 * np.array(colour)).astype(np.uint8)
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, colour, max(1, round(2 * scale)), cv2.LINE_AA)


def _draw_box(canvas: UInt8Image, candidate: Candidate, scale: float) -> None:
    x_min, y_min, x_max, y_max = (round(edge) for edge in candidate.box_xyxy)
    cv2.rectangle(canvas, (x_min, y_min), (x_max - 1, y_max - 1), _GREY, max(1, round(scale)), cv2.LINE_AA)


def _draw_labels(canvas: UInt8Image, result: CollisionResult, scale: float) -> None:
    """Writes each candidate's role and score on a dark plate at the top left of its box, below labels that are there."""
    size = 0.6 * scale
    taken: list[tuple[int, int]] = []
    coloured = [(candidate, role_colour(candidate.role)) for candidate in result.masks]
    for candidate, colour in coloured + [(candidate, _GREY) for candidate in result.rejected]:
        text = f"{role_name(candidate.role)} {candidate.score:.2f}"
        (width, height), _ = cv2.getTextSize(text, _FONT, size, 1)
        x = int(np.clip(candidate.box_xyxy[0], 0, max(0, canvas.shape[1] - width)))
        y = int(np.clip(candidate.box_xyxy[1] - 4, height + 2, canvas.shape[0] - 2))
        while any(abs(x - other_x) < width and abs(y - other_y) < height + 8 for other_x, other_y in taken):
            y += height + 8
        taken.append((x, y))
        cv2.rectangle(canvas, (x - 2, y - height - 3), (x + width + 2, y + 4), (24, 24, 24), -1)
        _draw_text(canvas, text, (x, y), size, colour)


def _draw_contact(canvas: UInt8Image, candidate: Candidate, scale: float) -> None:
    if candidate.contact_xy is not None:
        centre = (round(candidate.contact_xy[0]), round(candidate.contact_xy[1]))
        cv2.circle(canvas, centre, max(3, round(7 * scale)), (0, 0, 0), -1, cv2.LINE_AA)
        cv2.circle(canvas, centre, max(2, round(5 * scale)), _WHITE, -1, cv2.LINE_AA)


def _text_bar(width: int, lines: Sequence[str], trained: bool, scale: float) -> UInt8Image:
    coloured = [(line, _WHITE) for line in lines]
    if not trained:
        coloured.append(("RANDOM WEIGHTS: the masks mean nothing", _RED))
    step = round(26 * scale)
    bar = np.full((step * len(coloured) + round(10 * scale), width, 3), 24, np.uint8)
    for index, (line, colour) in enumerate(coloured):
        _draw_text(bar, line, (round(8 * scale), step * (index + 1)), 0.6 * scale, colour)
    return bar


def _waveform_strip(
    width: int, window: AudioWindow, onset_ns: int | None, frame_ns: int | None, scale: float
) -> UInt8Image:
    height = round(80 * scale)
    strip = np.full((height, width, 3), 24, np.uint8)
    edges = np.linspace(0, window.samples.size, width + 1).astype(int)[:-1]
    peak = max(float(np.abs(window.samples).max()), 1e-6)
    tops = np.maximum.reduceat(window.samples, edges) / peak
    bottoms = np.minimum.reduceat(window.samples, edges) / peak
    middle, reach = height // 2, height // 2 - 3
    for x in range(width):
        top, bottom = middle - round(float(tops[x]) * reach), middle - round(float(bottoms[x]) * reach)
        strip[top : bottom + 1, x] = (120, 200, 160)
    _draw_times(strip, window, onset_ns, frame_ns, scale)
    return strip


def _draw_times(
    strip: UInt8Image, window: AudioWindow, onset_ns: int | None, frame_ns: int | None, scale: float
) -> None:
    """Marks onset and image, and writes the times of both edges from the onset."""
    height, width = strip.shape[:2]
    length_ns = window.samples.size * 10**9 // window.sample_rate_hz
    for time_ns, colour in ((frame_ns, _WHITE), (onset_ns, _RED)):
        if time_ns is not None:
            x = round((time_ns - window.start_ns) / length_ns * width)
            cv2.line(strip, (x, 0), (x, height), colour, max(1, round(2 * scale)))
    if onset_ns is not None:
        size, baseline = 0.5 * scale, height - round(6 * scale)
        right = f"{(window.start_ns + length_ns - onset_ns) / 1e9:+.1f} s"
        (text_width, _), _ = cv2.getTextSize(right, _FONT, size, 1)
        margin = round(8 * scale)
        _draw_text(strip, f"{(window.start_ns - onset_ns) / 1e9:+.1f} s", (margin, baseline), size, _GREY)
        _draw_text(strip, right, (width - text_width - margin, baseline), size, _GREY)


def _draw_text(
    canvas: UInt8Image, text: str, origin: tuple[int, int], size: float, colour: tuple[int, int, int]
) -> None:
    shadow = (origin[0] + 1, origin[1] + 1)
    cv2.putText(canvas, text, shadow, _FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(canvas, text, origin, _FONT, size, colour, 1, cv2.LINE_AA)
