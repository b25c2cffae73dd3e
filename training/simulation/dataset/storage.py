"""Writes samples to disk and reads them back.

A sample is a folder: ``frame0.jpg`` ``frame1.jpg`` ``frame2.jpg`` (before, at and after the onset), ``ids.png`` (see
`TABLE_ID`), ``sound.flac``, ``clean.flac`` (without noise, for checks, on request) and ``truth.json``. It is written
beside its place under a hidden name and moved there whole, so that a folder with its final name is always complete.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import soundfile

_JPEG_QUALITY = 92
TABLE_ID, LEFT_HAND_ID, RIGHT_HAND_ID = 250, 251, 252
"""Values of the id map for the table top and the hands with their arms. 0 is everything else, k + 1 is object k."""
FRAME_NAMES = ("frame0.jpg", "frame1.jpg", "frame2.jpg")


class DiskFullError(OSError):
    """The disk is full; what was finished before is whole."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WorldSample:
    """One sample in memory."""

    frames: dict[int, npt.NDArray[np.uint8]]
    """RGB [H, W, 3] by index in `FRAME_NAMES`; the middle one is always there."""
    ids: npt.NDArray[np.uint8]
    """[H, W], of the middle frame."""
    sound: npt.NDArray[np.float32]
    """[T] in [-1, 1]."""
    clean: npt.NDArray[np.float32]
    """The sound without its background, on the same scale [T]."""
    facts: dict[str, Any]
    """The content of truth.json; docs/world.md lists the keys."""


def sample_folder(root: Path, split: str, index: int) -> Path:
    """Where a sample lies; a thousand to a folder."""
    return root / split / f"{index // 1000:03d}" / f"{index:06d}"


def write_sample(folder: Path, sample: WorldSample, *, keep_clean: bool = False) -> None:
    """Writes a sample so that `folder` appears only when it is complete.

    Raises:
        DiskFullError: if there is no space left.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    workplace = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        workplace.mkdir()
        for number, frame in sample.frames.items():
            _write_image(workplace / FRAME_NAMES[number], frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        _write_image(workplace / "ids.png", sample.ids, [])
        rate_hz = sample.facts["sound"]["rate_hz"]
        soundfile.write(workplace / "sound.flac", sample.sound, rate_hz, subtype="PCM_16")
        if keep_clean:
            soundfile.write(workplace / "clean.flac", sample.clean, rate_hz, subtype="PCM_24")
        (workplace / "truth.json").write_text(json.dumps(sample.facts, separators=(",", ":")), encoding="utf-8")
        workplace.rename(folder)
    except BaseException as error:
        shutil.rmtree(workplace, ignore_errors=True)
        if _is_disk_full(error, folder.parent):
            raise DiskFullError(f"no space left for {folder}: free some and run the same command again") from error
        raise


def _write_image(path: Path, image: npt.NDArray[np.uint8], options: list[int]) -> None:
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(image), options)
    assert done
    path.write_bytes(data.tobytes())


def _is_disk_full(error: BaseException, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno == 28:
        return True
    # libsndfile reports a failed write without its cause.
    return isinstance(error, soundfile.LibsndfileError) and shutil.disk_usage(folder).free < 1 << 20


def remove_leftovers(root: Path) -> int:
    """Removes half-written samples of runs that were killed; returns their number."""
    leftovers = [path for path in root.glob("*/*/.[0-9]*") if path.is_dir()]
    for path in leftovers:
        shutil.rmtree(path)
    return len(leftovers)


def read_truth(folder: Path) -> dict[str, Any]:
    """Reads truth.json of a sample.

    Raises:
        ValueError: if it is missing or broken.
    """
    path = folder / "truth.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no truth file of a world sample ({error}): generate it again") from error


def read_ids(folder: Path) -> npt.NDArray[np.uint8]:
    """Reads the id map of a sample, uint8 [H, W].

    Raises:
        ValueError: if it is missing or broken.
    """
    ids = cv2.imread(str(folder / "ids.png"), cv2.IMREAD_UNCHANGED)
    if ids is None or ids.ndim != 2 or ids.dtype != np.uint8:
        raise ValueError(f"{folder / 'ids.png'} is no id map (8-bit grey PNG): generate it again")
    return ids
