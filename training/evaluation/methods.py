"""From what a row is (`row_spec`) to a row that can be scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import torch

from cs3_model.build import Preset, build_pipeline, build_selection, load_preset
from cs3_model.moment.choice import SelectionConfig
from cs3_model.parts import AudioVisualSegmenter
from cs3_model.pipeline import CollisionPipeline, PipelineConfig, Proposed
from cs3_model.placement import Precision
from cs3_model.strategies import Strategy, first_of_each_role
from cs3_model.types import AudioWindow, Candidate, CollisionResult, Frame
from cs3_model.verification import VerificationConfig
from training.data.samples import Around
from training.evaluation.baselines.prior_map import PriorMap
from training.evaluation.baselines.simple_rows import (
    best_choice,
    by_strategy,
    centre_square,
    held_and_nearest,
    random_objects,
    random_square,
)
from training.evaluation.baselines.told import segment_told
from training.evaluation.oracle import best_for, with_true_masks
from training.evaluation.row import LoadedSample, Row
from training.evaluation.row_spec import MixtureSpec, OracleChoice, PresetSpec, RowSpec, SimpleRow, changed

if TYPE_CHECKING:
    from cs3_model.moment.selection import LearnedSelection
    from cs3_model.networks.micro.micro_parts import MicroAudioVisual

_WITH_RANDOM_TOKEN = {
    "clipseg": "clipseg-random-token",
    "micro": "micro-random-token",
    "micro-weak": "micro-random-token",
}
"""Audio-visual parts, and the same networks around a random projection."""

_CANDIDATES_FOR: Mapping[OracleChoice, Callable[[Sequence[Candidate]], Sequence[Candidate]]] = {
    OracleChoice.ONE_PER_ROLE: first_of_each_role,
    OracleChoice.ALL: tuple,
    OracleChoice.WITH_MOTION: tuple,
}


_PROPOSED_FOR: Mapping[OracleChoice, Strategy] = {
    OracleChoice.ONE_PER_ROLE: Strategy.OURS,
    OracleChoice.ALL: Strategy.OURS,
    OracleChoice.WITH_MOTION: Strategy.LEARNED,
}


class UnavailableRowError(ValueError):
    """The networks of a preset lack what a row is about; the message says what."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    label: str
    """With a dagger if it knows the scene; the report explains it."""
    predict: Callable[..., CollisionResult]
    """Takes a scene, and the seed if `is_random`."""
    is_random: bool = False
    needs_whole_scene: bool = True


_KNOWN: Mapping[SimpleRow, _Known] = {
    SimpleRow.CENTRE: _Known(label="Centre (10 % square)", predict=centre_square, needs_whole_scene=False),
    SimpleRow.RANDOM_SQUARE: _Known(
        label="Random (10 % square)", predict=random_square, is_random=True, needs_whole_scene=False
    ),
    SimpleRow.RANDOM_OBJECTS: _Known(label="Random objects †", predict=random_objects, is_random=True),
    SimpleRow.RIGHT: _Known(label="Right †", predict=partial(by_strategy, strategy=Strategy.RIGHT)),
    SimpleRow.LEFT: _Known(label="Left †", predict=partial(by_strategy, strategy=Strategy.LEFT)),
    SimpleRow.RIGHT_LEFT: _Known(label="Right-Left †", predict=partial(by_strategy, strategy=Strategy.RIGHT_LEFT)),
    SimpleRow.HELD_NEAREST: _Known(label="Held and nearest †", predict=held_and_nearest),
    SimpleRow.ADJACENT: _Known(label="Adjacent †", predict=partial(by_strategy, strategy=Strategy.ADJACENT)),
    SimpleRow.ORACLE: _Known(label="Oracle choice †", predict=best_choice),
}
"""All but the prior map, which is fitted."""


def build_row(
    spec: RowSpec,
    *,
    device: torch.device,
    seed: int,
    prior_map: PriorMap | None = None,
    precision: Precision = Precision.FLOAT32,
    name: str = "",
) -> Row:
    """Builds a row.

    Args:
        spec: What the row is.
        device: Where networks run.
        seed: Fixes random choices and random weights.
        prior_map: Needed by `SimpleRow.PRIOR_MAP`.
        precision: Of the networks with published weights, whatever the preset says.
        name: What reports call it; by default as `spec` spells it.

    Raises:
        UnavailableRowError: if the preset has no such row.
        ValueError: if it cannot be built.
    """
    name = name or spec.spelled()
    if isinstance(spec, PresetSpec):
        return _preset_row(spec, name, device, seed, precision)
    if isinstance(spec, MixtureSpec):
        return _mixture_row(spec, name, device, seed)
    if spec.row is SimpleRow.PRIOR_MAP:
        if prior_map is None:
            raise ValueError(f"method '{name}' needs training samples: name them with --prior-data")
        return Row(name=name, label="Prior map", predict=prior_map.predict)
    known = _KNOWN[spec.row]
    predict = partial(known.predict, seed=seed) if known.is_random else known.predict
    return Row(name=name, label=known.label, predict=predict, needs_whole_scene=known.needs_whole_scene)


def _preset_row(spec: PresetSpec, name: str, device: torch.device, seed: int, precision: Precision) -> Row:
    preset = replace(_preset(spec, name), precision=precision)
    config = changed(preset.pipeline, spec.changes)
    pipeline = _parts(replace(preset, pipeline=PipelineConfig()), device, seed)
    if config.strategy is Strategy.TOUCH and not pipeline.hands.names_touched:
        raise UnavailableRowError(
            f"method '{name}': the hand detector {pipeline.hands.name} does not say what a held object touches (Hands23's "
            "second object); take a preset whose part hands is hands23, or strategy=adjacent"
        )
    # Of the verification, proposals depend on what counts as one object alone; of the strategies, on these two alone.
    verification = VerificationConfig(merge_iou=config.verification.merge_iou)
    strategy = _PROPOSED_FOR[spec.oracle] if spec.oracle else _proposing(config.strategy)
    proposing = replace(config, strategy=strategy, verification=verification, selection=SelectionConfig())
    proposals = _proposals(pipeline, spec.words, proposing, spec.motion)
    predict: Callable[[LoadedSample], CollisionResult]
    if spec.told is not None:
        predict = partial(segment_told, pipeline.boxes, spec.told)
    elif spec.oracle is not None:
        predict = partial(_best_of, proposals, _CANDIDATES_FOR[spec.oracle])
    else:
        choosing = _with_config(pipeline, config, build_selection(replace(preset, pipeline=config)))
        predict = partial(_choose, proposals, choosing)
    has_random_token = preset.parts.audio_visual in _WITH_RANDOM_TOKEN.values()
    return Row(
        name=name,
        label=name.removeprefix("preset:"),
        predict=partial(_outlined, predict) if spec.true_masks else predict,
        sound=spec.sound,
        shuffle=spec.shuffle,
        needs_whole_scene=spec.true_masks,
        uses_motion=strategy is Strategy.LEARNED and spec.motion,
        models=pipeline.models,
        trained=pipeline.trained or has_random_token,  # random by intent: the figures mean what they say
    )


def _proposing(strategy: Strategy) -> Strategy:
    """The strategy whose proposals are the same."""
    return strategy if strategy in (Strategy.TOUCH, Strategy.LEARNED) else Strategy.OURS


def _mixture_row(spec: MixtureSpec, name: str, device: torch.device, seed: int) -> Row:
    from training.evaluation.baselines.mix_localize import MixtureBaseline

    if spec.file is None:
        raise ValueError(f"method '{name}' names no file of weights")
    parts = _parts(_preset(PresetSpec(preset="micro", weights=spec.weights), name), device, seed)
    micro = _micro(parts.audio_visual)
    return Row(
        name=name,
        label=f"two-mask mixture ({spec.file.name})",
        predict=MixtureBaseline(micro.networks, micro.tower, spec.file).predict,
    )


def _preset(spec: PresetSpec, name: str) -> Preset:
    """The preset with the weights and the audio-visual part of the row."""
    preset = load_preset(spec.preset)
    if spec.weights is not None:
        preset = replace(preset, micro_weights=str(spec.weights))
    if spec.weak is not None:
        parts = replace(preset.parts, audio_visual="micro-weak")
        preset = replace(preset, parts=parts, audio_weights=str(spec.weak))
    if spec.selection is not None:
        preset = replace(preset, selection_weights=str(spec.selection))
    if spec.random_token:
        part = preset.parts.audio_visual
        if part not in _WITH_RANDOM_TOKEN:
            raise UnavailableRowError(
                f"method '{name}': token=random needs the part {' or '.join(_WITH_RANDOM_TOKEN)}, not {part}"
            )
        preset = replace(preset, parts=replace(preset.parts, audio_visual=_WITH_RANDOM_TOKEN[part]))
    return preset


@lru_cache(maxsize=8)
def _parts(preset: Preset, device: torch.device, seed: int) -> CollisionPipeline:
    """Rows of one preset share its networks, and what these keep of the latest picture."""
    return build_pipeline(preset, device=device, seed=seed)


@lru_cache(maxsize=64)
def _proposals(parts: CollisionPipeline, words: str, config: PipelineConfig, with_motion: bool) -> LatestProposals:
    """Rows that choose differently among the same proposals share them."""
    audio_visual = parts.audio_visual
    if words:
        from training.evaluation.baselines.prompted_map import PromptedMap

        micro = _micro(audio_visual)
        audio_visual = PromptedMap(micro.networks, micro.tower, words.split())
    pipeline = CollisionPipeline(audio_visual=audio_visual, hands=parts.hands, boxes=parts.boxes, config=config)
    return LatestProposals(pipeline, with_motion=with_motion)


def _with_config(
    parts: CollisionPipeline, config: PipelineConfig, selection: LearnedSelection | None
) -> CollisionPipeline:
    return CollisionPipeline(
        audio_visual=parts.audio_visual, hands=parts.hands, boxes=parts.boxes, config=config, selection=selection
    )


def _micro(segmenter: AudioVisualSegmenter) -> MicroAudioVisual:
    from cs3_model.networks.micro.micro_parts import MicroAudioVisual

    if not isinstance(segmenter, MicroAudioVisual):
        raise ValueError(f"words and mixtures need the audio-visual part of micro, not {segmenter.name}")
    return segmenter


class LatestProposals:
    """What a pipeline proposes for a scene; asked again about the same one, it remembers.

    Args:
        pipeline: Proposes.
        with_motion: Whether it sees the pictures before and after.
    """

    def __init__(self, pipeline: CollisionPipeline, *, with_motion: bool = True) -> None:
        self._pipeline, self._with_motion = pipeline, with_motion
        self._latest: tuple[Frame, AudioWindow, Proposed] | None = None

    def __call__(self, scene: LoadedSample) -> Proposed:
        """The proposals, before any choice."""
        if self._latest is None or self._latest[0] is not scene.frame or self._latest[1] is not scene.window:
            around = scene.around if self._with_motion else Around()
            prepared = self._pipeline.prepare(scene.frame, around.before)
            self._latest = scene.frame, scene.window, self._pipeline.propose(prepared, scene.window, around.after)
        return self._latest[2]


def _choose(proposals: LatestProposals, pipeline: CollisionPipeline, scene: LoadedSample) -> CollisionResult:
    return pipeline.choose(proposals(scene))


def _best_of(
    proposals: LatestProposals, among: Callable[[Sequence[Candidate]], Sequence[Candidate]], scene: LoadedSample
) -> CollisionResult:
    return best_for(among(proposals(scene).candidates), scene)


def _outlined(predict: Callable[[LoadedSample], CollisionResult], scene: LoadedSample) -> CollisionResult:
    return with_true_masks(predict(scene), scene)
