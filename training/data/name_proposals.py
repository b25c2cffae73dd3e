"""What to do where files are there but under other names: which names were found, and which renaming would fit."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from training.data.annotations import CollisionRow

_SHOWN = 10
_MOST_FILES = 50_000
_FILLERS = {
    "frame",
    "frames",
    "mask",
    "masks",
    "image",
    "images",
    "img",
    "gt",
    "label",
    "labels",
    "object",
    "obj",
    "val",
}
_OBJECT_NUMBERS = (0, 1, 2)
Tokens = tuple[str | int, ...]


def propose_names(
    root: Path,
    folders: Iterable[str],
    suffix: str,
    rows: Mapping[int, CollisionRow],
    number_of: Callable[[CollisionRow], int],
) -> str:
    """Says which files lie in the folders of a kind of file, and how they would have to be called.

    Args:
        root: The folder of the data set.
        folders: Where files of this kind belong, below `root`, the preferred one first.
        suffix: That they have, such as ".png".
        rows: The collisions whose file was not found, by their place in the annotations, counted from 0.
        number_of: The number of a collision's picture in its video.

    Returns:
        A few lines; empty if none of the folders is there.
    """
    found = list(_files(root, folders))
    if not found:
        return ""
    lines = [f"found there, {_first(found)}"]
    first_folder = next(iter(folders))
    pattern, names = _best_pattern(found, rows, number_of)
    if names:
        renaming = [f"{path} -> {first_folder}/{name}{suffix}" for path, name in names.items()]
        lines.append(f"named by {pattern}, {len(names)} of them would fit if renamed, the first:")
        lines += [f"  {line}" for line in renaming[:_SHOWN]]
        if any(not path.endswith(suffix) for path in names):
            lines.append(f"  and convert them to {suffix}")
    else:
        needed = ", ".join(f"{first_folder}/{row.annotation_id}{suffix}" for row in [*rows.values()][:_SHOWN])
        lines.append(f"no rule was found by which they would fit; needed, the first of {len(rows)}: {needed}")
    return "\n".join(lines)


def first_names(folder: Path) -> str:
    """The first ten names in a folder, in words."""
    names = sorted(path.name for path in itertools.islice(folder.iterdir(), _MOST_FILES))
    return _first(names) if names else "nothing"


def _first(names: Sequence[str]) -> str:
    return f"the first of {len(names)}: {', '.join(names[:_SHOWN])}" if len(names) > _SHOWN else ", ".join(names)


def _files(root: Path, folders: Iterable[str]) -> list[str]:
    """Paths below the root, sorted; not more than can be looked through at once."""
    paths = itertools.chain.from_iterable((root / folder).rglob("*") for folder in folders if (root / folder).is_dir())
    files = itertools.islice((path for path in paths if path.is_file()), _MOST_FILES)
    return sorted({path.relative_to(root).as_posix() for path in files})


def _best_pattern(
    found: Sequence[str], rows: Mapping[int, CollisionRow], number_of: Callable[[CollisionRow], int]
) -> tuple[str, dict[str, str]]:
    """The rule that fits most collisions, and for each file that it fits the name that it should have."""
    by_tokens: dict[Tokens, str] = {}
    for path in found:
        # The name alone, and the name with its folders: masks/P01_14/98.png says the video in its folder.
        parts = Path(path).with_suffix("").parts[1:]
        for text in (parts[-1], " ".join(parts)):
            by_tokens.setdefault(_tokens(text), path)
    rules: Mapping[str, Callable[[int, CollisionRow], str]] = {
        "annotation": lambda index, row: row.annotation_id,
        "video and number of the picture": lambda index, row: f"{row.video_id} {number_of(row)}",
        "row of the annotations, counted from 0": lambda index, row: str(index),
        "row of the annotations, counted from 1": lambda index, row: str(index + 1),
    }
    fits = {rule: _renaming(by_tokens, [key(index, row) for index, row in rows.items()], rows)
            for rule, key in rules.items()}  # fmt: skip
    best = max(fits, key=lambda rule: len(fits[rule]))
    return best, fits[best]


def _renaming(by_tokens: Mapping[Tokens, str], keys: Sequence[str], rows: Mapping[int, CollisionRow]) -> dict[str, str]:
    names: dict[str, str] = {}
    for key, row in zip(keys, rows.values(), strict=True):
        tokens = _tokens(key)
        if tokens in by_tokens:
            names[by_tokens[tokens]] = row.annotation_id
            continue
        for number in _OBJECT_NUMBERS:
            one_object = (*tokens, number)
            if one_object in by_tokens:
                names[by_tokens[one_object]] = f"{row.annotation_id}_{number}"
    return names


def _tokens(text: str) -> Tokens:
    """Words and numbers, without what only fills names: P01_14_frame_0000000098 is (p, 1, 14, 98)."""
    parts = re.findall(r"[a-z]+|\d+", text.lower())
    return tuple(int(part) if part.isdigit() else part for part in parts if part not in _FILLERS)
