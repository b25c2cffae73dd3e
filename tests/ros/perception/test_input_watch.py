"""An input that is silent, lossy, slow or stuck is said within 2 s, and so is its recovery."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from cs3_ros.perception.input_watch import InputWatch, WatchLimits

pytestmark = pytest.mark.ros

POLL_S = 0.1


class Problems:
    """Holds what `Health` would publish."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}
        self.warnings: dict[str, str] = {}

    def error(self, key: str, message: str) -> None:
        self.errors[key] = message

    def warn(self, key: str, message: str) -> None:
        self.warnings[key] = message

    def resolve(self, key: str) -> None:
        self.errors.pop(key, None)
        self.warnings.pop(key, None)


class Scene:
    """A watch on a clock of its own, and what the input does from poll to poll."""

    def __init__(self, min_rate_hz: float = 5.0) -> None:
        self.now_s = 100.0
        self.problems = Problems()
        self.num_lost = self.number = 0
        self.watch = InputWatch(
            "image",
            WatchLimits(timeout_s=1.0, min_rate_hz=min_rate_hz, max_loss=0.1),
            self.problems,
            remedy_silence="REMEDY OF SILENCE",
            remedy_loss="REMEDY OF LOSS",
            monotonic=lambda: self.now_s,
        )

    def run(self, seconds: float, step: Callable[[], None] = lambda: None, **options) -> None:
        for _ in range(round(seconds / POLL_S)):
            self.now_s += POLL_S
            step()
            self.watch.look(topic="/image", num_lost=self.num_lost, **options)

    def deliver(self, num_messages: int = 3, content: object = None, is_good: bool = True) -> None:
        self.number += 1
        self.watch.num_messages += num_messages
        self.watch.num_accepted += num_messages * is_good
        self.watch.note(self.number if content is None else content)

    def lose(self, num_lost: int) -> None:
        self.num_lost += num_lost

    @property
    def found(self) -> str:
        return " | ".join([*self.problems.errors.values(), *self.problems.warnings.values()])


def lossy(scene: Scene) -> None:
    scene.deliver(1)
    scene.lose(2)


FAULTS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "off": (lambda scene: None, "nothing has arrived on /image for 1 s: REMEDY OF SILENCE"),
    "garbage": (lambda scene: scene.deliver(is_good=False), "no message on /image can be used: REMEDY OF SILENCE"),
    "stuck": (lambda scene: scene.deliver(content="same"), "/image has brought the very same content for 1 s"),
    "lossy": (lossy, "67 % of the messages on /image are lost: REMEDY OF LOSS"),
    "slow": (lambda scene: scene.deliver(scene.number % 4 == 0), "fewer than 5"),
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_said_within_two_seconds_and_its_end_too(fault, words) -> None:
    scene = Scene()
    scene.run(3.0, scene.deliver)
    assert scene.found == ""
    scene.run(2.0, lambda: fault(scene))
    assert words in scene.found
    scene.run(2.0, scene.deliver)
    assert scene.found == ""


def test_a_publisher_that_never_sends_is_said() -> None:
    scene = Scene()
    scene.run(1.5)
    assert scene.problems.errors == {
        "image: silent": "image: nothing arrives on /image though it has a publisher: REMEDY OF SILENCE"
    }


def test_an_input_that_was_good_and_ends_is_not_called_unusable() -> None:
    scene = Scene()
    scene.run(3.0, scene.deliver)
    scene.run(1.2)
    assert scene.found == "image: nothing has arrived on /image for 1 s: REMEDY OF SILENCE"


def test_an_input_that_ends_is_never_called_stuck() -> None:
    scene = Scene()
    scene.run(3.0, scene.deliver)
    for _ in range(20):
        scene.run(POLL_S)
        assert "same content" not in scene.found


def test_missing_sound_is_said() -> None:
    scene = Scene(min_rate_hz=0.0)

    def half_of_it() -> None:
        scene.deliver()
        scene.watch.missing_s += POLL_S / 2

    scene.run(2.0, half_of_it)
    assert "50 % of the sound on /image is missing: REMEDY OF LOSS" in scene.found


def test_nothing_is_said_while_nothing_has_to_come() -> None:
    scene = Scene()
    scene.run(5.0, is_paused=True)
    assert scene.found == ""
    scene.run(0.9)
    assert scene.found == "", "the time of the pause does not count"
