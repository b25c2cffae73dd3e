from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from cs3_msgs.msg import AudioChunk
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from cs3_ros.conversions.audio import block_reader
from cs3_ros.conversions.times import stamp_to_ns
from cs3_ros.microphone import node as microphone_node
from cs3_ros.microphone.node import MicrophoneNode
from cs3_ros.microphone.sound_card import MicrophoneStream
from cs3_ros.qos import publication

pytestmark = pytest.mark.ros

USB = {"index": 3, "name": "USB headset", "default_samplerate": 48000.0, "max_input_channels": 2}
SPEAKER = {"index": 4, "name": "HDMI", "default_samplerate": 44100.0, "max_input_channels": 0}


class FakePortAudio:
    """Stands in for the sounddevice module: the real one needs a sound card to open a stream."""

    class PortAudioError(Exception):
        pass

    def __init__(self, devices=(USB, SPEAKER), can_open=True):
        self.devices, self.can_open = devices, can_open
        self.closed = False
        self.plugged_in = tuple(devices)

    def _terminate(self):
        self.devices = ()

    def _initialize(self):
        """PortAudio finds devices here alone."""
        self.devices = self.plugged_in

    def query_devices(self, device=None, kind=None):
        if kind is None:
            return list(self.devices)
        found = [d for d in self.devices if d["max_input_channels"] and device in (None, d["index"], d["name"])]
        if len(found) != 1:
            raise ValueError("No input device\nmatching")
        return found[0]

    def RawInputStream(self, *, callback, **settings):  # noqa: N802, the name is sounddevice's
        if not self.can_open:
            raise self.PortAudioError("Invalid sample rate [PaErrorCode -9997]")
        self.callback, self.settings = callback, settings
        return self

    def start(self):
        pass

    def close(self):
        self.closed = True

    def record(self, samples, *, adc_s=0.0, now_s=0.0, overflow=False):
        """Delivers one block as PortAudio does."""
        times = SimpleNamespace(inputBufferAdcTime=adc_s, currentTime=now_s)
        self.callback(samples.astype("<i2").tobytes(), len(samples), times, SimpleNamespace(input_overflow=overflow))


@pytest.fixture
def portaudio(monkeypatch):
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def open_stream(on_block=lambda block: None, **changes):
    settings = {"device": "", "sample_rate_hz": 0, "channels": 1, "block_s": 0.02, "on_block": on_block, **changes}
    return MicrophoneStream(**settings)


def test_the_stream_takes_the_default_rate_of_the_device(portaudio):
    stream = open_stream()

    assert (stream.name, stream.sample_rate_hz) == ("USB headset", 48000)
    assert portaudio.settings == {
        "device": 3, "samplerate": 48000, "channels": 1, "dtype": "int16", "blocksize": 960
    }  # fmt: skip


@pytest.mark.parametrize(("device", "found"), [("", True), ("3", True), ("USB headset", True), ("4", False)])
def test_devices_are_found_by_number_or_name(portaudio, device, found):
    if found:
        assert open_stream(device=device).name == "USB headset"
    else:
        with pytest.raises(ValueError, match=r"not exactly one microphone matches '4'; found: 3: USB headset$"):
            open_stream(device=device)


def test_a_device_that_cannot_do_it_says_what_it_can(portaudio):
    portaudio.can_open = False

    with pytest.raises(
        ValueError, match=r"'USB headset' cannot record 1 .* at 12345 Hz: Invalid.* 2 channel.* 48000 Hz"
    ):
        open_stream(sample_rate_hz=12345)


def test_blocks_are_as_old_as_portaudio_says_and_at_least_their_length(portaudio):
    blocks = []
    open_stream(blocks.append)

    portaudio.record(np.zeros(960), adc_s=10.0, now_s=10.035)
    portaudio.record(np.zeros(960), adc_s=0.0, now_s=10.0)

    assert [block.age_s for block in blocks] == pytest.approx([0.035, 0.02])


def test_a_machine_without_sound_card_says_so(monkeypatch):
    """With the real PortAudio where it is installed and finds nothing."""
    try:
        import sounddevice
    except OSError:
        pytest.skip("the PortAudio library is not installed")
    if any(device["max_input_channels"] for device in sounddevice.query_devices()):
        pytest.skip("this machine has a microphone")

    with pytest.raises(ValueError, match=r"^no default microphone; found: none, this machine has no microphone$"):
        open_stream()


def test_a_missing_library_names_the_package(tmp_path):
    """A process of its own, in which PortAudio cannot be found by any name."""
    code = (
        "import ctypes.util, sys; ctypes.util.find_library = lambda name: None\n"
        "from cs3_ros.microphone.node import main; sys.exit(main())"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)

    assert done.returncode == 1
    assert done.stderr == "microphone: the microphone needs the PortAudio library: apt install libportaudio2\n"


@pytest.fixture
def microphone(portaudio, graph):
    """A running node, its fake sound card, and what it publishes."""
    rclpy.init()
    node = MicrophoneNode()
    chunks, diagnostics = [], []
    graph.node.create_subscription(AudioChunk, "audio", chunks.append, publication(1000))
    graph.node.create_subscription(DiagnosticArray, "/diagnostics", diagnostics.append, publication())
    graph.wait_for(lambda: node._publisher.get_subscription_count() == 1, "the subscription")
    yield SimpleNamespace(node=node, card=portaudio, chunks=chunks, diagnostics=diagnostics)
    node.close()
    rclpy.shutdown()


def test_recorded_samples_are_published_unchanged(microphone, graph):
    ramp = np.arange(-480, 480) * 30

    microphone.card.record(ramp)
    graph.wait_for(lambda: microphone.chunks, "a chunk")

    block = block_reader("cs3_msgs/msg/AudioChunk")(microphone.chunks[0], arrival_ns=0)
    assert (block.samples[:, 0] * 32768).tolist() == ramp.tolist()
    assert block.sample_rate_hz == 48000
    assert microphone.chunks[0].header.frame_id == "microphone"


def test_blocks_in_a_row_are_stamped_a_block_apart(microphone, graph):
    """Delivered all at once, as after a hiccup of the machine, yet stamped by their samples."""
    for _ in range(4):
        microphone.card.record(np.ones(960))
    graph.wait_for(lambda: len(microphone.chunks) == 4, "four chunks")

    stamps_ns = [stamp_to_ns(chunk.header.stamp) for chunk in microphone.chunks]
    assert np.abs(np.diff(stamps_ns) - 20e6).max() < 0.5e6  # drawn a little to the time of arrival


def test_an_overrun_is_counted_and_starts_the_stamps_afresh(microphone, graph):
    before_ns = microphone.node.get_clock().now().nanoseconds
    microphone.card.record(np.ones(960), adc_s=1.0, now_s=1.020)
    microphone.card.record(np.ones(960), adc_s=1.0, now_s=1.070, overflow=True)
    graph.wait_for(lambda: len(microphone.chunks) == 2, "two chunks")
    after_ns = microphone.node.get_clock().now().nanoseconds

    second_ns = stamp_to_ns(microphone.chunks[1].header.stamp)
    assert before_ns - 70e6 <= second_ns <= after_ns - 70e6
    microphone.node._publish_diagnostics()
    graph.wait_for(lambda: microphone.diagnostics, "diagnostics")
    status = microphone.diagnostics[-1].status[0]
    values = {pair.key: pair.value for pair in status.values}
    assert (status.level, status.name, status.hardware_id) == (
        DiagnosticStatus.WARN,
        "/microphone: audio",
        "USB headset",
    )
    assert status.message == "samples were lost: this machine is overloaded"
    assert (values["overruns"], values["blocks published"]) == ("1", "2")


def test_blocks_that_nobody_could_publish_are_counted_and_leave_a_gap_in_the_stamps(microphone, graph):
    """The middleware hangs, 2 s of blocks wait, three more are dropped; the next is stamped 60 ms later."""
    hanging, publisher = threading.Event(), microphone.node._publisher

    def publish(chunk):
        assert hanging.wait(20)
        publisher.publish(chunk)

    microphone.node._publisher = SimpleNamespace(publish=publish)

    def record(number: int) -> None:
        microphone.card.record(np.full(960, 16384), adc_s=1.0 + 0.02 * number, now_s=11.0)

    record(0)
    graph.wait_for(lambda: microphone.node._waiting.empty(), "the first block to be taken")
    for number in range(1, 104):
        record(number)
    hanging.set()
    graph.wait_for(lambda: len(microphone.chunks) == 101, "what waited")
    record(104)
    graph.wait_for(lambda: len(microphone.chunks) == 102, "the block after the gap")

    stamps_ns = [stamp_to_ns(chunk.header.stamp) for chunk in microphone.chunks]
    assert microphone.node._num_dropped == 3
    assert stamps_ns[100] - stamps_ns[99] == pytest.approx(20e6, abs=1e6)
    assert stamps_ns[101] - stamps_ns[100] > 75e6


def test_all_is_well_while_sound_arrives(microphone, graph):
    microphone.card.record(np.full(960, 16384))
    graph.wait_for(lambda: microphone.chunks, "a chunk")
    microphone.node._publish_diagnostics()
    graph.wait_for(lambda: microphone.diagnostics, "diagnostics")

    status = microphone.diagnostics[-1].status[0]
    assert (status.level, status.message) == (DiagnosticStatus.OK, "ok")
    assert {pair.key: pair.value for pair in status.values}["peak level (dBFS)"] == "-6.0"


def test_digital_silence_is_reported_as_a_muted_microphone(microphone, graph):
    microphone.card.record(np.zeros(960))
    graph.wait_for(lambda: microphone.chunks, "a chunk")
    microphone.node._publish_diagnostics()
    graph.wait_for(lambda: microphone.diagnostics, "diagnostics")

    status = microphone.diagnostics[-1].status[0]
    assert (status.level, status.message) == (
        DiagnosticStatus.WARN,
        "the microphone delivers digital silence: is it muted?",
    )


def test_a_device_that_stops_delivering_is_an_error(microphone, graph, monkeypatch):
    monkeypatch.setattr(microphone_node, "_SILENT_DEVICE_S", 0.0)
    microphone.node._publish_diagnostics()
    graph.wait_for(lambda: microphone.diagnostics, "diagnostics")

    status = microphone.diagnostics[-1].status[0]
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == "the microphone delivers nothing: is it still connected?"


def test_a_microphone_that_was_unplugged_records_again_when_it_is_back(microphone, graph, monkeypatch):
    monkeypatch.setattr(microphone_node, "_SILENT_DEVICE_S", 0.0)
    card = microphone.card
    card.record(np.ones(960), adc_s=1.0, now_s=1.020)
    graph.wait_for(lambda: microphone.chunks, "a chunk")

    def status():
        del microphone.diagnostics[:]
        microphone.node._publish_diagnostics()
        graph.wait_for(lambda: microphone.diagnostics, "diagnostics")
        return microphone.diagnostics[-1].status[0]

    card.plugged_in = (SPEAKER,)
    status()
    assert card.closed
    assert status().message == (
        "the microphone delivers nothing: it cannot be opened again: "
        "no default microphone; found: none, this machine has no microphone"
    )
    card.plugged_in = (USB, SPEAKER)
    del card.callback
    assert status().level == DiagnosticStatus.ERROR, "until it delivers"
    assert card.settings["samplerate"] == 48000
    before_ns = microphone.node.get_clock().now().nanoseconds
    card.record(np.ones(960), adc_s=9.0, now_s=9.020)
    graph.wait_for(lambda: len(microphone.chunks) == 2, "a chunk of the new stream")
    monkeypatch.setattr(microphone_node, "_SILENT_DEVICE_S", 60.0)
    assert status().level == DiagnosticStatus.OK
    assert stamp_to_ns(microphone.chunks[1].header.stamp) >= before_ns - 20e6, "stamped afresh"


def test_closing_ends_the_recording(portaudio):
    rclpy.init()
    try:
        node = MicrophoneNode()
        node.close()
        assert portaudio.closed
        assert not node._thread.is_alive()
    finally:
        rclpy.shutdown()
