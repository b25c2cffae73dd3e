"""Runs the physics of a scene's variants, time step by time step; what they have in common, only once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import mujoco

from training.simulation.objects.meshes import Points
from training.simulation.physics.contacts import REJOIN_S, ContactWatcher
from training.simulation.physics.hand_motion import SETTLE_S, Stroke, parting_s, release_s, set_hand
from training.simulation.physics.record import PhysicsRecord, SceneState
from training.simulation.scene.mujoco_model import TIMESTEP_S
from training.simulation.scene.scene import SimulatedScene


def simulate(
    scene: SimulatedScene,
    variants: Sequence[Sequence[Stroke]],
    move_head: Callable[[Any, float], None],
    stop_s: float,
    snapshots_s: Sequence[float],
) -> Iterator[PhysicsRecord]:
    """Simulates the variants of a scene one after another; what they have in common, only once.

    Args:
        scene: The scene; `hand_motion.find_touch` has been through its plans.
        variants: The motion of each hand in each variant.
        move_head: Called with the data and the time before each state that is kept.
        stop_s: End of the simulation.
        snapshots_s: Times at which to keep the state, ascending.
    """
    scraping = [{stroke.plan.item for stroke in strokes if stroke.slide is not None} for strokes in variants]
    seen: list[SceneState] = []
    common = Simulation(scene, set().union(*scraping))
    common.start({stroke.plan.side: stroke.position(0.0) for stroke in variants[0]})
    fork_s = min(parting_s(scene, stroke) for strokes in variants for stroke in strokes)
    _advance(common, scene, variants[0], move_head, fork_s, snapshots_s, seen)
    for strokes, scraped in zip(variants, scraping, strict=True):
        run, states = common.fork(scraped), list(seen)
        _advance(run, scene, strokes, move_head, stop_s - TIMESTEP_S / 2, snapshots_s, states)
        yield run.record(states)


def _advance(
    run: Simulation,
    scene: SimulatedScene,
    strokes: Sequence[Stroke],
    move_head: Callable[[Any, float], None],
    until_s: float,
    snapshots_s: Sequence[float],
    states: list[SceneState],
) -> None:
    """Goes on up to `until_s` and adds the states at those `snapshots_s` that come until then."""
    openings = {s.plan.side: release_s(scene, s) for s in strokes if s.plan.act == "drop" and s.strikes}
    while (t := run.time_s) < until_s:
        while len(states) < len(snapshots_s) and t >= snapshots_s[len(states)]:
            move_head(run.data, t)
            states.append(run.state())
        for side in [side for side, opening in openings.items() if t >= opening]:
            run.open_hand(side)
        run.step({stroke.plan.side: stroke.position(t) for stroke in strokes})


class Simulation:
    """The physics of a scene under way, millisecond by millisecond."""

    def __init__(self, scene: SimulatedScene, scraping: AbstractSet[int | None] = frozenset()) -> None:
        """Prepares the start; the sliding of the items in `scraping` is recorded."""
        self.data = mujoco.MjData(scene.model)
        self._scene, self._model, self._steps = scene, scene.model, 0
        self._watcher = ContactWatcher(scene, scene.model, self.data, scraping)
        self._mocaps = {side: scene.model.body(f"path{'LR'[side > 0]}").mocapid[0] for side in scene.layout.plans}

    @property
    def time_s(self) -> float:
        """Time since the start."""
        return self._steps * TIMESTEP_S

    def start(self, positions: dict[int, Points]) -> None:
        """Puts the hands, by side, where they begin."""
        for side, position in positions.items():
            set_hand(self._scene, self.data, side, position)
        mujoco.mj_forward(self._model, self.data)

    def fork(self, scraping: AbstractSet[int | None]) -> Simulation:
        """One that goes on from the present moment by itself; of sliding, it reports that of the items in `scraping`."""
        twin = copy.copy(self)
        twin.data = copy.copy(self.data)
        twin._watcher = self._watcher.fork(twin.data, scraping)
        return twin

    def open_hand(self, side: int) -> None:
        """Lets go of what a hand is about to drop."""
        self.data.eq_active[self._model.equality(f"grip{'LR'[side > 0]}").id] = 0

    def step(self, positions: dict[int, Points]) -> None:
        """Moves the hands' paths to `positions` and advances by one time step."""
        for side, position in positions.items():
            self.data.mocap_pos[self._mocaps[side]] = position
        t = self.time_s
        mujoco.mj_step(self._model, self.data)
        if t > SETTLE_S - REJOIN_S:
            self._watcher.look(t, settled=t > SETTLE_S)
        self._steps += 1

    def state(self) -> SceneState:
        """The present moment."""
        return SceneState.of(self.data, self.time_s)

    def record(self, states: Sequence[SceneState]) -> PhysicsRecord:
        """What happened so far."""
        return PhysicsRecord(
            collisions=self._watcher.collisions(),
            frictions=self._watcher.frictions(),
            renewed=tuple(self._watcher.renewed),
            states=tuple(states),
        )
