"""From the names of the command line to rows: `centre`, `oracle`, `preset:micro,strategy=right`, ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
import yaml

from cs3_model.build import build_pipeline, load_preset, preset_names
from cs3_model.config import from_mapping
from cs3_model.pipeline import CollisionPipeline, PipelineConfig
from cs3_model.strategies import Strategy
from cs3_model.types import CollisionResult
from training.prior_map import PriorMap
from training.rows import (
    Row,
    Scene,
    Sound,
    best_choice,
    by_strategy,
    centre_square,
    held_and_nearest,
    oracle,
    random_objects,
    random_square,
)

PRESET_PREFIX = "preset:"
PRIOR_MAP = "prior-map"
ORACLE = "oracle"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    label: str
    """With a dagger if it knows the scene; the report explains it."""
    predict: Callable[..., CollisionResult]
    """Of a scene, and the seed if `is_random`."""
    is_random: bool = False
    needs_whole_scene: bool = True


_KNOWN: Mapping[str, _Known] = {
    "centre": _Known(label="Centre (10 % square)", predict=centre_square, needs_whole_scene=False),
    "random-square": _Known(
        label="Random (10 % square)", predict=random_square, is_random=True, needs_whole_scene=False
    ),
    "random-objects": _Known(label="Random objects †", predict=random_objects, is_random=True),
    "right": _Known(label="Right †", predict=partial(by_strategy, strategy=Strategy.RIGHT)),
    "left": _Known(label="Left †", predict=partial(by_strategy, strategy=Strategy.LEFT)),
    "right-left": _Known(label="Right-Left †", predict=partial(by_strategy, strategy=Strategy.RIGHT_LEFT)),
    "held-nearest": _Known(label="Held and nearest †", predict=held_and_nearest),
    "touch": _Known(label="Touch †", predict=partial(by_strategy, strategy=Strategy.TOUCH)),
    ORACLE: _Known(label="Oracle choice †", predict=best_choice),
}

METHOD_NAMES = (*_KNOWN, PRIOR_MAP, f"{PRESET_PREFIX}NAME[,field=value...]")
"""Every name that `build_row` takes."""


def build_row(name: str, *, device: torch.device, seed: int, prior_map: PriorMap | None) -> Row:
    """Builds a row.

    Args:
        name: One of `METHOD_NAMES`. A preset may be followed by fields of `PipelineConfig` that differ from it (the
            ablations of Tables 2 and 3), by `strategy=oracle` and by `sound=shuffled` or `sound=silent`.
        device: Where networks run.
        seed: Fixes random choices and random weights.
        prior_map: Needed by `prior-map`.

    Raises:
        ValueError: if there is no such method or field, or it cannot be built.
    """
    if name.startswith(PRESET_PREFIX):
        return _preset_row(name, device, seed)
    if name == PRIOR_MAP:
        if prior_map is None:
            raise ValueError(f"method '{PRIOR_MAP}' needs training samples: name them with --prior-data")
        return Row(name=name, label="Prior map", predict=prior_map.predict)
    if name not in _KNOWN:
        raise ValueError(f"method must be one of {', '.join(METHOD_NAMES)}, got '{name}'")
    known = _KNOWN[name]
    predict = partial(known.predict, seed=seed) if known.is_random else known.predict
    return Row(name=name, label=known.label, predict=predict, needs_whole_scene=known.needs_whole_scene)


def _preset_row(name: str, device: torch.device, seed: int) -> Row:
    preset_name, *assignments = name.removeprefix(PRESET_PREFIX).split(",")
    if not preset_name:
        raise ValueError(f"method '{name}' names no preset; choose one of {', '.join(preset_names())}, or a .yaml file")
    fields = _read_fields(name, assignments)
    sound = _read_sound(fields.pop("sound", Sound.OWN.value))
    is_oracle = fields.get("strategy") == ORACLE
    if is_oracle:
        del fields["strategy"]
    preset = load_preset(preset_name)
    changed = from_mapping(PipelineConfig, fields)
    config = replace(preset.pipeline, **{field: getattr(changed, field) for field in fields})
    pipeline = build_pipeline(replace(preset, pipeline=config), device=device, seed=seed)
    return Row(
        name=name,
        label=name.removeprefix(PRESET_PREFIX),
        predict=partial(_best_of_pipeline if is_oracle else _run_pipeline, pipeline),
        sound=sound,
        models=pipeline.models,
        trained=pipeline.trained,
    )


def _read_fields(name: str, assignments: list[str]) -> dict[str, object]:
    fields = {}
    for assignment in assignments:
        field, separator, value = assignment.partition("=")
        if not separator:
            raise ValueError(f"method '{name}': expected field=value after the preset, got '{assignment}'")
        fields[field] = yaml.safe_load(value)
    return fields


def _read_sound(value: object) -> Sound:
    choices = [sound.value for sound in Sound]
    if value not in choices:
        raise ValueError(f"sound must be one of {', '.join(choices)}, got '{value}'")
    return Sound(value)


def _run_pipeline(pipeline: CollisionPipeline, scene: Scene) -> CollisionResult:
    return pipeline.process(scene.frame, scene.window)


def _best_of_pipeline(pipeline: CollisionPipeline, scene: Scene) -> CollisionResult:
    return oracle(pipeline.process(scene.frame, scene.window).candidates, scene)
