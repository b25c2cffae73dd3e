"""EPIC-CS3 and Ego4D-CS3: the official CSV files joined with videos, pictures, sounds and masks on the user's disk."""

from __future__ import annotations

import logging
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cs3_model.types import UInt8Image
from training.data.annotations import CollisionRow, read_annotations
from training.data.clip_media import read_image, read_picture
from training.data.folder_layout import DiskFinder, FolderLayout
from training.data.mask_files import read_label_map, read_object_masks
from training.data.name_proposals import first_names, propose_names
from training.data.samples import DataSet, Sample, SampleError, SceneObject, SoundSegment
from training.data.visor import VisorObject, add_visor, read_visor

T = TypeVar("T")
logger = logging.getLogger(__name__)

EPIC_LAYOUT = FolderLayout(
    annotations=("", "annotations", "annotations/epic"),
    videos=(
        "videos/{video}", "{participant}/videos/{video}", "EPIC-KITCHENS/{participant}/videos/{video}",
        "videos/{participant}/{video}", "videos/train/{participant}/{video}", "videos/test/{participant}/{video}",
        "{participant}/{video}", "{video}",
    ),
    frame_folders=(
        "frames/{video}", "rgb_frames/{video}", "{participant}/rgb_frames/{video}",
        "EPIC-KITCHENS/{participant}/rgb_frames/{video}", "frames/{participant}/{video}",
    ),
)  # fmt: skip
"""EPIC-KITCHENS-55 and -100 as their download scripts leave them, or flat folders."""

EGO4D_LAYOUT = FolderLayout(
    annotations=("", "annotations", "annotations/ego4d"),
    videos=(
        "videos/{video}", "v2/full_scale/{video}", "v1/full_scale/{video}", "full_scale/{video}",
        "v2/video_540ss/{video}", "video_540ss/{video}", "{video}",
    ),
)  # fmt: skip
"""Ego4D as its download tool leaves it, or flat folders."""

EPIC_FILES = {"train": "epic_train_filtered.csv", "val": "epic_val_filtered.csv"}
EGO4D_FILES = {"train": "ego4d_train_filtered.csv", "val": "ego4d_val_filtered.csv"}
"""The training file was not at hand: that it has the columns of the validation file but for the selected picture is
inferred from EPIC-CS3; another layout is refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RealDataSet:
    """What tells one real data set from the other."""

    name: str
    files: Mapping[str, str]
    """CSV file of each split."""
    layout: FolderLayout
    frame_rate_hz: Callable[[str], float]
    """Rate at which pictures of a video are extracted."""


def _epic_frame_rate(video_id: str) -> float:
    """60 Hz for EPIC-KITCHENS-55; the videos that EPIC-KITCHENS-100 added have three-digit numbers and 50 Hz."""
    return 50.0 if len(video_id.rpartition("_")[2]) == 3 else 60.0


EPIC_CS3 = RealDataSet(
    name="epic_cs3", files=EPIC_FILES, layout=EPIC_LAYOUT, frame_rate_hz=_epic_frame_rate
)  # fmt: skip
EGO4D_CS3 = RealDataSet(name="ego4d_cs3", files=EGO4D_FILES, layout=EGO4D_LAYOUT, frame_rate_hz=lambda video_id: 30.0)


def open_real(data_set: RealDataSet, root: Path, split: str) -> DataSet:
    """Reads the rows of a split and finds their files.

    Raises:
        ValueError: if the CSV file is missing or wrong. Missing media are listed in the result instead.
    """
    finder = DiskFinder(root=root, layout=data_set.layout)
    rows = read_annotations(finder.annotation_file(data_set.files[split]), has_pictures=split == "val")
    visor = _VisorFolder(root / "visor")
    missing: Counter[tuple[str, str]] = Counter()
    samples = tuple(_sample(data_set, split, row, finder, visor, missing) for row in rows)
    kinds = dict.fromkeys(kind for kind, _ in missing)
    visor.tell_unused({row.video_id for row in rows})
    return DataSet(
        name=data_set.name,
        split=split,
        samples=samples,
        missing=tuple(f"{kind} of {owner} ({_count(number)})" for (kind, owner), number in sorted(missing.items())),
        places=tuple(_where(kind, data_set, finder, rows, missing) for kind in kinds),
    )


def _sample(
    data_set: RealDataSet,
    split: str,
    row: CollisionRow,
    finder: DiskFinder,
    visor: _VisorFolder,
    missing: Counter[tuple[str, str]],
) -> Sample:
    picture_at = _picture_source(row, finder, data_set.frame_rate_hz(row.video_id))
    picture_s = (row.start_s + row.stop_s) / 2 if row.picture_s is None else row.picture_s
    load_image: Callable[[], UInt8Image]
    if row.picture_s is not None and (image := finder.image(row)):
        load_image = partial(read_image, image)
    elif picture_at is not None:
        load_image = partial(picture_at, picture_s)
    else:
        load_image = _absent("pictures", row, finder, missing)
    sound = _sound(row, finder)
    if sound is None:
        _absent("sound", row, finder, missing)
        sound = SoundSegment(path=finder.root / f"audio/{row.video_id}.wav", start_s=row.start_s, stop_s=row.stop_s)
    annotated = visor.objects(row)
    load_objects = _truth(row, finder, load_image, annotated, missing) if row.picture_s is not None else None
    return Sample(
        sample_id=row.annotation_id,
        data_set=data_set.name,
        split=split,
        load_image=partial(_for_row, row.source, load_image),
        sound=sound,
        load_image_at=None if picture_at is None else partial(_after_start, row, picture_at),
        load_objects=None if load_objects is None else partial(_for_row, row.source, load_objects),
        knows_whole_scene=bool(annotated),
        materials=row.materials,
    )


def _picture_source(row: CollisionRow, finder: DiskFinder, rate_hz: float) -> Callable[[float], UInt8Image] | None:
    """What reads the picture at a time of the whole video; a clip first, where a seek costs less."""
    if folder := finder.frame_folder(row):
        return partial(_read_frame, folder, rate_hz)
    if clip := finder.clip(row):
        return partial(_read_from_clip, clip, row.start_s)
    if video := finder.video(row):
        return partial(read_picture, video)
    return None


def _sound(row: CollisionRow, finder: DiskFinder) -> SoundSegment | None:
    """Whole files first: they hold the sound before and after the segment."""
    if whole := finder.sound(row) or finder.video(row):
        return SoundSegment(path=whole, start_s=row.start_s, stop_s=row.stop_s, picture_s=row.picture_s)
    if clip := finder.clip(row):
        picture_s = None if row.picture_s is None else row.picture_s - row.start_s
        return SoundSegment(path=clip, start_s=0.0, stop_s=row.stop_s - row.start_s, picture_s=picture_s)
    return None


def _truth(
    row: CollisionRow,
    finder: DiskFinder,
    load_image: Callable[[], UInt8Image],
    annotated: tuple[VisorObject, ...],
    missing: Counter[tuple[str, str]],
) -> Callable[[], tuple[SceneObject, ...]]:
    files = finder.masks(row)
    if not files:
        return _absent("masks", row, finder, missing)
    return partial(_read_objects, files, load_image, annotated)


def _read_objects(
    files: tuple[Path, ...], load_image: Callable[[], UInt8Image], annotated: tuple[VisorObject, ...]
) -> tuple[SceneObject, ...]:
    size_hw = load_image().shape[:2]
    masks = read_label_map(files[0], size_hw) if len(files) == 1 else read_object_masks(files, size_hw)
    return add_visor([SceneObject(mask=mask, is_colliding=True) for mask in masks], annotated, size_hw)


def _read_frame(folder: Path, rate_hz: float, time_s: float) -> UInt8Image:
    path = folder / f"frame_{max(1, round(rate_hz * time_s)):010d}.jpg"
    if not path.is_file():
        raise SampleError(f"{path} does not exist; {folder} holds {first_names(folder)}")
    return read_image(path)


def _read_from_clip(path: Path, clip_start_s: float, time_s: float) -> UInt8Image:
    return read_picture(path, time_s - clip_start_s)


def _after_start(row: CollisionRow, picture_at: Callable[[float], UInt8Image], offset_s: float) -> UInt8Image:
    return _for_row(row.source, partial(picture_at, row.start_s + offset_s))


def _for_row(source: str, load: Callable[[], T]) -> T:
    try:
        return load()
    except SampleError as error:
        raise SampleError(f"{source}: {error}") from None


def _absent(kind: str, row: CollisionRow, finder: DiskFinder, missing: Counter[tuple[str, str]]) -> Callable[[], Any]:
    """Counts what is missing, and returns a loader that says so."""
    owner = _owner(kind, row)
    missing[kind, owner] += 1
    return partial(
        _raise_absent, f"no {kind} of {owner} below {finder.root}; looked for {_places(kind, finder.layout)}"
    )


def _owner(kind: str, row: CollisionRow) -> str:
    return row.annotation_id if kind == "masks" else f"video {row.video_id}"


def _places(kind: str, layout: FolderLayout) -> str:
    return {"pictures": layout.picture_places, "sound": layout.sound_places, "masks": layout.mask_places}[kind]()


def _where(
    kind: str,
    data_set: RealDataSet,
    finder: DiskFinder,
    rows: Sequence[CollisionRow],
    missing: Counter[tuple[str, str]],
) -> str:
    """Where a kind of file was looked for; and of pictures and masks, what is there under other names."""
    place = f"{_places(kind, data_set.layout)} below {finder.root}"
    if kind == "sound":
        return place
    templates, suffix = {"pictures": (data_set.layout.images, ".jpg"), "masks": (data_set.layout.masks, ".png")}[kind]
    proposal = propose_names(
        finder.root,
        [template.rpartition("/")[0] for template in templates],
        suffix,
        {index: row for index, row in enumerate(rows) if (kind, _owner(kind, row)) in missing},
        lambda row: round(data_set.frame_rate_hz(row.video_id) * (row.picture_s or row.start_s)),
    )
    return f"{place}\n{textwrap.indent(proposal, '  ')}" if proposal else place


def _raise_absent(message: str) -> Any:
    raise SampleError(message)


def _count(number: int) -> str:
    return "1 collision" if number == 1 else f"{number} collisions"


class _VisorFolder:
    """VISOR's JSON files, if the user has them: `visor/P01_01.json`, ... and `visor/frame_mapping.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._videos: dict[str, dict[str, tuple[VisorObject, ...]]] = {}

    def tell_unused(self, video_ids: set[str]) -> None:
        """Warns if the folder is there but has no file for any video."""
        if not self._folder.is_dir() or any((self._folder / f"{video_id}.json").is_file() for video_id in video_ids):
            return
        found = {path.name: path for path in sorted(self._folder.rglob("*.json"))}
        fitting = [f"{found[name].relative_to(self._folder.parent)} -> visor/{name}"
                   for name in sorted(f"{video_id}.json" for video_id in video_ids) if name in found]  # fmt: skip
        needed = ", ".join(sorted(f"visor/{video_id}.json" for video_id in video_ids)[:10])
        logger.warning(
            "%s has no file of any of the %d videos, so that VISOR is not used; it holds %s; %s",
            self._folder,
            len(video_ids),
            first_names(self._folder),
            f"these would fit: {', '.join(fitting[:10])}" if fitting else f"needed, for instance: {needed}",
        )

    def objects(self, row: CollisionRow) -> tuple[VisorObject, ...]:
        """What VISOR annotates in the very picture of a collision; empty if nothing."""
        path = self._folder / f"{row.video_id}.json"
        if row.picture_s is None or not path.is_file():
            return ()
        if row.video_id not in self._videos:
            self._videos[row.video_id] = read_visor(path, self._folder / "frame_mapping.json")
        number = round(_epic_frame_rate(row.video_id) * row.picture_s)
        return self._videos[row.video_id].get(f"{row.video_id}_frame_{number:010d}.jpg", ())
