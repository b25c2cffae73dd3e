"""Run by test_perception_foreign: collisions heard through the audio messages that this environment has.

Arguments: topic types. Standard output: {topic type: [error of the onset in ms, verdict, boxes of the detections]}.
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from typing import Any

import numpy as np

from cs3_ros.conversions.detections import Detection2DArray
from cs3_ros.conversions.times import ns_to_stamp, stamp_to_ns
from cs3_ros.message_types import message_class
from tests.ros.perception.perception_graph import RATE_HZ, WINDOW_S, PerceptionGraph, use_hand_made_parts

PORTAUDIO_INT16 = 8


def fill_audio_data(msg: Any, pcm: np.ndarray, stamp_ns: int) -> None:
    msg.data = array("B", pcm.tobytes())


def fill_audio_data_stamped(msg: Any, pcm: np.ndarray, stamp_ns: int) -> None:
    msg.header.stamp = ns_to_stamp(stamp_ns)
    msg.audio.data = array("B", pcm.tobytes())


def fill_audio_stamped(msg: Any, pcm: np.ndarray, stamp_ns: int) -> None:
    msg.header.stamp = ns_to_stamp(stamp_ns)
    msg.audio.audio_data.int16_data = array("h", pcm.tobytes())
    info = msg.audio.info
    info.format, info.channels, info.rate, info.chunk = PORTAUDIO_INT16, 1, RATE_HZ, pcm.size


def fill_audio_frame(msg: Any, pcm: np.ndarray, stamp_ns: int) -> None:
    msg.header.stamp = ns_to_stamp(stamp_ns + pcm.size * 10**9 // RATE_HZ)  # its driver stamps the end
    msg.format, msg.channel_count, msg.sampling_frequency = "signed_16", 1, RATE_HZ
    msg.data = array("B", pcm.tobytes())


def fill_raw_audio(msg: Any, pcm: np.ndarray, stamp_ns: int) -> None:
    msg.timestamp = ns_to_stamp(stamp_ns)
    msg.format, msg.number_of_channels, msg.sample_rate = "pcm-s16", 1, RATE_HZ
    msg.data = array("B", pcm.tobytes())


def fill_audio_chunk(msg: Any, pcm: np.ndarray, stamp_ns: int) -> None:
    msg.header.stamp = ns_to_stamp(stamp_ns)
    msg.encoding, msg.channels, msg.sample_rate = "S16LE", 1, RATE_HZ
    msg.data = array("B", pcm.tobytes())


FILL = {
    "cs3_msgs/msg/AudioChunk": fill_audio_chunk,
    "audio_common_msgs/msg/AudioData": fill_audio_data,
    "audio_common_msgs/msg/AudioDataStamped": fill_audio_data_stamped,
    "audio_common_msgs/msg/AudioStamped": fill_audio_stamped,
    "audio_utils_msgs/msg/AudioFrame": fill_audio_frame,
    "foxglove_msgs/msg/RawAudio": fill_raw_audio,
}


def perceive(topic_type: str) -> list[Any]:
    """Plays one impact through messages of this type; returns what the node made of it."""
    kind, fill = message_class(topic_type), FILL[topic_type]

    def sound(samples: np.ndarray, stamp_ns: int) -> Any:
        message = kind()
        fill(message, (samples * 32767).astype("<i2"), stamp_ns)
        return message

    is_stamped = topic_type != "audio_common_msgs/msg/AudioData"
    graph = PerceptionGraph({"assumed_sample_rate": RATE_HZ}, use_hand_made_parts())
    try:
        assert graph.perception.start()
        detections = graph.listen(Detection2DArray, "/perception/detections") if Detection2DArray else None
        graph.play(0.2, (), sound=sound)
        if not is_stamped:  # its arrival is its stamp
            graph.now_ns = time.time_ns()
        (onset_ns,) = graph.play(1.0 + WINDOW_S, sound=sound, real_time=not is_stamped)
        collision = graph.wait_for_collisions(1)[-1]
        if detections is not None:
            graph.wait_for(lambda: detections, "detections")
        boxes = [
            [found.results[0].hypothesis.class_id, found.bbox.center.position.x, found.bbox.size_x]
            for found in (detections[0].detections if detections else [])
        ]
    finally:
        graph.close()
    return [1e-6 * (stamp_to_ns(collision.onset) - onset_ns), collision.verdict, boxes]


def main() -> None:
    """Prints the results of all types."""
    json.dump({topic_type: perceive(topic_type) for topic_type in sys.argv[1:]}, sys.stdout)


if __name__ == "__main__":
    main()
