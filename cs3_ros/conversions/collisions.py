"""Collision results to cs3_msgs and back, and the audio of a service request to a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import soxr
from cs3_msgs.msg import AudioChunk, Collision, CollisionMask
from std_msgs.msg import Header

from cs3_model.steps import Event
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioWindow, Candidate, CollisionResult, Reason, Role, Verdict
from cs3_ros.conversions.audio import AudioFormat, decode_samples
from cs3_ros.conversions.images import mask_from_msg, mask_to_image, mask_to_png
from cs3_ros.conversions.picture_size import MAX_PIXELS
from cs3_ros.conversions.times import ns_to_stamp, stamp_to_ns

MaskFormat = Literal["mono8", "png"]
MAX_MASKS = 64
"""Masks of one message that are decoded, accepted and rejected ones: the pipeline has at most a dozen candidates."""
_MAX_MASK_PIXELS = 16 * MAX_PIXELS
"""Pixels of all masks of one message: 19 masks of an 8K picture."""
MAX_TEXT = 10_000
"""Characters of any text of a message: the longest sentences have some hundred."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultContext:
    """What a message says beside the result."""

    event: Event
    """The onset."""
    frame_ns: int | None = None
    """Time of the image that was used, nanoseconds; None where there was none."""
    frame_id: str = ""
    """Coordinate frame of the camera."""
    preset: str
    """Name of the preset."""
    models: tuple[str, ...]
    """Identity of each part."""
    trained: bool
    """Whether all parts have trained weights."""
    mask_format: MaskFormat
    """"mono8" for raw masks, "png" for compressed ones."""

    @property
    def header(self) -> Header:
        """That of the image, which the masks carry too; the time of the onset where there was none."""
        return Header(
            stamp=ns_to_stamp(self.event.onset_ns if self.frame_ns is None else self.frame_ns), frame_id=self.frame_id
        )


def collision_to_msg(result: CollisionResult, context: ResultContext) -> Collision:
    """Returns the message of a result; its latency is left at 0, for who publishes it."""
    header, mask_format = context.header, context.mask_format
    return Collision(
        header=header,
        onset=ns_to_stamp(context.event.onset_ns),
        onset_strength=float(context.event.strength_db),
        verdict=int(result.verdict),
        reason=str(result.reason),
        detail=result.detail,
        confidence=float(result.confidence),
        masks=[candidate_to_msg(mask, header=header, mask_format=mask_format) for mask in result.masks],
        rejected=[candidate_to_msg(mask, header=header, mask_format=mask_format) for mask in result.rejected],
        stage_names=list(result.stage_s),
        stage_ms=[1e3 * seconds for seconds in result.stage_s.values()],
        preset=context.preset,
        models=list(context.models),
        trained=context.trained,
    )


def candidate_to_msg(candidate: Candidate, *, header: Header, mask_format: MaskFormat) -> CollisionMask:
    """Returns the message of one candidate."""
    msg = CollisionMask(
        role=candidate.role.value,
        score=float(candidate.score),
        box=np.array(candidate.box_xyxy, np.float32),
        has_contact_point=candidate.contact_xy is not None,
        contact_point=np.array(candidate.contact_xy or (0.0, 0.0), np.float32),
        reason=candidate.reason,
    )
    if mask_format == "png":
        msg.mask_compressed = mask_to_png(candidate.mask, header)
    else:
        msg.mask = mask_to_image(candidate.mask, header)
    return msg


def collision_from_msg(msg: Collision) -> CollisionResult:
    """Returns the result that a message carries; heat maps do not travel.

    Raises:
        ValueError: if verdict, roles or reason are none that the message defines, stage names and times do not pair
            up, or `candidates_from_msg` refuses the masks or a text.
    """
    masks, rejected = candidates_from_msg(msg)
    return CollisionResult(
        verdict=Verdict(msg.verdict),
        reason=Reason(msg.reason),
        detail=msg.detail,
        confidence=msg.confidence,
        masks=masks,
        rejected=rejected,
        stage_s={name: 1e-3 * ms for name, ms in zip(msg.stage_names, msg.stage_ms, strict=True)},
    )


def candidates_from_msg(msg: Collision) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """Returns the accepted and the rejected candidates that a message carries.

    Raises:
        ValueError: if a role is none of the message's constants, a mask cannot be decoded, or there are more than
            `MAX_MASKS` masks or `MAX_TEXT` characters in a text.
    """
    candidates = (*msg.masks, *msg.rejected)
    if len(candidates) > MAX_MASKS:
        raise ValueError(f"a Collision with {len(candidates)} masks is refused: at most {MAX_MASKS}")
    texts = (msg.reason, msg.detail, msg.preset, *msg.models, *msg.stage_names, *(mask.reason for mask in candidates))
    if (longest := max(map(len, texts))) > MAX_TEXT:
        raise ValueError(f"a Collision with a text of {longest} characters is refused: at most {MAX_TEXT}")
    decoded: list[Candidate] = []
    num_pixels = 0
    for candidate in candidates:
        decoded.append(_candidate_from_msg(candidate))
        num_pixels += decoded[-1].mask.size
        if num_pixels > _MAX_MASK_PIXELS:
            raise ValueError(f"the masks of a Collision are refused: more than {_MAX_MASK_PIXELS} pixels in all")
    return tuple(decoded[: len(msg.masks)]), tuple(decoded[len(msg.masks) :])


def _candidate_from_msg(msg: CollisionMask) -> Candidate:
    x_min, y_min, x_max, y_max = map(float, msg.box)
    contact_x, contact_y = map(float, msg.contact_point)
    return Candidate(
        role=Role(msg.role),
        mask=mask_from_msg(msg.mask_compressed if len(msg.mask_compressed.data) else msg.mask),
        box_xyxy=(x_min, y_min, x_max, y_max),
        score=msg.score,
        reason=msg.reason,
        contact_xy=(contact_x, contact_y) if msg.has_contact_point else None,
    )


def audio_chunk_to_window(msg: AudioChunk) -> AudioWindow:
    """Returns the whole chunk as a model takes it: mixed to mono and resampled to `MODEL_SAMPLE_RATE_HZ`.

    Raises:
        ValueError: if the chunk is malformed or shorter than a model needs. It need not be stamped.
    """
    chunk_format = AudioFormat(sample_rate_hz=msg.sample_rate, channels=msg.channels, encoding=msg.encoding)
    samples = decode_samples(msg.data, chunk_format)
    mono = samples.mean(axis=1, dtype=np.float32)
    resampled = soxr.resample(mono, chunk_format.sample_rate_hz, MODEL_SAMPLE_RATE_HZ)
    # A resampler may overshoot full scale.
    return AudioWindow(samples=np.clip(resampled, -1.0, 1.0), start_ns=stamp_to_ns(msg.header.stamp))
