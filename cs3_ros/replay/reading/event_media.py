"""The image and the sound of events that are known already, from the bag in which they happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from cs3_model.audio_ring import AudioRing
from cs3_model.stream import StreamConfig
from cs3_model.types import AudioBlock, AudioWindow, Frame
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.replay.reading.bag_inputs import BagInputs
from cs3_ros.replay.records import EventRecord

_PATIENCE_S = 1.0


def read_event_media(
    inputs: BagInputs,
    events: Sequence[EventRecord],
    config: StreamConfig,
    *,
    on_message: Callable[[int, AudioBlock | None], None],
) -> Iterator[tuple[EventRecord, Frame | None, AudioWindow | None]]:
    """Reads a bag once and yields each event with its decoded image and the sound around it, None where not there.

    Args:
        inputs: The bag.
        events: What to look for.
        config: How much sound is wanted.
        on_message: Called for each message with the time of its reception and the sound in it, if any.
    """
    before_ns, after_ns = (round(seconds * NS_PER_S) for seconds in (config.audio_pre_s, config.audio_post_s))
    ring = AudioRing(span_s=config.audio_pre_s + config.audio_post_s + _PATIENCE_S + 5.0)
    wanted_ns = {event.frame_ns for event in events}
    frames: dict[int, Frame] = {}
    waiting = sorted(events, key=lambda event: event.onset_ns)

    def media(event: EventRecord) -> tuple[EventRecord, Frame | None, AudioWindow | None]:
        window = None
        if ring.end_ns is not None:
            window, _ = ring.window(event.onset_ns - before_ns, event.onset_ns + after_ns)
        return event, frames.get(event.frame_ns) if event.frame_ns is not None else None, window

    for time_ns, item in inputs.read():
        on_message(time_ns, item if isinstance(item, AudioBlock) else None)
        if isinstance(item, AudioBlock):
            ring.push(item)
        elif item.stamp_ns in wanted_ns:
            try:
                frames[item.stamp_ns] = item.decode()
            except Exception:  # decoders have exceptions of their own; the event says so itself
                continue
        while waiting and ring.end_ns is not None and ring.end_ns >= waiting[0].onset_ns + after_ns + _PATIENCE_S * 1e9:
            yield media(event := waiting.pop(0))
            if event.frame_ns is not None:
                frames.pop(event.frame_ns, None)
    yield from map(media, waiting)
