"""Watches the contacts of a simulation and reports every collision: who, where, when, how hard.

A collision is a new touch of two different objects at a closing speed of at least `MIN_CLOSING_SPEED`, after the table
has settled. Resting, settling and rolling contacts are none. The impulse is the exchanged momentum along the contact
normal, reduced mass times change of relative velocity, and not the integral of the contact force, which would hold the
weight of what lies there as well.
"""

from __future__ import annotations

import copy
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from training.simulation.objects.meshes import Points
from training.simulation.physics.record import Friction, SimulatedCollision
from training.simulation.scene.mujoco_model import TIMESTEP_S
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import TABLE

MIN_CLOSING_SPEED = 0.06
"""Metres per second."""
MIN_IMPULSE = 5e-4
"""Newton seconds; a weaker event is not called a collision."""
REJOIN_S = 0.02
_IMPULSE_STEPS = 8
_NO_PAIR = np.iinfo(np.int64).min


@dataclass(kw_only=True, slots=True, eq=False)
class _WatchedTouch:
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


class ContactWatcher:
    """Follows touches over time steps."""

    def __init__(
        self,
        scene: SimulatedScene,
        model: Any,
        data: Any,
        scraping: AbstractSet[int | None],
        rocking: AbstractSet[int] = frozenset(),
    ) -> None:
        """Makes a watcher that has seen nothing yet.

        Args:
            scene: Whose objects are watched.
            model: MuJoCo's model of it.
            data: MuJoCo's state, which the caller steps.
            scraping: Objects whose sliding is recorded.
            rocking: Objects that may rock on what they lie on: each of their parts touches for itself, as one side
                of a lid may rest while the other falls back.
        """
        self._model, self._data, self._scraping = model, data, scraping
        self._objects = scene.object_of_geom
        self._pair_of_geoms = _pair_numbers(scene.object_of_geom, rocking)
        held = [plan.item for plan in scene.layout.plans.values() if plan.item is not None]
        self._of_hands = set(self._pair_of_geoms[np.isin(scene.object_of_geom, held)].ravel().tolist())
        """Numbers of the pairs that hands bring together."""
        self._pressed_s: dict[int, float] = {}
        """When they last pressed."""
        self.renewed: list[tuple[int, int]] = []
        self._current: dict[int, _WatchedTouch] = {}
        """The latest touch of each pair, by its number."""
        self._all: list[_WatchedTouch] = []
        self._fresh: list[tuple[int, _WatchedTouch]] = []
        self._twist, self._wrench = np.zeros(6), np.zeros(6)
        self._mass = _masses(scene)

    def fork(self, data: Any, scraping: AbstractSet[int | None]) -> ContactWatcher:
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
                if touch is None or t - touch.last_s > REJOIN_S:
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
            if t - self._pressed_s.get(pair, -np.inf) > REJOIN_S:
                self.renewed.append(touch.objects)
        self._pressed_s[pair] = t

    def _follow_fresh(self) -> None:
        while self._fresh and self._fresh[0][0] <= 0:
            touch = self._fresh.pop(0)[1]
            touch.speed_after = float(self._relative_velocity(touch.bodies, touch.point) @ touch.normal)
        self._fresh = [(left - 1, touch) for left, touch in self._fresh]

    def _follow_sliding(self, t: float) -> None:
        for touch in self._current.values():
            if touch.sliding is not None and touch.last_s == t:
                velocity = self._relative_velocity(touch.bodies, touch.point)
                sliding = velocity - touch.normal * (velocity @ touch.normal)
                missing = round((t - touch.start_s) / TIMESTEP_S) - len(touch.sliding)
                touch.sliding += [0.0] * missing + [float(np.linalg.norm(sliding))]

    def _begin(self, number: int, t: float) -> _WatchedTouch:
        contact = self._data.contact[number]
        first, second = sorted(self._objects[contact.geom].tolist())
        bodies = int(self._model.geom_bodyid[contact.geom[0]]), int(self._model.geom_bodyid[contact.geom[1]])
        normal, point = contact.frame[:3].copy(), contact.pos.copy()
        touch = _WatchedTouch(
            objects=(first, second),
            bodies=bodies,
            start_s=t,
            last_s=t,
            normal=normal,
            point=point,
            speed_before=float(self._relative_velocity(bodies, point) @ normal),
            sliding=[] if self._scraping & {first, second} else None,
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

    def collisions(self) -> tuple[SimulatedCollision, ...]:
        found = []
        for touch in self._all:
            if touch.speed_after is None or abs(touch.speed_before) < MIN_CLOSING_SPEED:
                continue
            masses = [self._mass[index] for index in touch.objects]
            reduced = 1.0 / sum(1.0 / mass for mass in masses)
            collision = SimulatedCollision(
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


def _pair_numbers(object_of_geom: npt.NDArray[np.int64], rocking: AbstractSet[int]) -> npt.NDArray[np.int64]:
    """A number for the pair of objects of each two geoms, [num_geoms, num_geoms]; `_NO_PAIR` within one object.

    Each geom of a rocking object counts as an object.
    """
    parts = object_of_geom.max() + 1 + np.arange(len(object_of_geom))
    part_of_geom = np.where(np.isin(object_of_geom, list(rocking)), parts, object_of_geom)
    one, other = part_of_geom[:, None], part_of_geom[None]
    numbers = np.minimum(one, other) * 4096 + np.maximum(one, other)
    return np.where(object_of_geom[:, None] == object_of_geom[None], _NO_PAIR, numbers)


def _masses(scene: SimulatedScene) -> dict[int, float]:
    masses = {index: item.shape.mass for index, item in enumerate(scene.layout.items)}
    masses[TABLE] = np.inf
    return masses
