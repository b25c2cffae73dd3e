"""From the names of the command line to rows: `centre`, `oracle`, `preset:micro,strategy=right`, ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import torch
import yaml

from cs3_model.build import Preset, build_pipeline, load_preset
from cs3_model.config_mapping import from_mapping
from cs3_model.pipeline import CollisionPipeline, PipelineConfig
from cs3_model.placement import Precision
from cs3_model.preset_files import preset_names
from cs3_model.strategies import Strategy, choose_masks, first_of_each_role
from cs3_model.types import AudioWindow, Candidate, CollisionResult, Frame
from cs3_model.verification import VerificationConfig
from training.evaluation.baselines.prior_map import PriorMap
from training.evaluation.baselines.simple_rows import (
    best_choice,
    by_strategy,
    centre_square,
    held_and_nearest,
    random_objects,
    random_square,
)
from training.evaluation.baselines.told import Told, segment_told
from training.evaluation.oracle import best_for, with_true_masks
from training.evaluation.row import LoadedSample, Row, Sound

Choice = TypeVar("Choice", Sound, Told)
PRESET_PREFIX = "preset:"
MIXTURE_PREFIX = "mixture:"
PRIOR_MAP = "prior-map"
ORACLE = "oracle"
_ORACLES = {ORACLE: first_of_each_role, "oracle-of-all": tuple}
"""Strategies of presets that know the truth, and which candidates they choose among."""


_WITH_RANDOM_TOKEN = {"clipseg": "clipseg-random-token", "micro": "micro-random-token"}
"""Audio-visual parts, and the same networks around a random projection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    label: str
    """With a dagger if it knows the scene; the report explains it."""
    predict: Callable[..., CollisionResult]
    """Takes a scene, and the seed if `is_random`."""
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
    "adjacent": _Known(label="Adjacent †", predict=partial(by_strategy, strategy=Strategy.ADJACENT)),
    ORACLE: _Known(label="Oracle choice †", predict=best_choice),
}

METHOD_NAMES = (*_KNOWN, PRIOR_MAP, f"{MIXTURE_PREFIX}FILE[,weights=FILE]", f"{PRESET_PREFIX}NAME[,field=value...]")
"""Every name that `build_row` takes."""


def build_row(
    name: str,
    *,
    device: torch.device,
    seed: int,
    prior_map: PriorMap | None,
    precision: Precision = Precision.FLOAT32,
) -> Row:
    """Builds a row.

    Args:
        name: One of `METHOD_NAMES`. A preset may be followed by fields of `PipelineConfig` that differ from it (the
            ablations of Tables 2 and 3; `localisation.threshold=0.7` for a field of a field), by `strategy=oracle` (the
            best choice among the candidates that are weighed, one per role) or `strategy=oracle-of-all` (also among
            those that were passed over for a likelier one), by `sound=silent`, `noise`, `other-clip` or `shuffled` (with
            `shuffle=1` another shuffle), by `told=boxes` or `told=points` (segments the true objects, chooses nothing),
            and by `true_masks=true`. With the parts of `micro`, `weights=FILE` takes other weights,
            `token=random` the pretrained networks around a random projection (Table 1, Random),
            `weak=FILE` the map of the weakly supervised weights in the file, and `words=struck` the map of these
            words, without sound.
        device: Where networks run.
        seed: Fixes random choices and random weights.
        prior_map: Needed by `prior-map`.
        precision: Of the networks with published weights, whatever the preset says.

    Raises:
        ValueError: if there is no such method or field, or it cannot be built.
    """
    if name.startswith(PRESET_PREFIX):
        return _preset_row(name, device, seed, precision)
    if name.startswith(MIXTURE_PREFIX):
        return _mixture_row(name, device, seed)
    if name == PRIOR_MAP:
        if prior_map is None:
            raise ValueError(f"method '{PRIOR_MAP}' needs training samples: name them with --prior-data")
        return Row(name=name, label="Prior map", predict=prior_map.predict)
    if name not in _KNOWN:
        raise ValueError(f"method must be one of {', '.join(METHOD_NAMES)}, got '{name}'")
    known = _KNOWN[name]
    predict = partial(known.predict, seed=seed) if known.is_random else known.predict
    return Row(name=name, label=known.label, predict=predict, needs_whole_scene=known.needs_whole_scene)


def _preset_row(name: str, device: torch.device, seed: int, precision: Precision) -> Row:
    fields = _read_fields(name, PRESET_PREFIX)
    preset = replace(_preset(name, fields), precision=precision)
    sound = _read_choice(Sound, "sound", fields.pop("sound", Sound.OWN.value)) or Sound.OWN
    shuffle = fields.pop("shuffle", 0)
    words = fields.pop("words", "")
    true_masks = fields.pop("true_masks", False)
    told = _read_choice(Told, "told", fields.pop("told", None))
    among = _ORACLES.get(str(fields.get("strategy")))
    if among is not None:
        del fields["strategy"]
    config = _changed(preset.pipeline, fields)
    pipeline = _parts(replace(preset, pipeline=PipelineConfig()), device, seed)
    if config.strategy is Strategy.TOUCH and not pipeline.hands.names_touched:
        raise ValueError(
            f"method '{name}': the hand detector {pipeline.hands.name} does not say what a held object touches (Hands23's "
            "second object); take a preset whose part hands is hands23, or strategy=adjacent"
        )
    # Of the verification, proposals depend on what counts as one object alone; of the strategies, on `touch` alone.
    verification = VerificationConfig(merge_iou=config.verification.merge_iou)
    strategy = Strategy.TOUCH if config.strategy is Strategy.TOUCH else Strategy.OURS
    proposing = replace(config, strategy=strategy, verification=verification)
    candidates = _candidates(pipeline, str(words), proposing)
    if told is not None:
        predict = partial(segment_told, pipeline.boxes, told)
    else:
        predict = partial(_choose, candidates, config) if among is None else partial(_best_of, candidates, among)
    has_random_token = preset.parts.audio_visual in _WITH_RANDOM_TOKEN.values()
    return Row(
        name=name,
        label=name.removeprefix(PRESET_PREFIX),
        predict=partial(_outlined, predict) if true_masks else predict,
        sound=sound,
        shuffle=shuffle,
        needs_whole_scene=bool(true_masks),
        models=pipeline.models,
        trained=pipeline.trained or has_random_token,  # random by intent: the figures mean what they say
    )


def _changed(config: PipelineConfig, fields: Mapping[str, object]) -> PipelineConfig:
    """Another value for some fields; `localisation.threshold` is a field of a field."""
    for name, value in fields.items():
        outer, _, inner = name.partition(".")
        read = getattr(from_mapping(PipelineConfig, {outer: {inner: value} if inner else value}), outer)
        if inner:
            read = replace(getattr(config, outer), **{inner: getattr(read, inner)})
        config = replace(config, **{outer: read})
    return config


def _mixture_row(name: str, device: torch.device, seed: int) -> Row:
    from training.evaluation.baselines.mix_localize import MixtureBaseline

    fields = _read_fields(name, MIXTURE_PREFIX)
    path = Path(str(fields.pop("name")))
    micro = _parts(_preset(name, {"name": "micro", **fields}), device, seed).audio_visual
    return Row(
        name=name,
        label=f"two-mask mixture ({path.name})",
        predict=MixtureBaseline(micro.networks, micro.tower, path).predict,
    )


def _read_fields(name: str, prefix: str) -> dict[str, object]:
    """What stands after the prefix: `name`, and the fields with their values."""
    first, *assignments = name.removeprefix(prefix).split(",")
    fields: dict[str, object] = {"name": first}
    for assignment in assignments:
        field, separator, value = assignment.partition("=")
        if not separator:
            raise ValueError(f"method '{name}': expected field=value after the preset, got '{assignment}'")
        fields[field] = yaml.safe_load(value)
    return fields


def _preset(name: str, fields: dict[str, object]) -> Preset:
    """The preset that a method names; takes what says so, and whose weights it has, out of the fields."""
    preset_name = str(fields.pop("name"))
    if not preset_name:
        raise ValueError(f"method '{name}' names no preset; choose one of {', '.join(preset_names())}, or a .yaml file")
    preset = load_preset(preset_name)
    if "weights" in fields:
        preset = replace(preset, micro_weights=str(fields.pop("weights")))
    if "weak" in fields:
        parts = replace(preset.parts, audio_visual="micro-weak")
        preset = replace(preset, parts=parts, audio_weights=str(fields.pop("weak")))
    if "token" in fields:
        if (token := fields.pop("token")) != "random":
            raise ValueError(f"method '{name}': token must be random, got '{token}'")
        part = preset.parts.audio_visual
        if part not in _WITH_RANDOM_TOKEN:
            raise ValueError(
                f"method '{name}': token=random needs the part {' or '.join(_WITH_RANDOM_TOKEN)}, not {part}"
            )
        preset = replace(preset, parts=replace(preset.parts, audio_visual=_WITH_RANDOM_TOKEN[part]))
    return preset


def _read_choice(kind: type[Choice], field: str, value: object) -> Choice | None:
    choices = [choice.value for choice in kind]
    if value is not None and value not in choices:
        raise ValueError(f"{field} must be one of {', '.join(choices)}, got '{value}'")
    return None if value is None else kind(value)


@lru_cache(maxsize=8)
def _parts(preset: Preset, device: torch.device, seed: int) -> CollisionPipeline:
    """Rows of one preset share its networks, and what these keep of the latest picture."""
    return build_pipeline(preset, device=device, seed=seed)


@lru_cache(maxsize=64)
def _candidates(parts: CollisionPipeline, words: str, config: PipelineConfig) -> LatestCandidates:
    """Rows that choose differently among the same candidates share them."""
    audio_visual = parts.audio_visual
    if words:
        from training.evaluation.baselines.prompted_map import PromptedMap

        audio_visual = PromptedMap(audio_visual.networks, audio_visual.tower, words.split())
    return LatestCandidates(
        CollisionPipeline(audio_visual=audio_visual, hands=parts.hands, boxes=parts.boxes, config=config)
    )


class LatestCandidates:
    """What a pipeline proposes for a scene; asked again about the same one, it remembers.

    Args:
        pipeline: makes the candidates.
    """

    def __init__(self, pipeline: CollisionPipeline) -> None:
        self._pipeline = pipeline
        self._latest: tuple[Frame, AudioWindow, tuple[Candidate, ...]] | None = None

    def __call__(self, scene: LoadedSample) -> tuple[Candidate, ...]:
        """The candidates, before any choice."""
        if self._latest is None or self._latest[0] is not scene.frame or self._latest[1] is not scene.window:
            result = self._pipeline.process(scene.frame, scene.window)
            self._latest = scene.frame, scene.window, result.candidates
        return self._latest[2]


def _choose(candidates: LatestCandidates, config: PipelineConfig, scene: LoadedSample) -> CollisionResult:
    found = candidates(scene)
    return replace(choose_masks(found, config.strategy, config.verification), candidates=found)


def _best_of(
    candidates: LatestCandidates, among: Callable[[Sequence[Candidate]], Sequence[Candidate]], scene: LoadedSample
) -> CollisionResult:
    return best_for(among(candidates(scene)), scene)


def _outlined(predict: Callable[[LoadedSample], CollisionResult], scene: LoadedSample) -> CollisionResult:
    return with_true_masks(predict(scene), scene)
