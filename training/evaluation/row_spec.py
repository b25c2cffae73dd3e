"""What a row of a results table is, as a value, and how the command line writes it.

`centre`, `prior-map`, `mixture:FILE,weights=FILE` or `preset:micro,strategy=right,use_crop=false`; docs/evaluation.md
lists them.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from cs3_model.config_mapping import from_mapping
from cs3_model.pipeline import PipelineConfig
from cs3_model.preset_files import preset_names
from training.evaluation.baselines.told import Told
from training.evaluation.row import Sound

T = TypeVar("T")
Choice = TypeVar("Choice", bound=enum.Enum)
Change = tuple[str, object]
"""A field of `PipelineConfig`, `localisation.threshold` for a field of a field, and its value as YAML has it."""
_PRESET, _MIXTURE = "preset:", "mixture:"


class SimpleRow(str, enum.Enum):
    """Rows without networks."""

    CENTRE = "centre"
    RANDOM_SQUARE = "random-square"
    RANDOM_OBJECTS = "random-objects"
    RIGHT = "right"
    LEFT = "left"
    RIGHT_LEFT = "right-left"
    HELD_NEAREST = "held-nearest"
    ADJACENT = "adjacent"
    ORACLE = "oracle"
    PRIOR_MAP = "prior-map"


class OracleChoice(str, enum.Enum):
    """Strategies of presets that know the truth: they take the best choice among some candidates."""

    ONE_PER_ROLE = "oracle"
    """Among the candidates that are weighed."""
    ALL = "oracle-of-all"
    """Also among those that were passed over for a likelier one."""
    WITH_MOTION = "oracle-with-motion"
    """Also among those that motion proposes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleSpec:
    """A row without networks."""

    row: SimpleRow

    def spelled(self, file: Callable[[Path], str] = str) -> str:
        """What the command line calls it; it names no file."""
        return self.row.value


@dataclass(frozen=True, kw_only=True, slots=True)
class MixtureSpec:
    """The baseline of two masks for mixed sounds."""

    file: Path | None = None
    """Of `training.micro.audio_visual.train_mix_localize`; None in a table whose files are not named yet."""
    weights: Path | None = None
    """Of `micro`; None: those that ship."""

    def spelled(self, file: Callable[[Path], str] = str) -> str:
        """What the command line calls it, with what `file` says for each file."""
        name = _MIXTURE + ("" if self.file is None else file(self.file))
        return name if self.weights is None else f"{name},weights={file(self.weights)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetSpec:
    """The pipeline of a preset, or an ablation of it (Tables 2 and 3).

    Raises:
        ValueError: if `changes` name no field of `PipelineConfig`, or have a value that it refuses.
    """

    preset: str
    """A name, or a .yaml file."""
    weights: Path | None = None
    """Other weights of the parts of `micro`."""
    weak: Path | None = None
    """Weakly supervised weights of `micro`, whose map is taken."""
    selection: Path | None = None
    """Other weights of the strategy `learned`."""
    random_token: bool = False
    """The pretrained networks around a random projection (Table 1, Random)."""
    changes: tuple[Change, ...] = ()
    """What differs from the preset."""
    oracle: OracleChoice | None = None
    """Chooses by the truth, in place of the strategy."""
    words: str = ""
    """With the parts of `micro`: the map of these words, without sound."""
    told: Told | None = None
    """Segments the true objects from this, chooses nothing."""
    sound: Sound = Sound.OWN
    """What it hears."""
    shuffle: int = 0
    """Which of many shuffles, where `sound` is `Sound.SHUFFLED`."""
    motion: bool = True
    """Whether it sees the pictures before and after, where its strategy asks for them."""
    true_masks: bool = False
    """Takes the true outlines of what it chose."""

    def __post_init__(self) -> None:
        changed(PipelineConfig(), self.changes)

    def spelled(self, file: Callable[[Path], str] = str) -> str:
        """What the command line calls it, with what `file` says for each file."""
        return ",".join([_PRESET + self.preset, *(f"{field}={value}" for field, value in self._assignments(file))])

    def _assignments(self, file: Callable[[Path], str]) -> Iterator[tuple[str, str]]:
        for field, path in (("weights", self.weights), ("weak", self.weak), ("selection", self.selection)):
            if path is not None:
                yield field, file(path)
        if self.random_token:
            yield "token", "random"
        for field, value in self.changes:
            yield field, str(value).lower() if isinstance(value, bool) else str(value)
        if self.oracle is not None:
            yield "strategy", self.oracle.value
        if self.words:
            yield "words", self.words
        if self.told is not None:
            yield "told", self.told.value
        if self.sound is not Sound.OWN:
            yield "sound", self.sound.value
        if self.sound is Sound.SHUFFLED:
            yield "shuffle", str(self.shuffle)
        if not self.motion:
            yield "motion", "false"
        if self.true_masks:
            yield "true_masks", "true"


RowSpec = SimpleSpec | MixtureSpec | PresetSpec

ROW_NAMES = (
    *(row.value for row in SimpleRow),
    f"{_MIXTURE}FILE[,weights=FILE]",
    f"{_PRESET}NAME[,field=value...]",
)
"""Every name that `parse_row` takes."""


def changed(config: PipelineConfig, changes: Sequence[Change]) -> PipelineConfig:
    """Another value for some fields, in this order.

    Raises:
        ValueError: if there is no such field, or the value is refused.
    """
    for name, value in changes:
        outer, _, inner = name.partition(".")
        read = getattr(from_mapping(PipelineConfig, {outer: {inner: value} if inner else value}), outer)
        if inner:
            read = replace(getattr(config, outer), **{inner: getattr(read, inner)})
        new: dict[str, Any] = {outer: read}
        config = replace(config, **new)
    return config


def parse_row(name: str) -> RowSpec:
    """Reads a row as the command line writes it.

    Args:
        name: One of `ROW_NAMES`. The fields of a preset are those of `PresetSpec`, where `token=random` and
            `strategy=oracle` or `oracle-of-all` stand for `random_token` and `oracle`, and those of `PipelineConfig`.

    Raises:
        ValueError: if there is no such row or field, or a value is refused.
    """
    if name.startswith(_PRESET):
        return _parse_preset(name, *_read_fields(name, _PRESET))
    if name.startswith(_MIXTURE):
        file, assignments = _read_fields(name, _MIXTURE)
        weights = assignments.pop("weights", None)
        if assignments or not file:
            raise ValueError(f"method '{name}' must be {_MIXTURE}FILE[,weights=FILE]")
        return MixtureSpec(file=Path(file), weights=None if weights is None else Path(weights))
    if name not in {row.value for row in SimpleRow}:
        raise ValueError(f"method must be one of {', '.join(ROW_NAMES)}, got '{name}'")
    return SimpleSpec(row=SimpleRow(name))


def _read_fields(name: str, prefix: str) -> tuple[str, dict[str, str]]:
    """What stands first after the prefix, and the fields that follow."""
    first, *assignments = name.removeprefix(prefix).split(",")
    values: dict[str, str] = {}
    for assignment in assignments:
        field, separator, value = assignment.partition("=")
        if not separator:
            raise ValueError(f"method '{name}': expected field=value after the preset, got '{assignment}'")
        values[field] = value
    return first, values


def _parse_preset(name: str, preset: str, texts: dict[str, str]) -> PresetSpec:
    if not preset:
        raise ValueError(f"method '{name}' names no preset; choose one of {', '.join(preset_names())}, or a .yaml file")
    files = {field: Path(texts.pop(field)) for field in ("weights", "weak", "selection") if field in texts}
    token = texts.pop("token", None)
    if token not in (None, "random"):
        raise ValueError(f"method '{name}': token must be random, got '{token}'")
    names_oracle = texts.get("strategy") in [choice.value for choice in OracleChoice]
    return PresetSpec(
        preset=preset,
        **files,
        random_token=token is not None,
        oracle=OracleChoice(texts.pop("strategy")) if names_oracle else None,
        words=texts.pop("words", ""),
        told=_read_choice(Told, "told", texts.pop("told")) if "told" in texts else None,
        sound=_read_choice(Sound, "sound", texts.pop("sound", Sound.OWN.value)),
        shuffle=_read_yaml(int, "shuffle", texts.pop("shuffle", "0")),
        motion=_read_yaml(bool, "motion", texts.pop("motion", "true")),
        true_masks=_read_yaml(bool, "true_masks", texts.pop("true_masks", "false")),
        # Last: what is left belongs to the pipeline.
        changes=tuple((field, _read_yaml(object, field, text)) for field, text in texts.items()),
    )


def _read_choice(kind: type[Choice], field: str, text: str) -> Choice:
    choices = [choice.value for choice in kind]
    if text not in choices:
        raise ValueError(f"{field} must be one of {', '.join(choices)}, got '{text}'")
    return kind(text)


def _read_yaml(kind: type[T], field: str, text: str) -> T:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ValueError(f"{field} must be a YAML value, got '{text}'") from None
    if not isinstance(value, kind):
        raise ValueError(f"{field} must be of type {kind.__name__}, got '{text}'")
    return value
