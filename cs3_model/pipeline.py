"""The method, from one frame and the sound around it to the masks of what collided (paper, section 4).

Two stages, so that vision can run while the audio after the onset is still on its way::

    prepared = pipeline.prepare(frame)          # at the onset
    result = pipeline.finish(prepared, window)  # when the audio window is complete
"""

from __future__ import annotations

import enum
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cs3_model.geometry import intersection_over_union, mask_to_box_xyxy
from cs3_model.localisation import (
    LocalisationConfig,
    at_masker,
    box_around_peak,
    crop_around,
    peak_mask,
    peak_xy,
    peaks_xy,
    place_crop,
    score_map,
    share_of_map,
)
from cs3_model.moment.choice import SelectionConfig, choose_likeliest
from cs3_model.moment.moment import Moment, with_motion_after, with_motion_before
from cs3_model.moment.motion import MotionConfig, MotionEstimator
from cs3_model.moment.motion_proposals import ProposalConfig, propose
from cs3_model.parts import AudioVisualSegmenter, BoxSegmenter, HandObjectDetector
from cs3_model.strategies import Strategy, choose_masks
from cs3_model.types import (
    AudioWindow,
    BoolMask,
    Candidate,
    CollisionResult,
    Float32Array,
    Frame,
    HandObjects,
    HeldObject,
    Role,
    TouchedObject,
)
from cs3_model.verification import VerificationConfig, is_one_object

if TYPE_CHECKING:
    from cs3_model.moment.selection import LearnedSelection

_LEAST_SHARE = 0.05
"""Share of the map; an object with less was not heard."""
_SAME_PROPOSAL_IOU = 0.85
"""A mask that overlaps a known candidate more proposes nothing new."""


class HeardMask(str, enum.Enum):
    """What becomes the mask of the heard object."""

    BOX = "box"
    """The box around the peak of the audio-visual map, segmented: the paper's way."""
    POINT = "point"
    """The object at the peak of the map, or at one of its peaks, as SAM 2 answers a click."""
    MAP = "map"
    """The map itself, cut at the threshold (Table 2, "w/o SAM(AV)")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineConfig:
    """What the pipeline does with its parts; the defaults are the paper's method, the switches its ablations.

    Raises:
        ValueError: if a field is out of its range.
    """

    use_hands: bool = True
    """Detect the objects in the wearer's hands (Table 2, "w/o HOI" when off)."""
    use_crop: bool = True
    """Look again at a crop around the peak of the first map (Table 2, "w/o crop" when off)."""
    heard_mask: HeardMask = HeardMask.BOX
    """How the audio-visual map becomes a mask."""
    heard_points: int = 1
    """How many peaks of the map are segmented where `heard_mask` is `point`. Of their masks, the one with the greatest
    share of the map is what is heard: the highest place of a map may be a narrow one. The others are rejected
    candidates. The paper has one peak."""
    heard_box_rounds: int = 1
    """How often the heard object is segmented: each further time in the box of its mask so far, because a map outlines
    an object more roughly than a detector does. The paper does it once."""
    strategy: Strategy = Strategy.OURS
    """How the masks are chosen (Table 3)."""
    localisation: LocalisationConfig = field(default_factory=LocalisationConfig)
    """Peak, crop and box of the audio-visual map."""
    verification: VerificationConfig = field(default_factory=VerificationConfig)
    """Merging and contact."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    """How motion is measured, where the strategy is `learned`."""
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    """What motion proposes, where the strategy is `learned`."""
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    """When the strategy `learned` says that nothing in view collided."""

    def __post_init__(self) -> None:
        for name in ("heard_points", "heard_box_rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"PipelineConfig.{name} must be 1 or more, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PreparedFrame:
    """Everything that can be computed from a frame before its sound is known."""

    frame: Frame
    image_features: Any
    """What the audio-visual segmenter made of the image."""
    hands: HandObjects
    box_embedding: Any
    """What the box segmenter made of the image."""
    moment: Moment
    """What moved before the onset, where the strategy asks for it."""
    stage_s: dict[str, float]
    """Seconds spent in each stage."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Proposed:
    """What one event is chosen from."""

    candidates: tuple[Candidate, ...]
    """Held, heard and moving objects."""
    logits: Float32Array
    """Where the sound points, float32 [h, w]."""
    heatmap: Float32Array
    """The same, smoothed and stretched to [0, 1]."""
    moment: Moment
    """What moved."""
    stage_s: dict[str, float]
    """Seconds spent in each stage so far."""


class CollisionPipeline:
    """Finds the one or two objects that collided.

    Args:
        audio_visual: Audio-conditioned segmenter.
        hands: Hand-object detector.
        boxes: Box-to-mask segmenter.
        config: Switches and thresholds. May be replaced between calls.
        selection: Weights of the strategy `learned`; without them that strategy is refused.

    Call it from one thread.
    """

    def __init__(
        self,
        *,
        audio_visual: AudioVisualSegmenter,
        hands: HandObjectDetector,
        boxes: BoxSegmenter,
        config: PipelineConfig | None = None,
        selection: LearnedSelection | None = None,
    ) -> None:
        self.audio_visual = audio_visual
        self.hands = hands
        self.boxes = boxes
        self.config = config or PipelineConfig()
        self.selection = selection
        self._motion = MotionEstimator(self.config.motion)

    @property
    def models(self) -> tuple[str, ...]:
        """Identity of each part's network and weights."""
        return self.audio_visual.name, self.hands.name, self.boxes.name

    @property
    def trained(self) -> bool:
        """False if any part has random weights, so that the masks mean nothing."""
        return self.audio_visual.trained and self.hands.trained and self.boxes.trained

    @property
    def uses_motion(self) -> bool:
        """Whether the frames before and after the onset are looked at."""
        return self.config.strategy is Strategy.LEARNED

    def process(
        self, frame: Frame, window: AudioWindow, *, before: Frame | None = None, after: Frame | None = None
    ) -> CollisionResult:
        """Runs both stages."""
        return self.finish(self.prepare(frame, before), window, after)

    def prepare(self, frame: Frame, before: Frame | None = None) -> PreparedFrame:
        """The vision stage: image features, objects in hands, box embedding, and what moved before the onset.

        Args:
            frame: The frame of the onset, in which masks are drawn.
            before: A frame some hundredths of a second earlier; only the strategy `learned` looks at it.
        """
        stage_s: dict[str, float] = {}
        moment = Moment()
        if self.uses_motion:
            with _timed(stage_s, "motion_before"):
                moment = with_motion_before(moment, self._motion, frame, before)
        with _timed(stage_s, "image_features"):
            image_features = self.audio_visual.embed_image(frame.image)
        with _timed(stage_s, "hands"):
            hands = self.hands.detect(frame.image) if self.config.use_hands else HandObjects()
        with _timed(stage_s, "box_embedding"):
            box_embedding = self.boxes.embed(frame.image)
        return PreparedFrame(
            frame=frame,
            image_features=image_features,
            hands=hands,
            box_embedding=box_embedding,
            moment=moment,
            stage_s=stage_s,
        )

    def finish(
        self,
        prepared: PreparedFrame,
        window: AudioWindow,
        after: Frame | None = None,
        *,
        onset_doubt: float = 0.0,
    ) -> CollisionResult:
        """The audio stage: hear, point, segment, verify or select.

        Args:
            prepared: The vision stage's result.
            window: The sound around the onset.
            after: A frame some hundredths of a second after the onset; only the strategy `learned` looks at it.
            onset_doubt: How doubtful the onset is, in [0, 1]; only the strategy `learned` weighs it.

        Raises:
            ValueError: if the strategy is `learned` and the pipeline has no weights for it.
        """
        return self.choose(self.propose(prepared, window, after), onset_doubt=onset_doubt)

    def propose(self, prepared: PreparedFrame, window: AudioWindow, after: Frame | None = None) -> Proposed:
        """All candidates of one event, before anything is chosen.

        Args:
            prepared: The vision stage's result.
            window: The sound around the onset.
            after: A frame some hundredths of a second after the onset.
        """
        stage_s = dict(prepared.stage_s)
        moment = prepared.moment
        if self.uses_motion:
            with _timed(stage_s, "motion_after"):
                moment = with_motion_after(moment, self._motion, prepared.frame, after)
        with _timed(stage_s, "audio"):
            audio_embedding = self.audio_visual.embed_audio(window)
        with _timed(stage_s, "audio_visual"):
            logits = self._locate(prepared, audio_embedding)
        with _timed(stage_s, "masks"):
            scores = score_map(logits, self.config.localisation)
            candidates = self._held_and_heard(prepared, logits, scores)
            candidates += self._moved(prepared, moment, candidates)
        return Proposed(candidates=tuple(candidates), logits=logits, heatmap=scores, moment=moment, stage_s=stage_s)

    def choose(self, proposed: Proposed, *, onset_doubt: float = 0.0) -> CollisionResult:
        """What collided, of what is proposed: verified (section 4.3) or selected, as the strategy says.

        Args:
            proposed: By this pipeline, or by one whose proposals are the same.
            onset_doubt: As in `finish`.

        Raises:
            ValueError: as in `finish`.
        """
        stage_s = dict(proposed.stage_s)
        with _timed(stage_s, "verification"):
            if self.config.strategy is Strategy.LEARNED:
                result = self._select(proposed, onset_doubt)
            else:
                result = choose_masks(proposed.candidates, self.config.strategy, self.config.verification)
        return replace(result, candidates=proposed.candidates, heatmap=proposed.heatmap, stage_s=stage_s)

    def _locate(self, prepared: PreparedFrame, audio_embedding: Any) -> Float32Array:
        """Decodes M_AV, then M'_AV: the crop around its peak, which alone decides (section 4.1, test time)."""
        logits = self.audio_visual.decode(prepared.image_features, audio_embedding)
        if not self.config.use_crop:
            return logits
        frame_hw, config = prepared.frame.size_hw, self.config.localisation
        crop_xyxy = crop_around(peak_xy(score_map(logits, config), frame_hw), frame_hw, config)
        x_min, y_min, x_max, y_max = crop_xyxy
        crop = np.ascontiguousarray(prepared.frame.image[y_min:y_max, x_min:x_max])
        crop_logits = self.audio_visual.decode(self.audio_visual.embed_image(crop), audio_embedding)
        return place_crop(crop_logits, crop_xyxy, frame_hw, logits.shape)

    def _held_and_heard(self, prepared: PreparedFrame, logits: Float32Array, scores: Float32Array) -> list[Candidate]:
        """What each hand holds, and what is heard; one call segments all boxes."""
        localisation = at_masker(logits, self.config.localisation, self.audio_visual.masker)
        both = ((Role.RIGHT_HAND, prepared.hands.right), (Role.LEFT_HAND, prepared.hands.left))
        held: list[tuple[Role, HeldObject | TouchedObject]] = [(role, item) for role, item in both if item is not None]
        if self.config.strategy is Strategy.TOUCH and prepared.hands.right and prepared.hands.right.touched:
            held.append((Role.TOUCHED, prepared.hands.right.touched))
        boxes = [item.box_xyxy for _, item in held]
        if self.config.heard_mask is HeardMask.BOX:
            boxes.append(box_around_peak(scores, prepared.frame.size_hw, localisation))
        masks: list[BoolMask] = []
        if boxes:
            masks.extend(self.boxes.segment(prepared.box_embedding, np.array(boxes, np.float32))[0])
        candidates = [_candidate(role, mask, item.score) for (role, item), mask in zip(held, masks, strict=False)]
        if self.config.heard_mask is HeardMask.POINT:
            return [*candidates, *self._heard_at_points(prepared, logits, scores)]
        if self.config.heard_mask is HeardMask.BOX:
            (heard,) = self._refined(prepared, masks[-1:])
        else:
            heard = peak_mask(scores, prepared.frame.size_hw, localisation)
        return [*candidates, _candidate(Role.AUDIO_VISUAL, heard, _sigmoid(float(logits.max())))]

    def _heard_at_points(
        self, prepared: PreparedFrame, logits: Float32Array, scores: Float32Array
    ) -> Iterator[Candidate]:
        """The objects at the peaks of the map, each once, the one with the greatest share of the map first.

        Those with next to none of the map are left out.
        """
        verification = self.config.verification
        peaks = peaks_xy(scores, prepared.frame.size_hw, self.config.heard_points)
        masks = self._refined(prepared, self.boxes.segment_points(prepared.box_embedding, peaks)[0])
        shares = [share_of_map(logits, mask) for mask in masks]
        first, *others = sorted(range(len(masks)), key=lambda index: -shares[index])
        yield _candidate(Role.AUDIO_VISUAL, masks[first], shares[first])
        shown = [masks[first]]
        for index in others:
            mask = masks[index]
            if shares[index] < _LEAST_SHARE or any(is_one_object(mask, other, verification) for other in shown):
                continue
            shown.append(mask)
            reason = f"it has {shares[index]:.2f} of the map, another heard object {shares[first]:.2f}"
            yield _candidate(Role.AUDIO_VISUAL, mask, shares[index], reason)

    def _moved(self, prepared: PreparedFrame, moment: Moment, known: Sequence[Candidate]) -> list[Candidate]:
        """The objects in the boxes and at the fastest places of what moved, each once and none that is known already."""
        proposals = propose(moment.motions, prepared.frame.size_hw, self.config.proposals)
        if not proposals:
            return []
        boxes = np.array([item.box_xyxy for item in proposals], np.float32)
        points = np.array([item.point_xy for item in proposals], np.float32)
        in_boxes, box_scores = self.boxes.segment(prepared.box_embedding, boxes)
        at_points, point_scores = self.boxes.segment_points(prepared.box_embedding, points)
        shown = [item.mask for item in known]
        found = []
        for mask, score in zip([*in_boxes, *at_points], [*box_scores, *point_scores], strict=True):
            if mask.any() and all(intersection_over_union(mask, other) < _SAME_PROPOSAL_IOU for other in shown):
                shown.append(mask)
                found.append(_candidate(Role.MOVED, mask, float(score)))
        return found

    def _select(
        self,
        proposed: Proposed,
        onset_doubt: float,
    ) -> CollisionResult:
        if self.selection is None:
            raise ValueError("the strategy 'learned' needs weights: name them as selection_weights in the preset")
        return choose_likeliest(
            proposed.candidates,
            proposed.logits,
            proposed.moment,
            self.selection,
            config=self.config.selection,
            verification=self.config.verification,
            onset_doubt=onset_doubt,
        )

    def _refined(self, prepared: PreparedFrame, masks: Iterable[BoolMask]) -> list[BoolMask]:
        """The masks in the boxes of the masks, as often as the configuration says; an empty one stays empty."""
        masks = list(masks)
        for _ in range(self.config.heard_box_rounds - 1):
            seen = [index for index, mask in enumerate(masks) if mask.any()]
            if not seen:
                break
            boxes = np.array([mask_to_box_xyxy(masks[index]) for index in seen], np.float32)
            for index, mask in zip(seen, self.boxes.segment(prepared.box_embedding, boxes)[0], strict=True):
                masks[index] = mask
        return masks


def _candidate(role: Role, mask: BoolMask, score: float, reason: str = "proposed") -> Candidate:
    return Candidate(role=role, mask=mask, box_xyxy=mask_to_box_xyxy(mask), score=score, reason=reason)


def _sigmoid(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))


@contextmanager
def _timed(stage_s: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    stage_s[stage] = time.perf_counter() - start
