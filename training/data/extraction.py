"""From whole videos to what training reads of them: one small clip per collision, and the sound of each video as WAV.

A run over 50,000 steps of 32 pairs seeks 1.6 million times for a picture and as often for sound. In a small clip and in
a WAV file a seek costs next to nothing; in an hour of full HD it decodes up to a whole group of pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import soundfile

from cs3_model.child_processes import end_with_parent
from cs3_model.files import written_whole
from cs3_model.media import NS_PER_S, MediaFile, Picture
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, UInt8Image
from training.data.annotations import CollisionRow, read_annotations
from training.data.clip_media import read_sound
from training.data.folder_layout import DiskFinder
from training.data.real_sets import RealDataSet
from training.data.samples import SampleError

_PIECE_S = 60.0
"""Sound is read in pieces of this length, so that an hour needs little memory."""
_TICKS_HZ = 90_000
_ENCODER = {"crf": "18", "preset": "veryfast", "g": "12"}
"""Nearly without loss, and a picture to start from at every twelfth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoTask:
    """What is taken out of one video."""

    video: Path
    sound: Path
    """Where its sound goes."""
    clips: tuple[tuple[CollisionRow, Path], ...]
    """The collisions, and where their clips go."""
    height: int
    """Of the clips, pixels; 0: as the video."""


def plan_extraction(data_set: RealDataSet, root: Path, split: str, height: int) -> tuple[list[VideoTask], list[str]]:
    """Which files are to be made, and which videos are missing, one line each; what is there is left out.

    Args:
        data_set: Whose layout the folder has.
        root: The folder.
        split: Whose collisions.
        height: Of the clips, pixels; 0: as the videos.

    Raises:
        ValueError: if the annotations are missing or wrong.
    """
    finder = DiskFinder(root=root, layout=data_set.layout)
    by_video: dict[str, list[CollisionRow]] = {}
    for row in read_annotations(finder.annotation_file(data_set.files[split]), has_pictures=split == "val"):
        by_video.setdefault(row.video_id, []).append(row)
    tasks, missing = [], []
    for video_id, rows in by_video.items():
        clips = tuple((row, root / f"clips/{row.annotation_id}.mp4") for row in rows if finder.clip(row) is None)
        has_sound = finder.sound(rows[0]) is not None
        if has_sound and not clips:
            continue
        video = finder.video(rows[0])
        if video is None:
            missing.append(f"video {video_id} ({len(rows)} collisions)")
        else:
            task = VideoTask(video=video, sound=root / f"audio/{video_id}.wav", clips=clips, height=height)
            tasks.append(task)
    return tasks, missing


def extract_all(tasks: Sequence[VideoTask], workers: int) -> Iterator[list[str]]:
    """Extracts some videos at once; yields for each what could not be made of it, one line each."""
    with ProcessPoolExecutor(workers, initializer=end_with_parent) as pool:
        yield from pool.map(extract, tasks)


def extract(task: VideoTask) -> list[str]:
    """Makes the files of one video that are not there yet; returns what could not be made, one line each."""
    failures = []
    try:
        if not task.sound.exists():
            extract_sound(task.video, task.sound)
    except (ValueError, OSError) as error:
        failures.append(str(error))
    for row, target in task.clips:
        try:
            extract_clip(task.video, row.start_s, row.stop_s, target, task.height)
        except (ValueError, OSError) as error:
            failures.append(f"{row.source}: {error}")
    return failures


def extract_sound(video: Path, target: Path) -> None:
    """Writes the sound of a video as mono 16-bit WAV at the models' rate; zeros where the video has none.

    Raises:
        ValueError: if the video cannot be read, has no sound, or does not say how long it is.
        OSError: if the file cannot be written.
    """
    media = MediaFile(video)
    if not media.has_sound:
        raise SampleError(f"{video} has no sound")
    if not media.duration_s:
        raise SampleError(f"{video} does not say how long it is: copy it into another container, as .mp4 or .mkv")
    with (
        written_whole(target) as hidden,
        soundfile.SoundFile(hidden, "w", MODEL_SAMPLE_RATE_HZ, 1, subtype="PCM_16", format="WAV") as file,
    ):
        for start_s in np.arange(0.0, media.duration_s, _PIECE_S):
            stop_s = min(float(start_s) + _PIECE_S, media.duration_s)
            try:
                file.write(read_sound(video, float(start_s), stop_s))
            except SampleError:  # a hole in the sound, or its end before that of the pictures
                file.write(np.zeros(round((stop_s - start_s) * MODEL_SAMPLE_RATE_HZ), np.float32))


def extract_clip(video: Path, start_s: float, stop_s: float, target: Path, height: int) -> None:
    """Writes the pictures of a stretch, without sound, as H.264; its first picture is the one nearest to the start.

    Args:
        video: A whole video.
        start_s: Start of the stretch, seconds from the start of the video.
        stop_s: Its end; one more picture is taken, so that a picture at the very end is found.
        target: An .mp4 file.
        height: Of its pictures, pixels; 0, or more than those of the video: as the video.

    Raises:
        ValueError: if the video cannot be read or has no pictures there.
        OSError: if the file cannot be written.
    """
    media = MediaFile(video)
    margin_ns = round(media.frame_s * NS_PER_S / 2) if media.has_pictures else 0
    begin_ns, end_ns = round(start_s * NS_PER_S) - margin_ns, round(stop_s * NS_PER_S) + 2 * margin_ns
    with written_whole(target) as hidden:
        if not _encode(media.pictures(begin_ns, end_ns), hidden, media.frame_s, height):
            raise SampleError(f"{video} has no pictures between {start_s:.3f} s and {stop_s:.3f} s")


def _encode(pictures: Iterator[Picture], path: Path, frame_s: Fraction, height: int) -> int:
    """Writes pictures with the times that they have, and returns how many."""
    first_ns = None
    count = 0
    with av.open(str(path), "w", format="mp4") as container:
        stream = cast(av.VideoStream, container.add_stream("libx264", rate=1 / frame_s, options=_ENCODER))
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, _TICKS_HZ)
        for picture in pictures:
            image = _shrunk(picture.image, height)
            if first_ns is None:
                first_ns = picture.time_ns
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = round((picture.time_ns - first_ns) * _TICKS_HZ / NS_PER_S)
            frame.time_base = stream.time_base
            container.mux(stream.encode(frame))
            count += 1
        if count:
            container.mux(stream.encode())
    return count


def _shrunk(image: UInt8Image, height: int) -> UInt8Image:
    """At most this high, in the same shape, with even sides, which H.264 wants."""
    scale = min(1.0, height / image.shape[0]) if height else 1.0
    new_height, new_width = (max(2, 2 * round(side * scale / 2)) for side in image.shape[:2])
    return cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
