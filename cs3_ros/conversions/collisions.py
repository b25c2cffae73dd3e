"""Collision results to cs3_msgs and back, and the audio of a service request to a window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import soxr
from cs3_msgs.msg import AudioChunk, Collision, CollisionMask
from std_msgs.msg import Header

from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioWindow, Candidate, CollisionResult, Role, Verdict
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


def collision_to_msg(
    result: CollisionResult,
    *,
    header: Header,
    onset_ns: int,
    strength_db: float,
    latency_s: float,
    preset: str,
    models: Sequence[str],
    trained: bool,
    mask_format: MaskFormat,
) -> Collision:
    """Returns the message of a result.

    Args:
        result: What the pipeline found.
        header: Header of the image that was used; the masks carry it too.
        onset_ns: Time of the onset, nanoseconds.
        strength_db: Strength of the onset, dB.
        latency_s: From the arrival of the last needed audio sample until now, seconds.
        preset: Name of the preset.
        models: Identity of each part.
        trained: Whether all parts have trained weights.
        mask_format: "mono8" for raw masks, "png" for compressed ones.
    """
    return Collision(
        header=header,
        onset=ns_to_stamp(onset_ns),
        onset_strength=float(strength_db),
        verdict=int(result.verdict),
        reason=str(result.reason),
        detail=result.detail,
        masks=[candidate_to_msg(mask, header=header, mask_format=mask_format) for mask in result.masks],
        rejected=[candidate_to_msg(mask, header=header, mask_format=mask_format) for mask in result.rejected],
        stage_names=list(result.stage_s),
        stage_ms=[1e3 * seconds for seconds in result.stage_s.values()],
        latency_ms=1e3 * latency_s,
        preset=preset,
        models=list(models),
        trained=trained,
    )


def candidate_to_msg(candidate: Candidate, *, header: Header, mask_format: MaskFormat) -> CollisionMask:
    """Returns the message of one candidate; arguments as in `collision_to_msg`."""
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
        ValueError: if verdict or roles are none of the message's constants, stage names and times do not pair up, a
            mask cannot be decoded, or there are more than `MAX_MASKS` masks or `MAX_TEXT` characters in a text.
    """
    candidates = (*msg.masks, *msg.rejected)
    if len(candidates) > MAX_MASKS:
        raise ValueError(f"a Collision with {len(candidates)} masks is refused: at most {MAX_MASKS}")
    texts = (msg.reason, msg.detail, msg.preset, *msg.models, *msg.stage_names, *(mask.reason for mask in candidates))
    if (longest := max(map(len, texts))) > MAX_TEXT:
        raise ValueError(f"a Collision with a text of {longest} characters is refused: at most {MAX_TEXT}")
    decoded, num_pixels = [], 0
    for candidate in candidates:
        decoded.append(_candidate_from_msg(candidate))
        num_pixels += decoded[-1].mask.size
        if num_pixels > _MAX_MASK_PIXELS:
            raise ValueError(f"the masks of a Collision are refused: more than {_MAX_MASK_PIXELS} pixels in all")
    return CollisionResult(
        verdict=Verdict(msg.verdict),
        reason=msg.reason,
        detail=msg.detail,
        masks=tuple(decoded[: len(msg.masks)]),
        rejected=tuple(decoded[len(msg.masks) :]),
        stage_s={name: 1e-3 * ms for name, ms in zip(msg.stage_names, msg.stage_ms, strict=True)},
    )


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
