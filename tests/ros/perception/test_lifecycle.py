"""The perception node's states, its end, its clock, its log, and that every accepted onset ends exactly once."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import closing

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_msgs.msg import Collision  # noqa: E402
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.srv import GetParameters  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from cs3_ros.conversions.images import mask_from_msg  # noqa: E402
from cs3_ros.conversions.times import NS_PER_S, ns_to_stamp  # noqa: E402
from tests.ros.perception.perception_graph import START_S, MediaGraph, NodeProcess  # noqa: E402
from tests.ros.perception.test_services import Hold  # noqa: E402

pytestmark = pytest.mark.ros


def change_state(graph, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return graph.call(ChangeState, "change_state", request).success


def ended(values: dict[str, str]) -> int:
    return sum(int(value) for key, value in values.items() if key.startswith("events_") and key != "events_waiting")


def test_the_states_can_be_walked_through_twice(make_perception) -> None:
    graph = make_perception(start=False)
    for _ in range(2):
        assert graph.status()[1]["state"] == "unconfigured"
        assert change_state(graph, Transition.TRANSITION_CONFIGURE)
        assert graph.status()[1]["state"] == "inactive"
        for _ in range(2):
            assert change_state(graph, Transition.TRANSITION_ACTIVATE)
            assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS
            assert change_state(graph, Transition.TRANSITION_DEACTIVATE)
        assert graph.status()[1]["state"] == "inactive"
        assert change_state(graph, Transition.TRANSITION_CLEANUP)
    assert graph.status()[1]["events_closest_pair"] == "4"


def test_an_inactive_node_listens_to_nothing(make_perception) -> None:
    graph = make_perception()
    graph.play_until_collision()
    publisher = graph.publisher(Image, "/image")
    assert change_state(graph, Transition.TRANSITION_DEACTIVATE)
    graph.wait_for(lambda: publisher.get_subscription_count() == 0, "the subscription to end")


def test_a_transition_that_does_not_fit_is_refused_and_changes_nothing(make_perception) -> None:
    graph = make_perception()
    assert not change_state(graph, Transition.TRANSITION_CONFIGURE)
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("preset", "huge", "unknown preset 'huge'; choose one of"),
        ("device", "cuda:99", "device 'cuda:99' is not there"),
        ("device", "tpu", "device must be auto, cpu, cuda or cuda:N, got 'tpu'"),
    ],
)
def test_a_failing_configuration_is_named_and_leaves_the_node_usable(make_perception, name, value, words) -> None:
    graph = make_perception(start=False, **{name: value})
    assert not change_state(graph, Transition.TRANSITION_CONFIGURE)
    status, values = graph.status()
    assert status.level == DiagnosticStatus.ERROR and words in status.message
    assert values["state"] == "unconfigured"
    assert values["image_expected"] == "/image or /image/compressed" and values["audio_expected"] == "/audio"
    good = Parameter(name, value={"preset": "debug", "device": "cpu"}[name])
    assert all(result.successful for result in graph.perception.set_parameters([good]))
    assert change_state(graph, Transition.TRANSITION_CONFIGURE)
    assert change_state(graph, Transition.TRANSITION_ACTIVATE)
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS
    assert not any("configure" in key for key in graph.status()[1])


def test_a_part_that_cannot_be_built_is_named(make_perception, monkeypatch) -> None:
    from cs3_model.build import PART_BUILDERS

    def build(*_):
        raise RuntimeError("out of memory")

    graph = make_perception(start=False)
    monkeypatch.setitem(PART_BUILDERS["boxes"], "debug", build)
    assert not change_state(graph, Transition.TRANSITION_CONFIGURE)
    assert "cannot configure: RuntimeError: out of memory" in graph.status()[0].message


def test_each_failed_transition_is_a_line_of_its_own_and_its_reason_stays_in_the_diagnostics(
    make_perception, monkeypatch
) -> None:
    from cs3_ros.perception import health

    monkeypatch.setattr(health, "_FORGET_S", 0.3)
    graph = make_perception(start=False, preset="huge")
    lines = graph.listen_to_log()
    for _ in range(2):
        assert not change_state(graph, Transition.TRANSITION_CONFIGURE)
    words = "cannot configure: unknown preset 'huge'"
    graph.wait_for(lambda: sum(line.msg.startswith(words) for line in lines) == 2, "two lines")
    for _ in range(3):
        assert words in graph.status()[0].message


def test_a_transition_that_does_not_fit_says_what_would(make_perception) -> None:
    graph = make_perception(start=False)
    lines = graph.listen_to_log()
    assert not change_state(graph, Transition.TRANSITION_ACTIVATE)
    expected = "transition 3 is refused: the node is unconfigured; possible: configure, shutdown"
    graph.wait_for(lambda: any(line.msg == expected for line in lines), "the line")


@pytest.fixture
def slow_to_load(make_perception, monkeypatch):
    """A graph whose node loads until the event is set."""
    from cs3_model.build import PART_BUILDERS

    graph = make_perception(start=False)
    begun, may_end = threading.Event(), threading.Event()
    build = PART_BUILDERS["boxes"]["debug"]

    def wait(*arguments):
        begun.set()
        may_end.wait(60.0)
        return build(*arguments)

    monkeypatch.setitem(PART_BUILDERS["boxes"], "debug", wait)
    graph.begun, graph.may_end = begun, may_end
    yield graph
    may_end.set()


def begin_to_configure(graph):
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    answer = graph.call_async(ChangeState, "change_state", request)
    graph.wait_for(graph.begun.is_set, "the node to load")
    return answer


def test_a_node_that_is_configured_by_a_request_answers_while_it_loads(slow_to_load) -> None:
    graph = slow_to_load
    answer = begin_to_configure(graph)
    assert graph.call(GetState, "get_state", GetState.Request()).current_state.label == "configuring"
    preset = graph.call(GetParameters, "get_parameters", GetParameters.Request(names=["preset"]))
    assert preset.values[0].string_value == "debug"
    assert graph.status()[1]["state"] == "configuring"
    assert not change_state(graph, Transition.TRANSITION_CONFIGURE), "one at a time"
    assert not answer.done()
    graph.may_end.set()
    graph.wait_for(answer.done, "the answer")
    assert answer.result().success and graph.status()[1]["state"] == "inactive"
    assert change_state(graph, Transition.TRANSITION_ACTIVATE)
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS


def test_cleaning_up_gives_loading_up_at_once_and_the_node_can_be_configured_again(slow_to_load) -> None:
    graph = slow_to_load
    answer = begin_to_configure(graph)
    assert change_state(graph, Transition.TRANSITION_CLEANUP)
    graph.wait_for(answer.done, "the answer")
    assert not answer.result().success
    status, values = graph.status()
    assert values["state"] == "unconfigured" and status.message == "ok"
    graph.may_end.set()
    assert change_state(graph, Transition.TRANSITION_CONFIGURE)
    assert graph.status()[1]["state"] == "inactive"


def test_shutting_down_gives_loading_up_at_once(slow_to_load) -> None:
    graph = slow_to_load
    begin_to_configure(graph)
    assert change_state(graph, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert graph.status()[1]["state"] == "finalized"


def test_deactivation_ends_what_waits(make_perception) -> None:
    graph = make_perception(patience_s=10.0)
    graph.play(0.6, [0.5])
    graph.wait_for(lambda: graph.status()[1].get("onsets_confirmed") == "1", "the onset to be confirmed")
    assert change_state(graph, Transition.TRANSITION_DEACTIVATE)
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "stopped" and collision.detail == "perception was stopped"


def test_more_events_than_can_be_segmented_end_as_overload_each_once(make_perception, monkeypatch) -> None:
    graph = make_perception(max_waiting=1)
    hold = Hold(graph.parts["boxes"], "segment", monkeypatch)
    graph.play(0.7, [0.2])
    graph.wait_for(hold.entered.is_set, "the first event to be worked on")
    graph.play(2.0, [0.2, 0.6, 1.0, 1.4])
    graph.wait_for_collisions(3)
    hold.open.set()
    collisions = graph.wait_for_collisions(5)
    assert [collision.reason for collision in collisions] == ["overload"] * 3 + ["closest_pair"] * 2
    assert len({(c.onset.sec, c.onset.nanosec) for c in collisions}) == 5
    last = max(collisions, key=lambda collision: (collision.onset.sec, collision.onset.nanosec))
    assert last.reason == "closest_pair", "the newest work wins"
    values = graph.status()[1]
    assert int(values["onsets_confirmed"]) == ended(values) == len(graph.collisions) == 5


def test_a_device_that_hangs_ends_its_event_as_an_error_and_stops_the_node(make_perception, monkeypatch) -> None:
    graph = make_perception(device_timeout_s=1.0)
    hold = Hold(graph.parts["boxes"], "segment", monkeypatch)
    graph.play(0.7, [0.2])
    graph.wait_for(hold.entered.is_set, "the event to be worked on")
    assert "have not answered for 1 s" in graph.wait_for_problem("the device hangs")
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "error" and "the device hangs" in collision.detail
    assert graph.status()[1]["state"] == "inactive" and graph.perception.hang
    hold.open.set()


def test_every_accepted_onset_ends_once_through_every_disturbance(make_perception) -> None:
    """The published messages are as many as the diagnostics count, for each reason."""
    graph = make_perception()

    def wait_until_confirmed(count: int) -> None:
        graph.wait_for(lambda: graph.status()[1].get("onsets_confirmed") == str(count), f"onset {count}")

    graph.play(2.0, [0.2, 0.6, 1.0, 1.9])
    wait_until_confirmed(4)  # the last one lacks sound
    graph.now_ns -= 30 * NS_PER_S
    graph.play(1.0, [0.4], image=None)
    wait_until_confirmed(5)  # and lacks images
    change_state(graph, Transition.TRANSITION_DEACTIVATE)
    change_state(graph, Transition.TRANSITION_ACTIVATE)
    graph.play(1.0, [0.4])
    graph.now_ns += 60 * NS_PER_S
    graph.play(1.5, [0.4, 0.9])
    wait_until_confirmed(8)
    graph.wait_for_collisions(8)
    values = graph.status()[1]
    for reason in {collision.reason for collision in graph.collisions}:
        assert int(values[f"events_{reason}"]) == sum(c.reason == reason for c in graph.collisions)
    assert int(values["onsets_confirmed"]) == ended(values) == len(graph.collisions) == 8
    assert int(values["onsets_provisional"]) == int(values["onsets_confirmed"]) + int(values.get("onsets_withdrawn", 0))


def test_the_overlay_is_drawn_only_while_somebody_looks(make_perception, monkeypatch) -> None:
    from cs3_ros.perception import outputs

    drawn: list[int] = []
    draw = outputs.draw_overlay
    monkeypatch.setattr(outputs, "draw_overlay", lambda *args, **kwargs: drawn.append(1) or draw(*args, **kwargs))
    graph = make_perception()
    graph.play_until_collision()
    assert not drawn
    overlays = graph.listen(Image, "/perception/overlay")
    masks = graph.listen(Image, "/perception/mask")
    collision = graph.play_until_collision()
    graph.wait_for(lambda: overlays and masks, "the overlay and the mask")
    assert len(drawn) == 1
    assert overlays[0].encoding == "rgb8" and overlays[0].header == collision.header
    union = mask_from_msg(collision.masks[0].mask_compressed) | mask_from_msg(collision.masks[1].mask_compressed)
    assert masks[0].header == collision.header and (mask_from_msg(masks[0]) == union).all()


def test_the_log_of_the_model_reaches_the_ros_log_until_the_node_ends(make_perception) -> None:
    graph = make_perception()
    lines = graph.listen_to_log()
    for level in ("info", "warning", "error", "info"):
        getattr(logging.getLogger("cs3_model.somewhere"), level)("a %s of the model", level)
    graph.wait_for(lambda: sum("of the model" in line.msg for line in lines) == 4, "four lines")
    assert {line.name for line in lines if "of the model" in line.msg} == {"perception"}
    before = list(logging.getLogger("cs3_model").handlers)
    graph.perception.destroy_node()
    assert len(logging.getLogger("cs3_model").handlers) == len(before) - 1


def test_simulated_time_that_stands_still_does_not_silence_the_node(make_perception) -> None:
    graph = make_perception(use_sim_time=True)
    graph.wait_for_problem("nobody publishes /audio")
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS


def test_simulated_time_that_jumps_back_ends_what_waits(make_perception) -> None:
    graph = make_perception(use_sim_time=True, patience_s=10.0)
    clock = graph.publisher(Clock, "/clock")
    clock.publish(Clock(clock=ns_to_stamp(graph.now_ns)))
    graph.wait_for(lambda: graph.perception.get_clock().now().nanoseconds == graph.now_ns, "the time")
    graph.play(0.6, [0.5])
    graph.wait_for(lambda: graph.status()[1].get("onsets_confirmed") == "1", "the onset")  # topics are not in order
    clock.publish(Clock(clock=ns_to_stamp(graph.now_ns - 20 * NS_PER_S)))
    (collision,) = graph.wait_for_collisions(1)
    assert collision.reason == "time_jump" and collision.detail == "the clock jumped"
    graph.now_ns -= 20 * NS_PER_S
    assert graph.play_until_collision().verdict == Collision.VERDICT_TWO_OBJECTS


SLOW_NODE = """
import sys, time
from tests.model.conftest import BrightestSpot
from tests.ros.perception.perception_graph import use_hand_made_parts
use_hand_made_parts()
calls = []
def embed_audio(self, window):
    calls.append(window)
    if len(calls) > 2:  # the first two are the warm-up
        print("working", file=sys.stderr, flush=True)
        time.sleep(600)
    return 1.0
BrightestSpot.embed_audio = embed_audio
from cs3_ros.perception.node import main
main(["perception", "--ros-args", "-p", "preset:=debug", "-p", "audio_pre_s:=0.3", "-p", "audio_post_s:=0.3"])
"""
NODE = "from cs3_ros.perception.node import main; main()"


def assert_ends_at_once(node: NodeProcess, number: signal.Signals) -> None:
    """Sends the signal; the process must obey long before its work is done, successfully and without a traceback.

    Its work takes 600 s, longer than any machine takes to end a process; `benchmarks/stopping.py` measures the time.
    """
    node.process.send_signal(number)
    status = node.process.wait(START_S)
    output = node.output()
    assert status == 0, f"status {status}\n{output}"
    assert "Traceback" not in output and "Exception" not in output, output


def test_sigterm_ends_the_process_at_once_while_it_loads(graph) -> None:
    with NodeProcess(NODE) as node:
        said = "loading preset auto; will listen to /image or /image/compressed, and /audio"
        graph.wait_for(lambda: node.has_said(said), "the node to load", START_S)
        assert_ends_at_once(node, signal.SIGTERM)
        assert not node.has_said("runs on"), "it went on loading"


LOADING_NODE = """
import sys, time
import cs3_model.build
def build_pipeline(*arguments, **options):
    print("building", file=sys.stderr, flush=True)
    time.sleep(600)
cs3_model.build.build_pipeline = build_pipeline
from cs3_ros.perception.node import main
main(["perception", "--ros-args", "-p", "preset:=debug"])
"""


@pytest.mark.slow
def test_a_node_that_loads_says_its_state_and_parameters_and_ends_at_once(graph) -> None:
    with NodeProcess(LOADING_NODE) as node:
        graph.wait_for(lambda: node.has_said("building"), "the node to load", START_S)
        state = graph.node.create_client(GetState, "/perception/get_state")
        parameters = graph.node.create_client(GetParameters, "/perception/get_parameters")
        graph.wait_for(lambda: state.service_is_ready() and parameters.service_is_ready(), "its services")
        answers = [state.call_async(GetState.Request()), parameters.call_async(GetParameters.Request(names=["preset"]))]
        graph.wait_for(lambda: all(answer.done() for answer in answers), "its answers")
        assert answers[0].result().current_state.label == "configuring"
        assert answers[1].result().values[0].string_value == "debug"
        assert_ends_at_once(node, signal.SIGTERM)


@pytest.mark.slow
def test_ctrl_c_ends_the_process_at_once_amid_an_event_which_ends_as_stopped() -> None:
    with closing(MediaGraph()) as graph, NodeProcess(SLOW_NODE) as node:
        graph.wait_until_it_listens(node)
        graph.play(0.8, [0.2])
        graph.wait_for(lambda: node.has_said("working"), "the event to be worked on")
        assert_ends_at_once(node, signal.SIGINT)
        (collision,) = graph.wait_for_collisions(1)
        assert collision.reason == "stopped"


@pytest.mark.slow
def test_sigterm_ends_a_listening_process_at_once() -> None:
    with closing(MediaGraph()) as graph, NodeProcess(SLOW_NODE) as node:
        graph.wait_until_it_listens(node)
        graph.play(0.2, ())
        assert_ends_at_once(node, signal.SIGTERM)


def test_a_wrong_parameter_at_start_is_one_line_and_a_failure(graph) -> None:
    with NodeProcess(NODE, "--ros-args", "-p", "mask_format:=gif") as node:
        graph.wait_for(lambda: node.process.poll() is not None, "the process to end", START_S)
        assert node.process.returncode == 1, node.output()
        assert node.has_said("mask_format must be one of mono8, png, got 'gif'") and not node.has_said("Traceback")
