"""What a data set is made of: its size, and the format of its samples. dataset.json keeps the latter."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cs3_model.files import write_whole
from training.simulation.rendering.renderers import RENDERERS
from training.simulation.scenario.difficulty import LEVELS
from training.simulation.scenario.splits import SPLITS, split_named

VERSION = 2
"""Raised when the seed of a sample that `check` finds true no longer gives the same one. Version 2 has other sounds."""
DURATION_S = 2.0
"""Length of the sound of a sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFormat:
    """Size and rate of what is written.

    Raises:
        ValueError: if a value is out of its range.
    """

    size_hw: tuple[int, int] = (352, 352)
    """Height and width of the pictures."""
    rate_hz: int = 16_000
    """Sample rate of the sound."""
    level: str | None = None
    """Difficulty of all scenes; None mixes them by `difficulty.SHARES`."""
    only_at_onset: bool = False
    """Whether to leave out the pictures before and after the onset, which cost two thirds of the time."""

    def __post_init__(self) -> None:
        if min(self.size_hw) < 64 or max(self.size_hw) > 1440:
            raise ValueError(f"SampleFormat.size_hw must be within 64 to 1440, got {self.size_hw}")
        if self.rate_hz not in (16_000, 48_000):
            raise ValueError(f"SampleFormat.rate_hz must be 16000 or 48000, got {self.rate_hz}")
        if self.level is not None and self.level not in LEVELS:
            raise ValueError(f"SampleFormat.level must be one of {', '.join(LEVELS)}, got {self.level!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationPlan:
    """What to generate.

    Raises:
        ValueError: if a value is out of its range.
    """

    root: Path
    """Folder of the data set."""
    sizes: dict[str, int] = field(default_factory=lambda: {name: split.num_samples for name, split in SPLITS.items()})
    """Number of samples by split; even, as a scene gives two."""
    form: SampleFormat = field(default_factory=SampleFormat)
    """Pictures, sound and level."""
    workers: int = 0
    """Number of processes; 0 takes all cores."""
    renderer: str = "filament"
    """filament, or classic."""
    keep_clean: bool = False
    """Whether to keep the sound without background as well."""

    def __post_init__(self) -> None:
        for name, size in self.sizes.items():
            split_named(name)
            if size < 0 or size % 2:
                raise ValueError(f"GenerationPlan.sizes[{name!r}] must be even and not negative, got {size}")
        if self.workers < 0:
            raise ValueError(f"GenerationPlan.workers must be 0 (all cores) or more, got {self.workers}")
        if self.renderer not in RENDERERS:
            raise ValueError(f"GenerationPlan.renderer must be one of {', '.join(RENDERERS)}, got {self.renderer!r}")


def claim(plan: GenerationPlan) -> None:
    """Writes what the data set is made of, or checks that it is the same.

    Raises:
        ValueError: if the folder holds a data set of another format, or cannot be written.
    """
    content = {"generator_version": VERSION, "renderer": plan.renderer, "format": asdict(plan.form)}
    text = json.dumps(content, indent=1)
    path = plan.root / "dataset.json"
    if path.exists():
        found, wanted = json.loads(path.read_text(encoding="utf-8")), json.loads(text)
        if found != wanted:
            raise ValueError(f"{path} was made with {found}, not with {wanted}: choose another folder")
        return
    write_whole(path, text.encode())


def stored_plan(root: Path) -> GenerationPlan:
    """What a data set on disk was made of; its sizes are not known.

    Raises:
        ValueError: if it is none, or another version of the generator made it.
    """
    path = root / "dataset.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        form = SampleFormat(**{**content["format"], "size_hw": tuple(content["format"]["size_hw"])})
        version, renderer = content["generator_version"], content["renderer"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} does not say what a data set of the world is made of ({error!r})") from error
    if version != VERSION:
        raise ValueError(f"{path} is of version {version} of the generator, not {VERSION}: make the data set again")
    return GenerationPlan(root=root, form=form, renderer=renderer)
