"""A behaviour tree that waits for a collision and then looks at what was hit, with py_trees.

    pip install py-trees
    scripts/run python examples/behaviour_tree.py

Needs a running perception node. A tree must never block in a tick, so the behaviour polls its listener.
"""

from __future__ import annotations

import argparse
import sys
import time

import py_trees
from py_trees.common import Access, Status

from cs3_ros.client import CollisionClient, PerceptionError

_HEARD = "collision"
_TICK_S = 0.1


class WaitForCollision(py_trees.behaviour.Behaviour):
    """Succeeds with the next collision that has masks, and leaves it on the blackboard.

    It listens from its first tick on: what was heard before it began does not count. It fails when the time is up or
    the node is missing, with the reason as its feedback.
    """

    def __init__(self, client: CollisionClient, timeout_s: float) -> None:
        super().__init__("wait for collision")
        self._client = client
        self._timeout_s = timeout_s
        self._board = self.attach_blackboard_client()
        self._board.register_key(_HEARD, access=Access.WRITE)

    def initialise(self) -> None:
        self._listener = self._client.listen()
        self._watch = self._client.watch(self._timeout_s)

    def update(self) -> Status:
        while (collision := self._listener.poll()) is not None:
            if collision.objects and collision.trained:
                self._board.collision = collision
                self.feedback_message = collision.describe()
                return Status.SUCCESS
        try:
            self._watch.look("no collision with masks")
        except PerceptionError as error:
            self.feedback_message = str(error)
            return Status.FAILURE
        return Status.RUNNING


class LookAt(py_trees.behaviour.Behaviour):
    """Stands for a robot's own behaviour: turns the head to the middle of what was heard."""

    def __init__(self) -> None:
        super().__init__("look at it")
        self._board = self.attach_blackboard_client()
        self._board.register_key(_HEARD, access=Access.READ)

    def update(self) -> Status:
        x_min, y_min, x_max, y_max = self._board.collision.objects[-1].box_xyxy
        self.feedback_message = f"looking at pixel {(x_min + x_max) / 2:.0f},{(y_min + y_max) / 2:.0f}"
        return Status.SUCCESS


def main() -> int:
    """Ticks the tree until it is done; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--timeout", type=float, default=60.0, help="give up after this long, seconds (default 60)")
    timeout_s = parser.parse_args().timeout
    try:
        with CollisionClient() as client:
            return _tick(client, timeout_s)
    except ValueError as error:
        print(f"behaviour_tree: {error}", file=sys.stderr)
        return 1


def _tick(client: CollisionClient, timeout_s: float) -> int:
    children = [WaitForCollision(client, timeout_s), LookAt()]
    tree = py_trees.composites.Sequence("hear and look", memory=True, children=children)
    while tree.status not in (Status.SUCCESS, Status.FAILURE):
        tree.tick_once()
        time.sleep(_TICK_S)
    for child in children:
        if child.feedback_message:
            print(f"{child.name}: {child.feedback_message}", flush=True)
    return 0 if tree.status is Status.SUCCESS else 1


if __name__ == "__main__":
    sys.exit(main())
