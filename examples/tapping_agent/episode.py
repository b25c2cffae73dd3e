"""One episode: a table, a robot, an agent, and whether the agent found each material."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cs3_model.types import UInt8Image
from cs3_ros.client import Collision, CollisionClient
from examples.tapping_agent.agent import Sample, Shares, TappingAgent, most_like
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
    heard: tuple[Collision | None, ...]
    """What the node said of each tap."""
    shares: Shares
    """How much each look-alike sounds like each sample."""
    chosen: dict[str, int]
    """The look-alike that the agent takes for each material, by material."""


class RepeatedTaps:
    """Taps that have happened, once more: for another microphone, so that nothing but the sound differs."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self._stretches: Iterator[Stretch] = iter(stretches)

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
    microphone: str,
    num_taps: int,
    patience_s: float = 30.0,
    world: Taps | None = None,
) -> Episode:
    """Lets an agent explore a table and point at the metal one.

    Args:
        seed: Of the table; also draws room, background and guesses.
        table: The table.
        camera: In its scene.
        topics: The robot on the graph.
        client: Of the perception node.
        microphone: One of `world.MICROPHONES`.
        num_taps: Per look-alike.
        patience_s: The agent's.
        world: Taps that have happened already; None taps now.
    """
    start = TappingWorld(table)
    picture, samples = camera.samples(start.state())
    robot = Robot(world or start, TappingMicrophone(table, seed, microphone).record, picture, topics)
    agent = TappingAgent(client, robot, samples, patience_s=patience_s)
    shares = agent.explore(len(table.materials), num_taps)
    rng = np.random.default_rng([23, seed])
    chosen = {"metal": agent.find("metal", shares, rng)}
    for place, sample in enumerate(samples):
        if sample.material not in chosen:
            chosen[sample.material] = most_like(shares[:, place], rng)
    return Episode(
        table=table,
        picture=picture,
        samples=samples,
        stretches=tuple(robot.stretches),
        heard=tuple(agent.heard),
        shares=shares,
        chosen=chosen,
    )


def true_choices(episode: Episode, num_taps: int) -> dict[str, int]:
    """What the same agent would choose if it were told the material of what its stick struck, by material."""
    num_objects = len(episode.table.materials)
    shares = {sample.material: np.zeros(num_objects) for sample in episode.samples}
    for number, stretch in enumerate(episode.stretches[1 : 1 + num_objects * num_taps]):
        struck = stretch.struck(episode.table.stick)
        material = episode.table.materials[struck] if struck is not None and 0 <= struck < num_objects else None
        if material in shares:
            shares[material][number % num_objects] += 1 / num_taps
    rng = np.random.default_rng(0)
    return {material: most_like(values, rng) for material, values in shares.items()}
