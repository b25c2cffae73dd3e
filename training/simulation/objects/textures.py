"""Procedural pictures for surfaces: wood grain, stone, tiles, brushed metal, print, weave and skin."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float64]  # [size, size, 3] in [0, 1], sRGB, tiles seamlessly unless said otherwise

SIZE = 256
VARIANTS = 8
"""Pictures of each kind; the last two of them are kept for objects with held-out finishes."""


def noise(rng: np.random.Generator, slope: float, stretch: tuple[float, float] = (1.0, 1.0)) -> Picture:
    """Seamless noise [SIZE, SIZE] in [0, 1] whose amplitude falls with frequency to the power `slope`."""
    fy = np.fft.fftfreq(SIZE)[:, None] * SIZE * stretch[0]
    fx = np.fft.fftfreq(SIZE)[None] * SIZE * stretch[1]
    spectrum = np.fft.fft2(rng.standard_normal((SIZE, SIZE))) / np.maximum(1.0, np.hypot(fx, fy)) ** slope
    field = np.fft.ifft2(spectrum).real
    return (field - field.min()) / np.ptp(field)


def _mix(a: npt.ArrayLike, b: npt.ArrayLike, share: Picture) -> Picture:
    return np.asarray(a) * (1.0 - share[..., None]) + np.asarray(b) * share[..., None]


def _wood(rng: np.random.Generator) -> Picture:
    tones = np.array([[0.76, 0.58, 0.38], [0.62, 0.42, 0.26], [0.85, 0.70, 0.50], [0.42, 0.27, 0.17]])
    light = tones[rng.integers(4)] * rng.uniform(0.9, 1.1)
    grain = noise(rng, 1.6, (1.0, 14.0))
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * grain * rng.uniform(3, 7))
    fibre = noise(rng, 0.8, (1.0, 24.0))
    return _mix(light, light * rng.uniform(0.62, 0.8), 0.5 * rings + 0.5 * fibre)


def _planks(rng: np.random.Generator) -> Picture:
    wood, rows = _wood(rng), 4
    height = SIZE // rows
    for row in range(rows):
        band = slice(row * height, (row + 1) * height)
        wood[band] = np.roll(wood[band], rng.integers(SIZE), 1) * rng.uniform(0.86, 1.08)
        wood[row * height] *= 0.55
    return wood


def _stone(rng: np.random.Generator) -> Picture:
    base = np.array([[0.82, 0.80, 0.77], [0.62, 0.60, 0.58], [0.30, 0.29, 0.29], [0.74, 0.67, 0.58]])[rng.integers(4)]
    cloud, fleck = noise(rng, 1.4)[..., None], noise(rng, 0.25)[..., None]
    grains = np.where(fleck > 0.66, 0.5, 0.0) - np.where(fleck < 0.34, 0.3, 0.0)
    return base * (0.88 + 0.2 * cloud + 0.35 * grains)


def _marble(rng: np.random.Generator) -> Picture:
    vein = np.abs(noise(rng, 1.7) - 0.5) + 0.25 * np.abs(noise(rng, 1.2) - 0.5)
    return _mix([0.66, 0.66, 0.68], [0.93, 0.92, 0.90], np.clip(vein * 6.0, 0.0, 1.0))


def _tile(rng: np.random.Generator) -> Picture:
    palette = [[0.93, 0.93, 0.91], [0.86, 0.88, 0.86], [0.72, 0.80, 0.80], [0.88, 0.82, 0.72], [0.55, 0.62, 0.66]]
    colour = np.array(palette[rng.integers(len(palette))])
    x = np.arange(SIZE)
    brick = rng.random() < 0.5
    picture = np.empty((SIZE, SIZE, 3))
    height = 64
    width = 128 if brick else 64
    for row in range(SIZE // height):
        shift = width // 2 if brick and row % 2 else 0
        tone = rng.uniform(0.94, 1.04, SIZE // width)[((x + shift) // width) % (SIZE // width)]
        picture[row * height : (row + 1) * height] = (colour * tone[:, None])[None]
        grout = (x + shift) % width < 3
        picture[row * height : (row + 1) * height, grout] = 0.72
        picture[row * height : row * height + 3] = 0.72
    return picture * (0.97 + 0.05 * noise(rng, 1.5)[..., None])


def _brushed(rng: np.random.Generator) -> Picture:
    return (0.88 + 0.12 * noise(rng, 0.8, (0.6, 25.0))[..., None]) * np.ones(3)


def _speckled(rng: np.random.Generator) -> Picture:
    base = np.array([[0.90, 0.88, 0.83], [0.72, 0.76, 0.76], [0.80, 0.72, 0.62], [0.50, 0.56, 0.60]])[rng.integers(4)]
    speck = noise(rng, 0.5)
    return np.where((speck > 0.70)[..., None], base * 0.55, base * (0.96 + 0.08 * speck[..., None]))


def _banded(rng: np.random.Generator) -> Picture:
    """Glazed bands around a vessel; the picture runs from its foot over the rim to the inside."""
    ground = np.array([[0.92, 0.90, 0.86], [0.85, 0.85, 0.80], [0.60, 0.66, 0.68]])[rng.integers(3)]
    accent = np.array([[0.16, 0.28, 0.48], [0.55, 0.25, 0.18], [0.25, 0.38, 0.30], [0.2, 0.2, 0.22]])[rng.integers(4)]
    picture = np.ones((SIZE, SIZE, 3)) * ground
    for start in rng.uniform(0.1, 0.5, rng.integers(1, 4)):
        picture[int(start * SIZE) : int((start + rng.uniform(0.01, 0.06)) * SIZE)] = accent
    return picture * (0.96 + 0.06 * noise(rng, 1.0)[..., None])


def _board(rng: np.random.Generator) -> Picture:
    return np.array([0.72, 0.57, 0.41]) * rng.uniform(0.85, 1.1) * (0.9 + 0.2 * noise(rng, 0.6, (1, 3))[..., None])


def _print(rng: np.random.Generator) -> Picture:
    """The front of a packet: a ground, a panel, a picture and lines of text."""
    grounds = [[0.85, 0.82, 0.74], [0.20, 0.32, 0.50], [0.62, 0.20, 0.16], [0.84, 0.66, 0.25], [0.24, 0.42, 0.30]]
    ground = np.array(grounds[rng.integers(len(grounds))])
    picture = np.ones((SIZE, SIZE, 3)) * ground
    top, left = rng.integers(20, 60), rng.integers(10, 40)
    picture[top : top + rng.integers(50, 90), left : SIZE - left] = np.clip(ground * 0.3 + 0.62, 0, 1)
    y, x = np.mgrid[:SIZE, :SIZE]
    spot = np.hypot(x - rng.uniform(90, 166), (y - rng.uniform(150, 200)) * 1.2) < rng.uniform(25, 45)
    picture[spot] = np.array(grounds[rng.integers(len(grounds))]) * rng.uniform(0.8, 1.1)
    for line in range(rng.integers(3, 7)):
        y0 = top + 8 + line * 11
        picture[y0 : y0 + 4, left + 10 : left + 10 + rng.integers(40, 140)] = 0.15
    return picture * (0.97 + 0.05 * noise(rng, 1.0)[..., None])


def _weave(rng: np.random.Generator) -> Picture:
    """Kitchen linen: an undyed ground with a few muted stripes, sometimes crossing, or plain terry."""
    ground = np.array([[0.86, 0.83, 0.76], [0.72, 0.73, 0.72], [0.55, 0.60, 0.62], [0.78, 0.70, 0.60]])[rng.integers(4)]
    accent = np.array([[0.25, 0.33, 0.45], [0.50, 0.26, 0.24], [0.35, 0.42, 0.34], [0.4, 0.38, 0.36]])[rng.integers(4)]
    stripe = np.zeros(SIZE)
    kind = rng.integers(3)
    if kind < 2:
        for start in rng.integers(0, SIZE - 20, rng.integers(1, 4)):
            stripe[start : start + rng.integers(4, 18)] = 1.0
    share = 0.5 * (stripe[None] + stripe[:, None]) if kind == 1 else np.repeat(stripe[None], SIZE, 0)
    thread = 0.93 + 0.07 * np.sin(np.arange(SIZE) * np.pi)[:, None] + 0.10 * (rng.random((SIZE, SIZE)) - 0.5)
    return _mix(ground, accent, 0.8 * share) * thread[..., None]


def _knit(rng: np.random.Generator) -> Picture:
    """Sleeves: a plain garment with the structure of its yarn."""
    garments = [[0.20, 0.23, 0.30], [0.42, 0.43, 0.45], [0.70, 0.67, 0.62], [0.27, 0.33, 0.28], [0.45, 0.30, 0.28]]
    colour = np.array(garments[rng.integers(len(garments))]) * rng.uniform(0.85, 1.15)
    rib = 0.9 + 0.1 * np.sin(2 * np.pi * 32 * np.arange(SIZE) / SIZE)[None]
    return colour * (rib * (0.88 + 0.24 * noise(rng, 0.7)))[..., None]


_KINDS: dict[str, Callable[[np.random.Generator], Picture]] = {
    "wood": _wood,
    "planks": _planks,
    "stone": _stone,
    "marble": _marble,
    "tile": _tile,
    "brushed": _brushed,
    "speckled": _speckled,
    "banded": _banded,
    "board": _board,
    "print": _print,
    "weave": _weave,
    "knit": _knit,
}


@cache
def texture(kind: str, variant: int) -> npt.NDArray[np.uint8]:
    """Returns picture number `variant` of a kind, uint8 [SIZE, SIZE, 3]; the same in every process.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind not in _KINDS:
        raise ValueError(f"texture must be one of {', '.join(_KINDS)}, got {kind!r}")
    rng = np.random.default_rng([sum(kind.encode()), variant])
    return (np.clip(_KINDS[kind](rng), 0.0, 1.0) * 255.0).astype(np.uint8)


@cache
def skin_palette(tone: int) -> npt.NDArray[np.uint8]:
    """Returns the palette of one of `SKIN_TONES`: over its width the parts of a hand, over its height mottling.

    The vertices of a hand choose their colour by u: 0 back of the hand, 1/3 knuckle, 2/3 palm and finger tip, 1 nail.
    """
    base = np.array(SKIN_TONES[tone])
    stops = np.stack(
        [base, base * (0.93, 0.80, 0.76), base * (1.04, 0.94, 0.90) + 0.03, base * 0.6 + (0.40, 0.31, 0.29)]
    )
    u = np.linspace(0.0, 3.0, SIZE)
    row = np.stack([np.interp(u, range(4), stops[:, channel]) for channel in range(3)], 1)
    mottle = 0.95 + 0.1 * noise(np.random.default_rng(tone), 0.9)[..., None]
    return (np.clip(row[None] * mottle, 0.0, 1.0) * 255.0).astype(np.uint8)


SKIN_TONES = (
    (0.90, 0.72, 0.61),
    (0.83, 0.62, 0.49),
    (0.72, 0.51, 0.38),
    (0.55, 0.37, 0.26),
    (0.38, 0.25, 0.18),
    (0.87, 0.66, 0.55),
)
"""Colours of skin, sRGB."""
