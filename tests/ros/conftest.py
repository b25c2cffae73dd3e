"""Real graphs for tests, and look-alikes of other packages' audio messages, built for real."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sole_use import locked

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0  # a busy machine may be ten times slower than an idle one

# Look-alikes of packages that pip does not have. Two with one name and other contents cannot be in one environment.
FOREIGN_PACKAGES = {
    "ros_drivers": {
        "audio_common_msgs": {
            "AudioData": "uint8[] data",
            "AudioDataStamped": "std_msgs/Header header\nAudioData audio",
        },
        "audio_utils_msgs": {
            "AudioFrame": "std_msgs/Header header\nstring format\nuint32 channel_count\nuint32 sampling_frequency\n"
            "uint32 frame_sample_count\nuint8[] data",
        },
        "foxglove_msgs": {
            "RawAudio": "builtin_interfaces/Time timestamp\nuint8[] data\nstring format\nuint32 sample_rate\n"
            "uint32 number_of_channels",
        },
        # vision_msgs/Detection2DArray as far as this project fills it in
        "vision_msgs": {
            "Point2D": "float64 x\nfloat64 y",
            "Pose2D": "Point2D position\nfloat64 theta",
            "BoundingBox2D": "Pose2D center\nfloat64 size_x\nfloat64 size_y",
            "ObjectHypothesis": "string class_id\nfloat64 score",
            "ObjectHypothesisWithPose": "ObjectHypothesis hypothesis",
            "Detection2D": "std_msgs/Header header\nObjectHypothesisWithPose[] results\nBoundingBox2D bbox\nstring id",
            "Detection2DArray": "std_msgs/Header header\nDetection2D[] detections",
        },
    },
    "tf": {"tf2_msgs": {"TFMessage": "geometry_msgs/TransformStamped[] transforms"}},
    # Another version of this project's own messages, as an older or newer build has them.
    "another_version": {"cs3_msgs": {"Collision": "std_msgs/Header header\nstring verdict\nstring[] objects"}},
    "mgonzs13": {
        "audio_common_msgs": {
            "AudioInfo": "int32 format\nint32 channels\nint32 rate\nint32 chunk",
            "AudioData": "float32[] float32_data\nint32[] int32_data\nint16[] int16_data\nint8[] int8_data\n"
            "uint8[] uint8_data",
            "Audio": "AudioData audio_data\nAudioInfo info",
            "AudioStamped": "std_msgs/Header header\nAudio audio",
        },
    },
}

# Four stereo samples (0.5, -0.5) at 8 kHz, which last 0.5 ms, stamped 5 s, in every package's own words.
_PCM = [0x00, 0x40, 0x00, 0xC0] * 4
_HEADER = {"stamp": {"sec": 5, "nanosec": 0}, "frame_id": "microphone"}
_EMPTY_ARRAYS = {"float32_data": [], "int32_data": [], "int16_data": [], "int8_data": [], "uint8_data": []}
AUDIO_MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "cs3_msgs/msg/AudioChunk": (
        "ros_drivers",
        {"header": _HEADER, "sample_rate": 8000, "channels": 2, "encoding": "S16LE", "data": _PCM},
    ),
    "audio_common_msgs/msg/AudioData": ("ros_drivers", {"data": _PCM}),
    "audio_common_msgs/msg/AudioDataStamped": ("ros_drivers", {"header": _HEADER, "audio": {"data": _PCM}}),
    "audio_common_msgs/msg/AudioStamped": (
        "mgonzs13",
        {
            "header": _HEADER,
            "audio": {
                "audio_data": {**_EMPTY_ARRAYS, "int16_data": [16384, -16384] * 4},
                "info": {"format": 8, "channels": 2, "rate": 8000, "chunk": 4},
            },
        },
    ),
    "audio_utils_msgs/msg/AudioFrame": (
        "ros_drivers",
        {
            "header": _HEADER,
            "format": "signed_16",
            "channel_count": 2,
            "sampling_frequency": 8000,
            "frame_sample_count": 4,
            "data": _PCM,
        },
    ),
    "foxglove_msgs/msg/RawAudio": (
        "ros_drivers",
        {
            "timestamp": {"sec": 5, "nanosec": 0},
            "data": _PCM,
            "format": "pcm-s16",
            "sample_rate": 8000,
            "number_of_channels": 2,
        },
    ),
}


@pytest.fixture(params=sorted(AUDIO_MESSAGES))
def audio_type(request: pytest.FixtureRequest) -> str:
    """Each type of audio topic in turn."""
    return request.param


@pytest.fixture
def audio_message() -> Callable[..., Any]:
    """Returns a function that makes the example of a type, with fields replaced: ``{"audio.info.rate": 0}``."""

    def make(type_name: str, changes: dict[str, Any] | None = None) -> Any:
        fields = json.loads(json.dumps(AUDIO_MESSAGES[type_name][1]))
        for path, value in (changes or {}).items():
            *parents, last = path.split(".")
            target = fields
            for parent in parents:
                target = target[parent]
            assert last in target, f"{type_name} has no field {path}"
            target[last] = value
        return _message(fields)

    return make


@pytest.fixture
def audio_messages_of() -> Callable[[str], dict[str, Any]]:
    """Returns a function that gives the fields of all examples that a vendor's environment can send, by type."""
    return lambda vendor: {name: fields for name, (owner, fields) in AUDIO_MESSAGES.items() if owner == vendor}


def _message(fields: Any) -> Any:
    """Nested dictionaries to nested attributes; arrays to the array types that rclpy delivers."""
    codes = {"float32_data": "f", "int32_data": "i", "int16_data": "h", "int8_data": "b"}

    def convert(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return _message(value)
        return array(codes.get(name, "B"), value) if isinstance(value, list | bytes) else value

    return SimpleNamespace(**{name: convert(name, value) for name, value in fields.items()})


@pytest.fixture(scope="session")
def foreign_workspace() -> Callable[[str], Path]:
    """Returns a function that builds the messages of a vendor, once per change, and returns their setup file."""
    pytest.importorskip("colcon_core", reason="colcon is needed to build message packages")
    if shutil.which("cmake") is None:
        pytest.skip("cmake is needed to build message packages")

    def build(vendor: str) -> Path:
        packages = FOREIGN_PACKAGES[vendor]
        digest = hashlib.sha256(f"{packages} {sys.prefix} {sys.version}".encode()).hexdigest()[:12]
        workspace = ROOT / "build" / "foreign_messages" / f"{vendor}-{digest}"
        setup = workspace / "install" / "setup.bash"
        workspace.parent.mkdir(parents=True, exist_ok=True)
        with locked(Path(f"{workspace}.lock")):  # another run of the tests may need it at the same time
            if not (workspace / "complete").exists():
                shutil.rmtree(workspace, ignore_errors=True)
                for package, messages in packages.items():
                    _write_package(workspace / "src" / package, messages)
                _colcon_build(workspace)
                (workspace / "complete").touch()
        return setup

    return build


def _write_package(folder: Path, messages: dict[str, str]) -> None:
    (folder / "msg").mkdir(parents=True)
    for name, definition in messages.items():
        (folder / "msg" / f"{name}.msg").write_text(definition + "\n")
    names = " ".join(f'"msg/{name}.msg"' for name in messages)
    (folder / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.20)\nproject({folder.name})\nfind_package(ament_cmake REQUIRED)\n"
        "find_package(rosidl_default_generators REQUIRED)\nfind_package(std_msgs REQUIRED)\n"
        "find_package(geometry_msgs REQUIRED)\n"
        # Python needs nothing of what is generated for C++, which takes as long again.
        "list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX _cpp)\n"
        f"rosidl_generate_interfaces({folder.name} {names} DEPENDENCIES std_msgs geometry_msgs)\nament_package()\n"
    )
    (folder / "package.xml").write_text(
        f'<package format="3"><name>{folder.name}</name><version>0.0.0</version><description>test</description>'
        '<maintainer email="cs3@example.org">CS3 developers</maintainer><license>Apache-2.0</license>'
        "<buildtool_depend>ament_cmake</buildtool_depend><buildtool_depend>rosidl_default_generators</buildtool_depend>"
        "<depend>std_msgs</depend><depend>geometry_msgs</depend><member_of_group>rosidl_interface_packages</member_of_group>"
        "<export><build_type>ament_cmake</build_type></export></package>\n"
    )


def _colcon_build(workspace: Path) -> None:
    environment = dict(os.environ)
    environment["PATH"] = f"{sys.prefix}/bin:{environment['PATH']}"
    if (Path(sys.prefix) / "share" / "ament_index").exists():  # ROS from pip, as scripts/setup builds with it
        for name in ("COLCON_PREFIX_PATH", "PYTHONPATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"):
            environment.pop(name, None)
        environment["AMENT_PREFIX_PATH"] = environment["CMAKE_PREFIX_PATH"] = sys.prefix
    command = [sys.executable, "-m", "colcon", "build", "--base-paths", "src", "--cmake-args"]
    command += [f"-DPython3_EXECUTABLE={sys.executable}", "-DBUILD_TESTING=OFF"]
    done = subprocess.run(command, cwd=workspace, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def graph() -> Iterator[Graph]:
    """A ROS 2 context of the test's own, with one node and an executor."""
    graph = Graph()
    yield graph
    graph.close()


@pytest.fixture
def make_perception(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Returns a function that puts a perception node on a real graph; keyword arguments are its parameters.

    Its preset `debug` has parts whose answers are known by hand. Diagnostics come ten times per second.
    """
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from cs3_ros.perception import node as perception_node
    from tests.ros.perception.perception_graph import PerceptionGraph, use_hand_made_parts

    monkeypatch.setattr(perception_node, "_DIAGNOSTICS_PERIOD_S", 0.1)
    parts = use_hand_made_parts(monkeypatch.setitem)
    graphs: list[PerceptionGraph] = []

    def make(*, start: bool = True, **parameters: Any) -> PerceptionGraph:
        graph = PerceptionGraph(parameters, parts)
        graphs.append(graph)
        assert not start or graph.perception.start()
        return graph

    yield make
    for graph in graphs:
        graph.close()


class Graph:
    """One node on a real graph; `wait_for` spins it until something is true."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("test", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)

    def wait_for(self, condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Spins until the condition holds; fails with `what` after the deadline."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {deadline_s} s in vain for {what}"
            self.spin_once()

    def listen_to_log(self) -> list[Any]:
        """Returns a list that grows with each line of the log; what was said in the last seconds comes as well."""
        from rcl_interfaces.msg import Log
        from rclpy.qos import DurabilityPolicy, QoSProfile

        received: list[Log] = []
        quality = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # as the log is published
        self.node.create_subscription(Log, "/rosout", received.append, quality)
        return received

    def spin_once(self) -> None:
        """Handles what is waiting, for at most 20 ms."""
        self._executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        """Takes everything down."""
        self._executor.shutdown()
        self.node.destroy_node()
        self.context.shutdown()
