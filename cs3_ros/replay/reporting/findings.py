"""What the reader of a bag's figures should know, one line each, with what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cs3_model.types import Reason
from cs3_ros.replay.reading.clocks import SUSPICIOUS_S, ClockOffset
from cs3_ros.replay.records import EventRecord
from cs3_ros.replay.reporting.scoring import BagScore

_UNANSWERED = (Reason.NO_FRAME, Reason.BAD_FRAME, Reason.AUDIO_GAP, Reason.OVERLOAD, Reason.TIME_JUMP, Reason.ERROR)
_COUNTERS = {
    "audio_jump": "the stamps of the sound jumped {n} times: events around the jumps ended as time_jump",
    "frame_jumps": "the stamps of the images jumped back {n} times: events around the jumps may lack an image",
    "audio_gap": "sound is missing in {n} places: onsets there were not heard",
    "audio_duplicate": "{n} blocks of sound repeat earlier ones and were left out",
    "audio_rate_change": "the sample rate changed {n} times",
    "image_lost": "the middleware lost {n} images: see config/fastdds_large_images.xml",
    "audio_lost": "the middleware lost {n} blocks of sound: replay slower, or see config/fastdds_large_images.xml",
}
_MOST_REFUSALS = 3


def find_warnings(
    *,
    refused: Counter[str],
    counters: Counter[str],
    offset: ClockOffset | None,
    is_corrected: bool,
    events: Sequence[EventRecord],
    score: BagScore | None,
) -> list[str]:
    """Looks through what a replay left.

    Args:
        refused: Messages that could not be used, by reason.
        counters: Of the stream, or of the node.
        offset: Between the clocks of sound and images, and how it moves, if it could be estimated.
        is_corrected: Whether the sound was shifted by them.
        events: What was heard.
        score: Against the ground truth, if there is one.
    """
    warnings = [f"{count} messages were refused: {reason}" for reason, count in refused.most_common(_MOST_REFUSALS)]
    warnings += [text.format(n=counters[name]) for name, text in _COUNTERS.items() if counters[name]]
    if offset is not None:
        warnings += _about_clocks(offset, is_corrected)
    return [*warnings, *_about_events(events, score)]


def _about_clocks(offset: ClockOffset, is_corrected: bool) -> Iterator[str]:
    done = "corrected" if is_corrected else "not corrected: --correct-offset shifts the sound by it"
    if offset.is_suspicious:
        yield (
            f"sound and images have different clocks: the sound's stamps are {-offset.offset_s:+.3f} s off, "
            f"beyond the {SUSPICIOUS_S} s that transport explains; {done}"
        )
    if offset.drift is not None and offset.drift.is_suspicious:
        yield (
            f"the clocks of sound and images drift apart: the sound's stamps move by {-offset.drift.total_s:+.3f} s "
            f"({-offset.drift.ppm:+.0f} ppm) over the bag; {done}"
        )


def _about_events(events: Sequence[EventRecord], score: BagScore | None) -> Iterator[str]:
    for reason in _UNANSWERED:
        details = [event.detail for event in events if event.reason == reason.value]
        if details:
            yield f"{len(details)} events ended as {reason}, the first: {details[0]}"
    if not events:
        yield "no collision was heard: is it the right audio topic, and loud enough?"
    elif score is not None and not (widest := score.onsets[max(score.onsets)]).hits:
        yield (
            f"the ground truth matches no event ({widest.missed} true, {len(events)} heard, the nearest pair is "
            f"{score.nearest_ms:+.0f} ms apart): is it of this bag, and on the clock of the sound's stamps?"
        )
