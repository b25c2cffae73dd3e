"""Pictures are written whole, in the colours that they have, or refused in a line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cs3_model.picture_files import write_picture


def test_colours_and_greys_come_back_as_they_were(tmp_path: Path) -> None:
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0] = (255, 10, 0)
    write_picture(tmp_path / "new" / "colours.png", colours)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "new" / "colours.png"))[0, 0], (0, 10, 255))
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_picture(tmp_path / "grey.png", grey)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "grey.png"), cv2.IMREAD_UNCHANGED), grey)


def test_what_cannot_be_written_is_said_in_a_line_and_leaves_nothing(tmp_path: Path) -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    for name in ("picture", "picture.nosuch"):
        with pytest.raises(ValueError, match=r"^\S+ cannot be written: its ending must be that of a picture"):
            write_picture(tmp_path / name, image)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ValueError, match=r"^\S+ cannot be written \(0\.0 MB\): "):
        write_picture(tmp_path / "taken" / "picture.png", image)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
