from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cs3_msgs.msg import AudioChunk
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String

from cs3_ros.bags.bag_player import main
from cs3_ros.bags.bag_reader import RecordedBag
from cs3_ros.bags.bag_writer import BagWriter
from cs3_ros.bags.playback import BagPlayer, Playback
from cs3_ros.bags.video_to_bag import VideoToBag, video_to_bag
from cs3_ros.conversions.times import stamp_to_ns
from tests.ros.conftest import DEADLINE_S

pytestmark = pytest.mark.ros

MS = 10**6
START_NS = 50 * 10**9
RELIABLE = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture
def notes_bag(tmp_path) -> Path:
    """Notes 0 to 9, 20 ms apart, alternately on /even and /odd."""
    with BagWriter(tmp_path / "notes") as bag:
        for number in range(10):
            note = bag.typestore.types["std_msgs/msg/String"](data=str(number))
            bag.write("/odd" if number % 2 else "/even", note, START_NS + 20 * MS * number)
    return tmp_path / "notes"


class Listener:
    """Collects what arrives on topics, with the time of arrival."""

    def __init__(self, graph, kinds: dict[str, type]) -> None:
        self.received: list[tuple[str, object, float]] = []
        self.topics = tuple(kinds)
        self.graph = graph
        for topic, kind in kinds.items():
            graph.node.create_subscription(kind, topic, lambda msg, t=topic: self._take(t, msg), RELIABLE)

    def _take(self, topic: str, msg: object) -> None:
        self.received.append((topic, msg, time.monotonic()))

    def notes(self, *topics: str) -> str:
        """The notes on these topics, or on all; ROS promises an order within a topic only."""
        return "".join(msg.data for topic, msg, _ in self.received if topic in (topics or (topic,)))

    def while_running(self, arguments: list[str]) -> int:
        """Runs the player in a thread of its own until it ends; returns its exit status."""
        statuses = []
        thread = threading.Thread(target=lambda: statuses.append(main(arguments)))
        thread.start()
        self.graph.wait_for(lambda: not thread.is_alive(), "the player to end", deadline_s=60)
        # Everything was acknowledged before the player ended: what is left waits in this process.
        before = None
        while before != len(self.received):
            before = len(self.received)
            self.graph.spin_once()
        return statuses[0]


@pytest.fixture(autouse=True)
def player_without_signals(monkeypatch):
    """Tests run the player in threads, where Python allows no signal handlers."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def play(listener: Listener, bag: Path, *options: str, wait_for: tuple[str, ...] = ()) -> int:
    return listener.while_running([str(bag), "--wait-for", *(wait_for or listener.topics), *options])


def test_all_messages_arrive_and_in_order(graph, notes_bag):
    listener = Listener(graph, {"/even": String, "/odd": String})

    assert play(listener, notes_bag) == 0
    assert (listener.notes("/even"), listener.notes("/odd")) == ("02468", "13579")


@pytest.mark.parametrize("rate", [0.25, 1.0, 4.0])
def test_messages_keep_their_distances_divided_by_the_rate(graph, notes_bag, rate):
    """From the first to the last note, 0.18 s: never in less, and not in much more on a busy machine."""
    with RecordedBag(notes_bag) as bag:
        player = BagPlayer(graph.node, bag, Playback(rate=rate))
        began_s = time.monotonic()
        report = player.play()
        took_s = time.monotonic() - began_s

    assert report.num_messages == 10
    assert 0.18 / rate <= took_s < 0.18 / rate + 1.0
    assert 0.0 <= report.lateness_p99_s < 1.0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--topics", "/odd"], "13579"),
        (["--topics", "odd", "even"], "0123456789"),
        (["--start", "0.06"], "3456789"),
        (["--duration", "0.06"], "012"),
        (["--start", "0.1", "--duration", "0.041"], "567"),
    ],
)
def test_topics_and_spans_can_be_chosen(graph, notes_bag, options, expected):
    listener = Listener(graph, {"/even": String, "/odd": String})

    played = ("/odd",) if options == ["--topics", "/odd"] else ("/even", "/odd")
    assert play(listener, notes_bag, *options, wait_for=played) == 0
    assert "".join(sorted(listener.notes())) == expected


def test_topics_can_be_renamed(graph, notes_bag):
    listener = Listener(graph, {"/first": String, "/ns/second": String})

    assert play(listener, notes_bag, "--remap", "even:=first", "/odd:=/ns/second") == 0
    assert {topic for topic, _, _ in listener.received} == {"/first", "/ns/second"}
    assert len(listener.received) == 10


def test_ros_arguments_of_a_launch_file_are_understood(graph, notes_bag):
    listener = Listener(graph, {"/elsewhere": String})

    assert play(listener, notes_bag, "--topics", "odd", "--ros-args", "-r", "/odd:=/elsewhere", "-r", "__node:=p") == 0
    assert listener.notes() == "13579"


def test_the_clock_shows_the_time_of_the_bag(graph, notes_bag):
    """Ticks every 10 ms of real time, on the multiples of 20 ms at double speed, up to the last message.

    Of the clock the newest tick alone counts, so on a busy machine one may take the place of another before that is sent:
    not each of them comes each time.
    """
    listener = Listener(graph, {"/even": String, "/clock": Clock})
    expected_ns, seen_ns = {20 * MS * tick for tick in range(9)}, set[int]()
    for _ in range(50):
        del listener.received[:]
        play(listener, notes_bag, "--topics", "/even", "--clock", "--rate", "2")
        ticks_ns = [stamp_to_ns(msg.clock) - START_NS for topic, msg, _ in listener.received if topic == "/clock"]
        assert ticks_ns == sorted(set(ticks_ns)) and ticks_ns[-1] == 160 * MS
        seen_ns |= set(ticks_ns)
        if seen_ns == expected_ns:
            break
    assert seen_ns == expected_ns


def test_a_loop_begins_again_until_it_is_stopped(notes_bag, graph):
    listener = Listener(graph, {"/even": String, "/odd": String})
    with subprocess.Popen(
        [sys.executable, "-m", "cs3_ros.bags.bag_player", str(notes_bag), "--loop", "--wait-for", "/even", "/odd"]
    ) as process:
        graph.wait_for(lambda: len(listener.notes()) > 25, "three rounds")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE_S) == 0  # without the signal it would never end

    assert listener.notes("/even").startswith("02468" * 2)
    assert listener.notes("/odd").startswith("13579" * 2)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_long_pause_is_interrupted_at_once(notes_bag, stop):
    command = [sys.executable, "-m", "cs3_ros.bags.bag_player", str(notes_bag), "--rate", "0.001"]  # 20 s apart
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        _wait_until_it_plays(process)
        process.send_signal(stop)
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""


def _wait_until_it_plays(process: subprocess.Popen) -> None:
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("watcher", context=context)
    deadline = time.monotonic() + 60
    while node.count_publishers("/even") == 0:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    context.shutdown()


def test_it_waits_for_a_subscriber_that_comes_late(graph, notes_bag):
    listener = Listener(graph, {"/even": String})
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(main([str(notes_bag), "--wait-for", "/even", "/odd"])))
    thread.start()
    graph.wait_for(lambda: graph.node.count_publishers("/odd"), "the player")
    assert listener.received == []

    graph.node.create_subscription(String, "/odd", lambda msg: listener._take("/odd", msg), RELIABLE)
    graph.wait_for(lambda: not thread.is_alive() and len(listener.received) == 10, "ten notes")

    assert statuses == [0]


def test_a_topic_that_is_not_published_cannot_be_waited_for(notes_bag, capsys):
    assert main([str(notes_bag), "--wait-for", "/image"]) == 1
    assert "cannot wait for a subscriber on /image: only /even, /odd are published" in capsys.readouterr().err


def test_subscribers_that_do_not_come_are_named(notes_bag, capsys):
    assert main([str(notes_bag), "--wait-for", "/even", "/odd", "--wait-timeout", "0.1"]) == 1

    message = capsys.readouterr().err
    assert "no subscriber on /even, /odd after 0.1 s: is the node up" in message


def warnings_beside_a_note(
    graph, folder: Path, capfd, topic: str, type_name: str, msgdef: str, data: bytes
) -> list[str]:
    """What is said of a topic of some definition in a bag whose note is played all the same."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(folder / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        known = bag.add_connection("/known", "std_msgs/msg/String", typestore=store)
        other = bag.add_connection(topic, type_name, msgdef=msgdef, rihs01="RIHS01_0")
        bag.write(
            known, 1, store.serialize_cdr(store.types["std_msgs/msg/String"](data="hello"), "std_msgs/msg/String")
        )
        bag.write(other, 2, data)
    listener = Listener(graph, {"/known": String})

    assert play(listener, folder / "bag") == 0

    assert listener.notes() == "hello"
    return [line for line in capfd.readouterr().err.splitlines() if topic in line]


def test_a_topic_without_installed_messages_is_skipped_with_one_line(graph, tmp_path, capfd):
    warnings = warnings_beside_a_note(
        graph, tmp_path, capfd, "/foreign", "no_such_msgs/msg/Thing", "uint8 x\n", b"\0\1\0\0\7"
    )
    assert len(warnings) == 1
    assert "topic /foreign is skipped: message package no_such_msgs" in warnings[0]


def test_a_topic_that_was_recorded_by_another_definition_is_skipped_with_one_line(graph, tmp_path, capfd):
    """Its bytes, published as the installed type, would mean something else."""
    warnings = warnings_beside_a_note(
        graph, tmp_path, capfd, "/other", "std_msgs/msg/Bool", "bool data\nuint8 sure\n", b"\0\1\0\0\1\2"
    )
    assert len(warnings) == 1
    assert "topic /other is skipped: the bag was recorded with another definition of std_msgs/msg/Bool" in warnings[0]


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("single_file", [False, True])
def test_both_storages_are_read_as_folder_and_as_file(graph, tmp_path, storage, single_file):
    store = get_typestore(Stores.ROS2_JAZZY)
    path = tmp_path / "bag"
    with Writer(path, version=9, storage_plugin=storage) as bag:
        notes = bag.add_connection("/notes", "std_msgs/msg/String", typestore=store)
        note = store.types["std_msgs/msg/String"](data="hello")
        bag.write(notes, START_NS, store.serialize_cdr(note, "std_msgs/msg/String"))
    if single_file:
        (path,) = (file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    listener = Listener(graph, {"/notes": String})

    assert play(listener, path) == 0
    assert listener.notes() == "hello"


def test_of_a_damaged_bag_the_readable_part_is_replayed_and_the_loss_said(graph, notes_bag, capsys):
    data = (notes_bag / "notes.mcap").read_bytes()
    (notes_bag / "notes.mcap").write_bytes(data[: data.rindex(b"9") - 30])
    (notes_bag / "metadata.yaml").write_text("no: metadata")
    listener = Listener(graph, {"/even": String, "/odd": String})

    assert play(listener, notes_bag) == 0
    assert (listener.notes("/even"), listener.notes("/odd")) == ("02468", "13579")
    said = capsys.readouterr().err.splitlines()
    assert any("metadata.yaml cannot be read" in line for line in said), said
    assert any("notes.mcap is cut or damaged" in line and "first 10 messages are used" in line for line in said), said


def test_there_is_one_clock_even_if_the_bag_has_one(graph, tmp_path):
    """The bag's own clock stands at another time."""
    with BagWriter(tmp_path / "bag") as bag:
        types = bag.typestore.types
        for number in range(10):
            time_ns = START_NS + 20 * MS * number
            bag.write("/notes", types["std_msgs/msg/String"](data=str(number)), time_ns)
            clock = types["builtin_interfaces/msg/Time"](sec=7, nanosec=0)
            bag.write("/clock", types["rosgraph_msgs/msg/Clock"](clock=clock), time_ns)
    listener = Listener(graph, {"/notes": String, "/clock": Clock})

    assert play(listener, tmp_path / "bag", "--clock") == 0
    seconds = {msg.clock.sec for topic, msg, _ in listener.received if topic == "/clock"}
    assert seconds == {START_NS // 10**9}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--topics", "/third"], "the bag has no topic /third; it has /even, /odd"),
        (["--start", "5"], "no messages from 5.0 s on: the bag is 0.180 s long"),
        (["--rate", "0"], "rate must be 0.001 to 1000, got 0.0"),
        (["--duration", "-1"], "duration_s must be above 0, got -1.0"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_one_line(notes_bag, capsys, options, complaint):
    assert main([str(notes_bag), *options]) == 1

    message = capsys.readouterr().err
    assert complaint in message
    assert message.startswith("bag_player: ")
    assert message.count("\n") == 1


def test_bags_that_are_none_are_refused(tmp_path, capsys):
    with BagWriter(tmp_path / "empty"):
        pass
    (tmp_path / "text.mcap").write_text("not a bag")
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")

    for name, complaint in {
        "empty": "has no message that can be read",
        "text.mcap": "has no message that can be read: text.mcap is cut or damaged",
        "old.bag": "is a ROS 1 bag: convert it with rosbags-convert",
        "absent": "is no bag",
    }.items():
        assert main([str(tmp_path / name)]) == 1
        assert complaint in capsys.readouterr().err


def test_offered_qos_is_that_of_the_bag(graph, tmp_path):
    """A latched topic stays latched: a subscriber that comes after the message still gets it."""
    import rclpy
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    none = QosTime(0, 0)
    latched = Qos(
        QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, none, none,
        QosLiveliness.AUTOMATIC, none, False,
    )  # fmt: skip
    store = get_typestore(Stores.ROS2_JAZZY)
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        notes = bag.add_connection("/map", "std_msgs/msg/String", typestore=store, offered_qos_profiles=[latched])
        note = store.types["std_msgs/msg/String"](data="hello")
        bag.write(notes, START_NS, store.serialize_cdr(note, "std_msgs/msg/String"))
    context = rclpy.Context()
    rclpy.init(context=context)
    try:
        node = rclpy.create_node("player", context=context)
        with RecordedBag(tmp_path / "bag") as bag:
            BagPlayer(node, bag, Playback()).play()
        received = []
        graph.node.create_subscription(String, "/map", received.append, LATCHED)
        graph.wait_for(lambda: received, "the latched message")
    finally:
        context.shutdown()


def test_the_real_clip_is_replayed_completely_and_unchanged(graph, shared_data, tmp_path):
    """Video to bag to graph: every picture and chunk, in order, with the stamps of the video."""
    counts = video_to_bag(shared_data("real/chopping.mp4"), tmp_path / "clip", VideoToBag(width=640))
    listener = Listener(graph, {"/image/compressed": CompressedImage, "/audio": AudioChunk})

    assert play(listener, tmp_path / "clip", "--rate", "4") == 0

    for topic, step_ns in {"/image/compressed": 1001 / 30000 * 1e9, "/audio": 20e6}.items():
        stamps_ns = [stamp_to_ns(msg.header.stamp) for name, msg, _ in listener.received if name == topic]
        assert stamps_ns == [1000 * 10**9 + round(index * step_ns) for index in range(counts[topic])]
