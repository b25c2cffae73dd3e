"""One episode: a table, a robot, an agent, and whether the agent found what it was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cs3_model.types import UInt8Image
from cs3_ros.client import Collision, CollisionClient
from examples.tapping_agent.agent import Evidence, Sample, TappingAgent, most_like
from examples.tapping_agent.pictures import RobotCamera
from examples.tapping_agent.robot import Robot, RobotTopics, Taps
from examples.tapping_agent.table import TappingTable
from examples.tapping_agent.world import Stretch, TappingMicrophone, TappingWorld


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Episode:
    """What an agent did on one table."""

    table: TappingTable
    picture: UInt8Image
    """What the perception node saw."""
    samples: tuple[Sample, ...]
    stretches: tuple[Stretch, ...]
    """A rest, the taps, and pointing."""
    heard: tuple[tuple[Collision, ...], ...]
    """What the node said of each tap."""
    evidence: Evidence
    """What the agent made of it."""
    chosen: dict[str, int]
    """The look-alike that the agent chose, by what it was asked for."""


class RepeatedTaps:
    """Taps that have happened, once more, so that nothing but the sound differs."""

    def __init__(self, stretches: Sequence[Stretch], *, swapped: int = 0) -> None:
        """Takes the stretches of an episode.

        Args:
            stretches: A rest, the taps, and pointing.
            swapped: Number of look-alikes; each then makes the sound of the next one's tap in the same round. 0: its own.
        """
        rest, *taps = stretches
        for first in range(0, len(taps) - swapped + 1, swapped) if swapped else ():
            round_ = taps[first : first + swapped]
            others = round_[1:] + round_[:1]
            taps[first : first + swapped] = [
                tap.sounding_like(other) for tap, other in zip(round_, others, strict=True)
            ]
        self._stretches: Iterator[Stretch] = iter([rest, *taps])

    def rest(self, duration_s: float) -> Stretch:
        """The rest before the taps."""
        return next(self._stretches)

    def tap(self, index: int) -> Stretch:
        """The next tap."""
        return next(self._stretches)

    def point_at(self, index: int) -> Stretch:
        """The stretch in which the arm pointed somewhere."""
        return next(self._stretches)


def run_episode(
    seed: int,
    table: TappingTable,
    camera: RobotCamera,
    topics: RobotTopics,
    client: CollisionClient,
    *,
    num_taps: int,
    microphone: str = "on",
    patience_s: float = 30.0,
    world: Taps | None = None,
) -> Episode:
    """Lets an agent explore a table and point at the first kind that is sought.

    Args:
        seed: Of the table; also draws room, background and guesses.
        table: The table.
        camera: In its scene.
        topics: The robot on the graph.
        client: Of the perception node.
        num_taps: Per look-alike.
        microphone: One of `world.MICROPHONES`.
        patience_s: The agent's.
        world: Taps that have happened already; None taps now.
    """
    start = TappingWorld(table)
    picture, samples = camera.samples(start.state())
    robot = Robot(world or start, TappingMicrophone(table, seed, microphone).record, picture, topics)
    agent = TappingAgent(client, robot, samples, patience_s=patience_s)
    evidence = agent.explore(len(table.kinds), num_taps)
    rng = np.random.default_rng([23, seed])
    first, *others = table.sought
    chosen = {first: agent.find(first, evidence, rng)}
    materials = [sample.material for sample in samples]
    chosen |= {kind: most_like(evidence.speaks_for(kind, materials), rng) for kind in others}
    return Episode(
        table=table,
        picture=picture,
        samples=samples,
        stretches=tuple(robot.stretches),
        heard=tuple(agent.heard),
        evidence=evidence,
        chosen=chosen,
    )


def true_choices(episode: Episode, num_taps: int) -> dict[str, int]:
    """What the same agent would choose if it were told the kind of what its stick struck, by what it was asked for."""
    table = episode.table
    num_objects = len(table.kinds)
    told = {kind: np.zeros(num_objects) for kind in table.sought}
    for number, stretch in enumerate(episode.stretches[1 : 1 + num_objects * num_taps]):
        struck = stretch.struck(table)
        if struck is not None and table.kinds[struck] in told:
            told[table.kinds[struck]][number % num_objects] += 1 / num_taps
    rng = np.random.default_rng(0)
    return {kind: most_like(values, rng) for kind, values in told.items()}
