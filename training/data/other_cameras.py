"""Views, lights, lenses and files of other cameras than the simulated world's own.

That camera (`training.simulation.rendering`) looks down on a square from a head. Pictures are RGB uint8 [H, W, 3], ids uint8
[H, W] as in `training.simulation.rendering.id_map`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import cast

import av
import cv2
import numpy as np

from cs3_model.networks.micro.letterbox import Letterbox
from cs3_model.types import UInt8Image

_ASPECTS, _ASPECT_SHARES = (1.0, 4 / 3, 16 / 9, 9 / 16), (0.35, 0.25, 0.35, 0.05)
"""Width over height: the world's own, webcams, phones and action cameras, a phone held upright."""
_GREY = 127
"""What lies outside of the picture, as around a letterbox."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmedView:
    """A part of the picture, turned and bent, as another camera has it."""

    centre_xy: tuple[float, float]
    """Of the part, pixels of the picture."""
    width_px: float
    """Of the part, pixels of the picture."""
    angle_rad: float
    """How far the camera is turned."""
    bend: float
    """Barrel distortion: a corner of the view is this much further out than without."""
    is_mirrored: bool
    letterbox: Letterbox
    """Where the view lies in the network's square."""

    def of(self, image: UInt8Image, ids: UInt8Image) -> tuple[UInt8Image, UInt8Image]:
        """Picture and ids as seen: [rows, columns] of the letterbox; grey, and id 0, where nothing was pictured."""
        rows, columns = self.letterbox.rows, self.letterbox.columns
        y, x = np.mgrid[:rows, :columns].astype(np.float32) + 0.5
        x, y = (x - columns / 2) / columns, (y - rows / 2) / columns  # width 1
        if self.is_mirrored:
            x = -x
        corner = 0.25 * (1 + (rows / columns) ** 2)
        further = 1.0 + self.bend * (x * x + y * y) / corner
        x, y = x * further * self.width_px, y * further * self.width_px
        cos, sin = np.float32(np.cos(self.angle_rad)), np.float32(np.sin(self.angle_rad))
        map_x = self.centre_xy[0] + cos * x - sin * y - 0.5
        map_y = self.centre_xy[1] + sin * x + cos * y - 0.5
        seen = cv2.remap(
            image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(_GREY,) * 3
        )
        return cast(UInt8Image, seen), cast(UInt8Image, cv2.remap(ids, map_x, map_y, cv2.INTER_NEAREST))

    def in_square(self, image: UInt8Image, ids: UInt8Image) -> tuple[UInt8Image, UInt8Image]:
        """A seen picture and its ids in the square, [side, side]."""
        box = self.letterbox
        place = np.s_[box.top : box.top + box.rows, box.left : box.left + box.columns]
        square = np.full((box.side, box.side, 3), _GREY, np.uint8)
        ids_in_square = np.zeros((box.side, box.side), np.uint8)
        square[place], ids_in_square[place] = image, ids
        return square, ids_in_square


def draw_view(rng: np.random.Generator, size_hw: tuple[int, int], side: int) -> FilmedView:
    """Draws a view of a picture: from nearly all of it to a close-up, from the head or across the table."""
    height, width = size_hw
    aspect = float(rng.choice(_ASPECTS, p=_ASPECT_SHARES))
    letterbox = Letterbox.around((round(1000 / max(aspect, 1.0)), round(1000 * min(aspect, 1.0))), side)
    aspect = letterbox.columns / letterbox.rows
    scale = rng.uniform(0.3, 0.65) if rng.random() < 0.3 else rng.uniform(0.65, 1.0)
    part_wh = np.array([min(width, height * aspect), min(height, width / aspect)]) * scale
    turns = int(rng.integers(1, 4)) if rng.random() < 0.25 else 0
    across_wh = part_wh[::-1] if turns % 2 else part_wh
    free = np.maximum(np.array([width, height]) - across_wh, 0)
    centre = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * free
    return FilmedView(
        centre_xy=(float(centre[0]), float(centre[1])),
        width_px=float(part_wh[0]),
        angle_rad=float(turns * np.pi / 2 + rng.normal(0, 0.1)),
        bend=float(rng.uniform(0, 0.3)) if rng.random() < 0.3 else 0.0,
        is_mirrored=bool(rng.random() < 0.5),
        letterbox=letterbox,
    )


def _developed(rng: np.random.Generator, image: UInt8Image, noise: np.random.Generator) -> UInt8Image:
    """Another exposure, colour cast, saturation, contrast, focus and noise."""
    light = image.astype(np.float64) / 255.0
    if rng.random() < 0.25:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.6)).astype(np.float64, copy=False)
    light = np.clip(light, 1e-3, 1.0) ** np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.08, 3))
    grey = light.mean(2, keepdims=True)
    light = grey + (light - grey) * rng.uniform(0.4, 1.4)
    if rng.random() < 0.25:
        level = rng.uniform(0.2, 0.9)
        light = level + (light - level) * rng.uniform(0.3, 0.8)
    light = light + noise.normal(0, rng.uniform(0, 0.04), light.shape)
    return cast(UInt8Image, np.clip(255.0 * light, 0, 255).astype(np.uint8))


def _written_on(rng: np.random.Generator, image: UInt8Image) -> UInt8Image:
    """Captions, dates and numbers that are burnt in, which are no objects."""
    if rng.random() > 0.1:
        return image
    image = np.ascontiguousarray(image)
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(chr(code) for code in rng.integers(48, 91, int(rng.integers(3, 14))))
        place = (int(rng.integers(image.shape[1])), int(rng.integers(image.shape[0])))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        font, size = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX])), float(rng.uniform(0.25, 0.9))
        cv2.putText(image, text, place, font, size, colour, int(rng.integers(1, 3)), cv2.LINE_AA)
    return image


def _coded(rng: np.random.Generator, image: UInt8Image) -> UInt8Image:
    """What is left after a smaller format, JPEG or H.264."""
    kind, (height, width) = rng.random(), image.shape[:2]
    if kind < 0.25:
        return image
    shrink = rng.uniform(0.5, 1.0)
    small_wh = (2 * max(8, round(width * shrink / 2)), 2 * max(8, round(height * shrink / 2)))
    small = cast(UInt8Image, cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA))
    small = h264(small, crf=int(rng.integers(20, 36))) if kind < 0.4 else jpeg(small, quality=int(rng.integers(15, 95)))
    return cast(UInt8Image, cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def jpeg(image: UInt8Image, *, quality: int) -> UInt8Image:
    """The picture after JPEG of that quality, 1 to 100."""
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cast(UInt8Image, cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1]


def h264(image: UInt8Image, *, crf: int) -> UInt8Image:
    """The picture, of even sides, after H.264 with that constant rate factor, 0 (lossless) to 51."""
    file = io.BytesIO()
    with av.open(file, "w", "mp4") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": str(crf), "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt, stream.thread_count = *image.shape[:2], "yuv420p", 1
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    file.seek(0)
    with av.open(file) as container:
        return cast(UInt8Image, next(container.decode(video=0)).to_ndarray(format="rgb24"))


def recorded(rng: np.random.Generator, image: UInt8Image, noise: np.random.Generator | None = None) -> UInt8Image:
    """What another camera and its file make of a picture of even sides: light, focus, noise, captions, codecs.

    Args:
        rng: draws the camera and the file: the same state, the same ones.
        image: the picture.
        noise: draws the noise of pixels, which is another one in each picture of a camera; None takes `rng`.
    """
    return _coded(rng, _written_on(rng, _developed(rng, image, noise or rng)))
