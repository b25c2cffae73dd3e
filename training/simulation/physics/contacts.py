"""Runs the physics of a scene's variants and reports every collision: who, where, when, how hard.

A collision is a new touch of two different objects at a closing speed of at least `MIN_CLOSING_SPEED`, after the table
has settled. Resting, settling and rolling contacts are none. The impulse is the exchanged momentum along the contact
normal, reduced mass times change of relative velocity, and not the integral of the contact force, which would hold the
weight of what lies there as well.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from training.simulation.objects.meshes import Points
from training.simulation.physics.hand_motion import SETTLE_S, Stroke, parting_s, release_s, set_hand
from training.simulation.scenario.plan import TABLE
from training.simulation.scene.mujoco_model import TIMESTEP_S
from training.simulation.scene.scene import Scene

MIN_CLOSING_SPEED = 0.06
"""Metres per second."""
MIN_IMPULSE = 5e-4
"""Newton seconds; a weaker event is not called a collision."""
_REJOIN_S = 0.02
_IMPULSE_STEPS = 8
_NO_PAIR = np.iinfo(np.int64).min


@dataclass(frozen=True, kw_only=True, slots=True)
class Collision:
    """Two objects that hit each other."""

    objects: tuple[int, int]
    """Indices of the items, smaller first, `TABLE` for the table top."""
    time_s: float
    """Of the first touch, on the clock of the simulation."""
    force_s: float
    """When what a hand brings begins to press; infinite if it never does, as where shapes overlap while they part."""
    impulse: float
    """Newton seconds."""
    closing_speed: float
    """Metres per second along the normal."""
    point: tuple[float, float, float]
    """World."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Friction:
    """How two objects slide over each other while they touch."""

    objects: tuple[int, int]
    start_s: float
    sliding_speed: npt.NDArray[np.float64]
    """Metres per second at every time step from `start_s` on."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class State:
    """A moment of the simulation, enough to render it."""

    time_s: float
    qpos: Points
    mocap_pos: Points
    mocap_quat: Points


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Record:
    """What one variant did."""

    collisions: tuple[Collision, ...]
    """In order of time."""
    frictions: tuple[Friction, ...]
    renewed: tuple[tuple[int, int], ...]
    """What a hand brings and what it presses on, however gently, after all has settled and 20 ms without a force."""
    states: tuple[State, ...]
    """At the times that were asked for."""


@dataclass(kw_only=True, slots=True, eq=False)
class _Touch:
    """A touch under observation."""

    objects: tuple[int, int]
    bodies: tuple[int, int]
    start_s: float
    last_s: float
    normal: Points
    point: Points
    speed_before: float
    speed_after: float | None = None
    force_s: float = np.inf
    sliding: list[float] | None = None


def simulate(
    scene: Scene,
    variants: Sequence[Sequence[Stroke]],
    move_head: Callable[[Any, float], None],
    stop_s: float,
    snapshots_s: Sequence[float],
) -> Iterator[Record]:
    """Simulates the variants of a scene one after another; what they have in common, only once.

    Args:
        scene: The scene; `script.find_touch` has been through its plans.
        variants: The motion of each hand in each variant.
        move_head: Called with the data and the time before each state that is kept.
        stop_s: End of the simulation.
        snapshots_s: Times at which to keep the state, ascending.
    """
    scraping = [{stroke.plan.item for stroke in strokes if stroke.slide is not None} for strokes in variants]
    common, seen = Simulation(scene, set().union(*scraping)), []
    common.start({stroke.plan.side: stroke.position(0.0) for stroke in variants[0]})
    fork_s = min(parting_s(scene, stroke) for strokes in variants for stroke in strokes)
    _advance(common, scene, variants[0], move_head, fork_s, snapshots_s, seen)
    for strokes, scraped in zip(variants, scraping, strict=True):
        run, states = common.fork(scraped), list(seen)
        _advance(run, scene, strokes, move_head, stop_s - TIMESTEP_S / 2, snapshots_s, states)
        yield run.record(states)


def _advance(
    run: Simulation,
    scene: Scene,
    strokes: Sequence[Stroke],
    move_head: Callable[[Any, float], None],
    until_s: float,
    snapshots_s: Sequence[float],
    states: list[State],
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

    def __init__(self, scene: Scene, scraping: set[int | None] = frozenset()) -> None:
        """Prepares the start; the sliding of the items in `scraping` is recorded."""
        self.data = mujoco.MjData(scene.model)
        self._scene, self._model, self._steps = scene, scene.model, 0
        self._watcher = _Watcher(scene, scene.model, self.data, scraping)
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

    def fork(self, scraping: set[int | None]) -> Simulation:
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
        if t > SETTLE_S - _REJOIN_S:
            self._watcher.look(t, settled=t > SETTLE_S)
        self._steps += 1

    def state(self) -> State:
        """The present moment."""
        data = self.data
        return State(
            time_s=self.time_s,
            qpos=data.qpos.copy(),
            mocap_pos=data.mocap_pos.copy(),
            mocap_quat=data.mocap_quat.copy(),
        )

    def record(self, states: Sequence[State]) -> Record:
        """What happened so far."""
        return Record(
            collisions=self._watcher.collisions(),
            frictions=self._watcher.frictions(),
            renewed=tuple(self._watcher.renewed),
            states=tuple(states),
        )


class _Watcher:
    """Follows touches over time steps."""

    def __init__(self, scene: Scene, model: Any, data: Any, scraping: set[int | None]) -> None:
        self._model, self._data, self._scraping = model, data, scraping
        self._objects = scene.object_of_geom
        self._pair_of_geoms = _pair_numbers(scene.object_of_geom)
        held = [plan.item for plan in scene.layout.plans.values() if plan.item is not None]
        self._of_hands = set(self._pair_of_geoms[np.isin(scene.object_of_geom, held)].ravel().tolist())
        """Numbers of the pairs that hands bring together."""
        self._pressed_s: dict[int, float] = {}
        """When they last pressed."""
        self.renewed: list[tuple[int, int]] = []
        self._current: dict[int, _Touch] = {}
        """By number of the pair."""
        self._all: list[_Touch] = []
        self._fresh: list[tuple[int, _Touch]] = []
        self._twist, self._wrench = np.zeros(6), np.zeros(6)
        self._mass = _masses(scene)

    def fork(self, data: Any, scraping: set[int | None]) -> _Watcher:
        twin = copy.copy(self)
        twin._data, twin._scraping = data, scraping
        own = self._pressed_s, self.renewed, self._current, self._all, self._fresh
        twin._pressed_s, twin.renewed, twin._current, twin._all, twin._fresh = copy.deepcopy(own)
        return twin

    def look(self, t: float, *, settled: bool) -> None:
        """Follows what touches; before all has settled, only what presses."""
        contact = self._data.contact
        geoms = contact.geom
        pairs = self._pair_of_geoms[geoms[:, 0], geoms[:, 1]]
        pairs[contact.dist >= 0.0] = _NO_PAIR
        for pair in dict.fromkeys(pairs.tolist()):
            if pair == _NO_PAIR:
                continue
            if settled:
                touch = self._current.get(pair)
                if touch is None or t - touch.last_s > _REJOIN_S:
                    touch = self._current[pair] = self._begin(int(np.argmax(pairs == pair)), t)
                touch.last_s = t
            if pair in self._of_hands and self._presses(pairs == pair):
                self._note_force(pair, t, settled)
        if self._fresh:
            self._follow_fresh()
        if self._scraping:
            self._follow_sliding(t)

    def _presses(self, of_pair: npt.NDArray[np.bool_]) -> bool:
        """Whether a force acts at any of a pair's contacts."""
        for number in np.flatnonzero(of_pair):
            mujoco.mj_contactForce(self._model, self._data, number, self._wrench)
            if self._wrench[0] > 0.0:
                return True
        return False

    def _note_force(self, pair: int, t: float, settled: bool) -> None:
        if settled:
            touch = self._current[pair]
            touch.force_s = min(touch.force_s, t)
            if t - self._pressed_s.get(pair, -np.inf) > _REJOIN_S:
                self.renewed.append(touch.objects)
        self._pressed_s[pair] = t

    def _follow_fresh(self) -> None:
        while self._fresh and self._fresh[0][0] <= 0:
            touch = self._fresh.pop(0)[1]
            touch.speed_after = self._relative_velocity(touch.bodies, touch.point) @ touch.normal
        self._fresh = [(left - 1, touch) for left, touch in self._fresh]

    def _follow_sliding(self, t: float) -> None:
        for touch in self._current.values():
            if touch.sliding is not None and touch.last_s == t:
                velocity = self._relative_velocity(touch.bodies, touch.point)
                sliding = velocity - touch.normal * (velocity @ touch.normal)
                missing = round((t - touch.start_s) / TIMESTEP_S) - len(touch.sliding)
                touch.sliding += [0.0] * missing + [float(np.linalg.norm(sliding))]

    def _begin(self, number: int, t: float) -> _Touch:
        contact = self._data.contact[number]
        objects = tuple(sorted(self._objects[contact.geom].tolist()))
        bodies = tuple(int(self._model.geom_bodyid[geom]) for geom in contact.geom)
        normal, point = contact.frame[:3].copy(), contact.pos.copy()
        touch = _Touch(
            objects=objects,
            bodies=bodies,
            start_s=t,
            last_s=t,
            normal=normal,
            point=point,
            speed_before=float(self._relative_velocity(bodies, point) @ normal),
            sliding=[] if self._scraping & set(objects) else None,
        )
        self._all.append(touch)
        self._fresh.append((_IMPULSE_STEPS, touch))
        return touch

    def _relative_velocity(self, bodies: tuple[int, int], point: Points) -> Points:
        velocity = []
        for body in bodies:
            kind = mujoco.mjtObj.mjOBJ_BODY
            mujoco.mj_objectVelocity(self._model, self._data, kind, body, self._twist, 0)
            velocity.append(self._twist[3:] + np.cross(self._twist[:3], point - self._data.xpos[body]))
        return velocity[1] - velocity[0]

    def collisions(self) -> tuple[Collision, ...]:
        found = []
        for touch in self._all:
            if touch.speed_after is None or abs(touch.speed_before) < MIN_CLOSING_SPEED:
                continue
            masses = [self._mass[index] for index in touch.objects]
            reduced = 1.0 / sum(1.0 / mass for mass in masses)
            collision = Collision(
                objects=touch.objects,
                time_s=touch.start_s,
                force_s=touch.force_s,
                impulse=float(reduced * abs(touch.speed_after - touch.speed_before)),
                closing_speed=abs(touch.speed_before),
                point=tuple(touch.point.tolist()),
            )
            if collision.impulse >= MIN_IMPULSE:
                found.append(collision)
        return tuple(found)

    def frictions(self) -> tuple[Friction, ...]:
        return tuple(
            Friction(objects=touch.objects, start_s=touch.start_s, sliding_speed=np.array(touch.sliding))
            for touch in self._all
            if touch.sliding and self._scraping & set(touch.objects)
        )


def _pair_numbers(object_of_geom: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A number for the pair of objects of each two geoms, [num_geoms, num_geoms]; `_NO_PAIR` within one object."""
    one, other = object_of_geom[:, None], object_of_geom[None]
    numbers = np.minimum(one, other) * 4096 + np.maximum(one, other)
    return np.where(one == other, _NO_PAIR, numbers)


def _masses(scene: Scene) -> dict[int, float]:
    masses = {index: item.shape.mass for index, item in enumerate(scene.layout.items)}
    masses[TABLE] = np.inf
    return masses
