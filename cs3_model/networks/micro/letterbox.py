"""Where an image lies in the square that the tower sees.

The networks know pictures of a square world. Squashed, what is round becomes tall and the network takes it for another
object; so the image keeps its shape, and grey fills what is left of the square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cs3_model.types import Float32Array

_GREY = 0.5
"""Of values in [0, 1]: what the tower takes for 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Letterbox:
    """The place of an image in the square.

    Its edges are even, so that maps of half the resolution are cut without a rest, coarser ones to half of their pixel.
    """

    size_hw: tuple[int, int]
    """Rows and columns of the image."""
    side: int
    """Rows and columns of the square, even."""
    top: int
    """First row of the square that shows the image."""
    left: int
    rows: int
    """Rows of the square that show the image."""
    columns: int

    @classmethod
    def around(cls, size_hw: tuple[int, int], side: int) -> Letterbox:
        """Places an image of `size_hw` as large as it fits in the middle of a square of `side`."""
        longest = max(size_hw)
        rows, columns = (max(2, 2 * round(side * edge / longest / 2)) for edge in size_hw)
        top, left = (2 * ((side - inner) // 4) for inner in (rows, columns))
        return cls(size_hw=size_hw, side=side, top=top, left=left, rows=rows, columns=columns)

    def to_square(self, xy: Float32Array) -> Float32Array:
        """From points or boxes of the image, float32 [..., 2 or 4] of x and y in turn, to those of the square."""
        return xy / self._scale(xy) + self._corner(xy)

    def to_image(self, xy: Float32Array) -> Float32Array:
        """The way back; what lies in the grey comes to lie outside of the image."""
        return (xy - self._corner(xy)) * self._scale(xy)

    def _scale(self, xy: Float32Array) -> Float32Array:
        """Columns and rows of the image per column and row of the square, in turn."""
        height, width = self.size_hw
        return np.array([width / self.columns, height / self.rows] * (xy.shape[-1] // 2), np.float32)

    def _corner(self, xy: Float32Array) -> Float32Array:
        """Where the image begins in the square, x and y in turn."""
        return np.array([self.left, self.top] * (xy.shape[-1] // 2), np.float32)

    def pixels(self, image: Tensor) -> Tensor:
        """Resizes an RGB uint8 image [H, W, 3] into its place: float32 [1, 3, side, side] in [0, 1]."""
        x = image.permute(2, 0, 1).unsqueeze(0).to(torch.float32) / 255.0
        x = F.interpolate(x, (self.rows, self.columns), mode="bilinear", antialias=True, align_corners=False)
        below, right = self.side - self.top - self.rows, self.side - self.left - self.columns
        return F.pad(x, (self.left, right, self.top, below), value=_GREY)

    def cut(self, maps: Tensor) -> Tensor:
        """The part of maps of the square, [..., s, s] with s <= `side` / 2, that shows the image."""
        per_row, per_column = maps.shape[-2] / self.side, maps.shape[-1] / self.side
        first_row, first_column = round(self.top * per_row), round(self.left * per_column)
        rows = max(1, round((self.top + self.rows) * per_row) - first_row)
        columns = max(1, round((self.left + self.columns) * per_column) - first_column)
        return maps[..., first_row : first_row + rows, first_column : first_column + columns]
