"""Writes samples to disk and reads them back.

A sample is a folder: ``frame0.jpg`` ``frame1.jpg`` ``frame2.jpg`` (before, at and after the onset), ``ids.png`` (see
`id_map`), ``sound.flac``, ``clean.flac`` (without noise, for checks, on request) and ``truth.json``. It is written
beside its place under a hidden name and moved there whole, so that a folder with its final name is always complete.
"""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import soundfile

from cs3_model.files import written_whole
from training.simulation.dataset.truth import SceneTruth
from training.simulation.rendering.id_map import IdMap

_JPEG_QUALITY = 92
FRAME_NAMES = ("frame0.jpg", "frame1.jpg", "frame2.jpg")


class DiskFullError(OSError):
    """The disk is full; what was finished before is whole."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SimulatedSample:
    """One sample in memory."""

    frames: dict[int, npt.NDArray[np.uint8]]
    """RGB [H, W, 3] by index in `FRAME_NAMES`; the middle one is always there."""
    ids: npt.NDArray[np.uint8]
    """[H, W], of the middle frame."""
    sound: npt.NDArray[np.float32]
    """[T] in [-1, 1]."""
    clean: npt.NDArray[np.float32]
    """The sound without its background, on the same scale [T]."""
    truth: SceneTruth


def sample_folder(root: Path, split: str, index: int) -> Path:
    """Where a sample lies; a thousand to a folder."""
    return root / split / f"{index // 1000:03d}" / f"{index:06d}"


def write_sample(folder: Path, sample: SimulatedSample, *, keep_clean: bool = False) -> None:
    """Writes a sample so that `folder` appears only when it is complete.

    Raises:
        DiskFullError: if there is no space left.
    """
    try:
        with written_whole(folder) as workplace:
            workplace.mkdir()
            for number, frame in sample.frames.items():
                write_image(workplace / FRAME_NAMES[number], frame[..., ::-1], jpeg_quality=_JPEG_QUALITY)
            write_image(workplace / "ids.png", sample.ids)
            rate_hz = sample.truth.sound.rate_hz
            soundfile.write(workplace / "sound.flac", sample.sound, rate_hz, subtype="PCM_16")
            if keep_clean:
                soundfile.write(workplace / "clean.flac", sample.clean, rate_hz, subtype="PCM_24")
            text = json.dumps(sample.truth.to_json(), separators=(",", ":"))
            (workplace / "truth.json").write_text(text, encoding="utf-8")
    except Exception as error:
        if _is_disk_full(error, folder.parent):
            raise DiskFullError(f"no space left for {folder}: free some and run the same command again") from error
        raise


def write_image(path: Path, image: npt.NDArray[np.uint8], *, jpeg_quality: int = 95) -> None:
    """Writes a picture [H, W] or [H, W, 3] (BGR) as JPEG or PNG, by the suffix of `path`."""
    options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if path.suffix == ".jpg" else []
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(image), options)
    assert done
    path.write_bytes(data.tobytes())


def _is_disk_full(error: Exception, folder: Path) -> bool:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return True
    # libsndfile reports a failed write without its cause.
    return isinstance(error, soundfile.LibsndfileError) and shutil.disk_usage(folder).free < 1 << 20


def remove_leftovers(root: Path) -> int:
    """Removes half-written samples of runs that were killed; returns their number."""
    leftovers = [path for path in root.glob("*/*/.[0-9]*") if path.is_dir()]
    for path in leftovers:
        shutil.rmtree(path)
    return len(leftovers)


def read_truth(folder: Path) -> SceneTruth:
    """Reads truth.json of a sample.

    Raises:
        ValueError: if it is missing or broken.
    """
    path = folder / "truth.json"
    try:
        return SceneTruth.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no truth file of a world sample ({error}): generate it again") from error


def read_frame(folder: Path, number: int) -> npt.NDArray[np.uint8]:
    """Reads a picture of a sample, RGB uint8 [H, W, 3]; `number` is its index in `FRAME_NAMES`.

    Raises:
        ValueError: if it is missing or broken.
    """
    path = folder / FRAME_NAMES[number]
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path} is missing or no JPEG: generate the sample again")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def read_ids(folder: Path) -> IdMap:
    """Reads the id map of a sample, uint8 [H, W].

    Raises:
        ValueError: if it is missing or broken.
    """
    ids = cv2.imread(str(folder / "ids.png"), cv2.IMREAD_UNCHANGED)
    if ids is None or ids.ndim != 2 or ids.dtype != np.uint8:
        raise ValueError(f"{folder / 'ids.png'} is no id map (8-bit grey PNG): generate it again")
    return ids.astype(np.uint8, copy=False)
