"""Node that publishes a microphone as cs3_msgs/AudioChunk on ``audio``."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from cs3_msgs.msg import AudioChunk
from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
from rclpy.node import Node

from cs3_ros.conversions.audio import AudioFormat, audio_chunk_msg
from cs3_ros.conversions.times import NS_PER_S
from cs3_ros.microphone.sample_clock import SampleClock
from cs3_ros.microphone.sound_card import MicrophoneStream, RecordedBlock
from cs3_ros.node_command import run_node
from cs3_ros.perception.health import Health
from cs3_ros.qos import overridable, publication

_QUEUE_S = 2.0
_DIAGNOSTICS_PERIOD_S = 1.0
_SILENT_DEVICE_S = 2.0
_UNPLUGGED = "is it still connected?"


class MicrophoneNode(Node):
    """Publishes blocks from the sound card, stamped by counting samples."""

    def __init__(self) -> None:
        """Declares the parameters and opens the microphone.

        Raises:
            ValueError: if the microphone cannot be opened; the line says why and lists what there is.
        """
        super().__init__("microphone")
        block_s = self._declare("block_ms", 20, "Length of a published block, milliseconds.", (5, 500)) / 1e3
        self._frame_id = self._declare("frame_id", "microphone", "Frame of the microphone in the headers.")
        device = self._declare("device", "", "Part of the device's name, or its number; empty takes the default.")
        rate_hz = self._declare("sample_rate", 0, "Samples per second; 0 takes the device's default.", (0, 384_000))
        channels = self._declare("channels", 1, "Channels to record.", (1, 64))

        max_waiting = round(_QUEUE_S / block_s)
        self._publisher = self.create_publisher(
            AudioChunk, "audio", publication(max_waiting + 1), qos_overriding_options=overridable()
        )
        self._num_blocks = self._num_overruns = self._num_dropped = 0
        self._dropped_last = False
        self._obstacle = _UNPLUGGED
        self._num_reopened, self._reopened_s = 0, float("-inf")
        self._peak = 0
        self._last_block_s = time.monotonic()
        self._waiting: queue.Queue[tuple[RecordedBlock, int, bool] | None] = queue.Queue(
            maxsize=round(_QUEUE_S / block_s)
        )
        self._stream = MicrophoneStream(
            device=device, sample_rate_hz=rate_hz, channels=channels, block_s=block_s, on_block=self._keep
        )
        self._format = AudioFormat(sample_rate_hz=self._stream.sample_rate_hz, channels=channels, encoding="S16LE")
        self._health = Health(self, component="audio")
        self._health.hardware_id = self._stream.name
        self._sample_clock = SampleClock(self._stream.sample_rate_hz)
        self._thread = threading.Thread(target=self._publish_waiting, name="microphone-publisher")
        self._thread.start()
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)
        self.get_logger().info(
            f"recording {self._stream.name}: {channels} channel(s) at {self._stream.sample_rate_hz} Hz"
        )

    def close(self) -> None:
        """Closes the microphone and publishes what it has recorded."""
        self._stream.close()
        self._waiting.put(None)
        self._thread.join()

    def _declare(self, name: str, default: Any, description: str, limits: tuple[int, int] | None = None) -> Any:
        descriptor = ParameterDescriptor(description=description, read_only=True)
        if limits is not None:
            descriptor.integer_range = [IntegerRange(from_value=limits[0], to_value=limits[1], step=1)]
        return self.declare_parameter(name, default, descriptor).value

    def _keep(self, block: RecordedBlock) -> None:
        """Runs in the sound card's thread, which must not wait for the middleware."""
        measured_ns = self.get_clock().now().nanoseconds - round(block.age_s * NS_PER_S)
        try:
            self._waiting.put_nowait((block, measured_ns, block.lost_before or self._dropped_last))
            self._dropped_last = False
        except queue.Full:
            self._num_dropped += 1
            self._dropped_last = True

    def _publish_waiting(self) -> None:
        while (item := self._waiting.get()) is not None:
            block, measured_ns, after_gap = item
            if after_gap:
                self._num_overruns += block.lost_before
                self._health.warn("overrun", "samples were lost: this machine is overloaded")
                self._sample_clock.restart()
            stamp_ns = self._sample_clock.stamp(block.num_samples, measured_ns)
            self._last_block_s = time.monotonic()
            self._peak = max(self._peak, int(np.abs(np.frombuffer(block.data, "<i2").astype(np.int32)).max()))
            self._num_blocks += 1
            self._publisher.publish(
                audio_chunk_msg(block.data, audio_format=self._format, stamp_ns=stamp_ns, frame_id=self._frame_id)
            )

    def _reopen(self) -> None:
        """Opens a device anew that delivers nothing, now and then, until it is back."""
        now_s = time.monotonic()
        if now_s - self._reopened_s < _SILENT_DEVICE_S:
            return
        self._reopened_s = now_s
        try:
            self._stream.reopen()
        except ValueError as error:
            self._obstacle = f"it cannot be opened again: {error}"
            return
        self._obstacle = _UNPLUGGED
        self._num_reopened += 1
        self._sample_clock.restart()  # nothing is on the way: the device was silent
        self._health.hardware_id = self._stream.name
        self.get_logger().info(f"opened {self._stream.name} again")

    def _publish_diagnostics(self) -> None:
        peak, self._peak = self._peak, 0
        if time.monotonic() - self._last_block_s > _SILENT_DEVICE_S:
            self._health.error("no audio", f"the microphone delivers nothing: {self._obstacle}")
            self._reopen()
        elif peak == 0:
            self._health.warn("silence", "the microphone delivers digital silence: is it muted?")
        else:
            self._health.resolve("no audio")
            self._health.resolve("silence")
        self._health.publish(
            {
                "sample rate (Hz)": self._stream.sample_rate_hz,
                "channels": self._stream.channels,
                "blocks published": self._num_blocks,
                "opened again": self._num_reopened,
                "overruns": self._num_overruns,
                "blocks dropped": self._num_dropped,
                "clock restarts": self._sample_clock.num_restarts,
                "peak level (dBFS)": f"{20 * np.log10(max(peak, 1) / 32768):.1f}",
            }
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the node; returns its exit status."""
    return run_node(MicrophoneNode, argv, name="microphone", close=MicrophoneNode.close)


if __name__ == "__main__":
    sys.exit(main())
