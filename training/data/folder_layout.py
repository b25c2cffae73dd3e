"""Finds videos, pictures, sounds and masks of the real data sets in the common layouts of a user's disk.

Every place is a template below the root folder, tried in order. ``{video}`` is the id of the video, ``{participant}``
what stands before its first underscore, ``{id}`` the id of the collision. Templates are tried by name; folders are
never listed, since a folder of extracted pictures may hold millions of files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.annotations import CollisionRow

VIDEO_SUFFIXES = (".mp4", ".MP4", ".mkv", ".webm", ".mov", ".MOV")
SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".m4a")
IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg")


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderLayout:
    """Where one data set may keep its files; templates without suffixes."""

    annotations: tuple[str, ...]
    """Folders of the CSV files."""
    videos: tuple[str, ...]
    """Whole videos."""
    clips: tuple[str, ...] = ("clips/{id}",)
    """Videos cut to one collision: they start at `start_timestamp`."""
    sounds: tuple[str, ...] = ("audio/{video}", "sound/{video}", "{participant}/audio/{video}")
    """Sound of whole videos in files of its own; preferred to that of the videos."""
    frame_folders: tuple[str, ...] = ("frames/{video}", "rgb_frames/{video}")
    """Folders of extracted pictures, `frame_%010d.jpg`."""
    images: tuple[str, ...] = ("images/{id}", "frames/{id}", "val/images/{id}", "val/frames/{id}")
    """The one annotated picture of a collision."""
    masks: tuple[str, ...] = ("masks/{id}", "val/masks/{id}")
    """True masks: `.png` label map, folder of PNG files, or files that end in `_0.png`, `_1.png` or `_1.png`, `_2.png`.
    """

    def picture_places(self) -> str:
        """Where pictures are looked for, in words."""
        folders = [f"{folder}/frame_%010d.jpg" for folder in self.frame_folders]
        return f"pictures: {', '.join((*self.images, *folders, *self.videos, *self.clips))}"

    def sound_places(self) -> str:
        """Where sound is looked for, in words."""
        return f"sound: {', '.join((*self.sounds, *self.videos, *self.clips))}"

    def mask_places(self) -> str:
        """Where masks are looked for, in words."""
        return f"masks: {', '.join(f'{mask}.png, {mask}/*.png, {mask}_0.png' for mask in self.masks)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DiskFinder:
    """Looks for the files of collisions below one folder."""

    root: Path
    layout: FolderLayout

    def annotation_file(self, name: str) -> Path:
        """The CSV file of a name; where it should be if there is none."""
        places = [self.root / folder / name for folder in self.layout.annotations]
        return next((place for place in places if place.is_file()), places[0])

    def video(self, row: CollisionRow) -> Path | None:
        return self._file(self.layout.videos, VIDEO_SUFFIXES, row)

    def clip(self, row: CollisionRow) -> Path | None:
        return self._file(self.layout.clips, VIDEO_SUFFIXES, row)

    def sound(self, row: CollisionRow) -> Path | None:
        return self._file(self.layout.sounds, SOUND_SUFFIXES, row)

    def image(self, row: CollisionRow) -> Path | None:
        return self._file(self.layout.images, IMAGE_SUFFIXES, row)

    def frame_folder(self, row: CollisionRow) -> Path | None:
        return next((place for place in self._places(self.layout.frame_folders, row) if place.is_dir()), None)

    def masks(self, row: CollisionRow) -> tuple[Path, ...]:
        """A single label map, or one file per object; empty if there is none."""
        for place in self._places(self.layout.masks, row):
            if (label_map := _with_suffix(place, ".png")).is_file():
                return (label_map,)
            if place.is_dir() and (files := sorted(place.glob("*.png"))):
                return tuple(files)
            numbered = [_with_suffix(place, f"_{number}.png") for number in range(3)]
            if files := [path for path in numbered if path.is_file()]:
                return tuple(files)
        return ()

    def _file(self, templates: Sequence[str], suffixes: Sequence[str], row: CollisionRow) -> Path | None:
        places = (_with_suffix(place, suffix) for place in self._places(templates, row) for suffix in suffixes)
        return next((place for place in places if place.is_file()), None)

    def _places(self, templates: Sequence[str], row: CollisionRow) -> Iterator[Path]:
        participant = row.video_id.split("_")[0]
        for template in templates:
            yield self.root / template.format(video=row.video_id, participant=participant, id=row.annotation_id)


def _with_suffix(path: Path, suffix: str) -> Path:
    """Appends; `Path.with_suffix` would cut ids that contain a dot."""
    return path.with_name(path.name + suffix)
