"""The world of one episode: the arm taps, physics says what it strikes, the microphone records it.

The world stands still between two motions, so that the agent may think as long as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import mujoco
import numpy as np
import numpy.typing as npt

from examples.tapping_agent import arm
from examples.tapping_agent.arm import Tip
from examples.tapping_agent.table import BASE_XY, TappingTable
from training.simulation.physics.contacts import ContactWatcher
from training.simulation.physics.hand_motion import SETTLE_S
from training.simulation.physics.record import PhysicsRecord, SceneState, SimulatedCollision
from training.simulation.scene.mujoco_model import TIMESTEP_S
from training.simulation.sound import soundscape
from training.simulation.sound.scene_sound import scene_sound

RATE_HZ = 16_000
FPS = 10
_TRAVEL_S, _BACK_S, _TAP_S = 0.4, 0.25, 1.5
_STANDOFF_M, _TOO_FAR_M, _SPEED_M_S = 0.06, 0.04, 0.5
_TAP_HEIGHT_M, _OVER_M = 0.02, 0.03
_TAIL_S = 0.7
"""How long a sound may go on in the next stretch of time."""
_BED = 0.002
"""Root mean square of the background at the microphone."""
_SNR_DB = (15.0, 30.0)
"""Level of each tap over the background: the microphone's gain follows what it hears, as in Sim-CS3."""
MICROPHONES = ("on", "off")
"""The microphone hears what is tapped, or the background alone."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stretch:
    """A motion of the arm and what came of it."""

    start_s: float
    """Since the beginning of the episode, seconds; the other times too."""
    duration_s: float
    touch_s: float | None
    """When the arm felt that its stick touched something."""
    collisions: tuple[SimulatedCollision, ...]
    states: tuple[SceneState, ...]
    """`FPS` of them per second, the first at the start."""

    def struck(self, table: TappingTable) -> int | None:
        """Number of the look-alike whose body or lid the stick struck first, None if it struck none."""
        for collision in self.collisions:
            if table.stick in collision.objects:
                struck = next(index for index in collision.objects if index != table.stick)
                struck = table.lids.get(struck, struck)
                return struck if 0 <= struck < table.stick else None
        return None

    def sounding_like(self, other: Stretch) -> Stretch:
        """The same motion with the collisions of another tap, at the moment of this one's touch."""
        if self.touch_s is None or other.touch_s is None:
            return replace(self, collisions=())
        shift_s = self.touch_s - other.touch_s
        return replace(self, collisions=tuple(replace(c, time_s=c.time_s + shift_s) for c in other.collisions))


class TappingWorld:
    """Physics of the table and the arm, millisecond by millisecond."""

    def __init__(self, table: TappingTable) -> None:
        self.table = table
        self._model = table.scene.model
        self.data = mujoco.MjData(self._model)
        self._watcher = ContactWatcher(
            table.scene, self._model, self.data, scraping=frozenset(), rocking=table.lids.keys()
        )
        self._steps = 0
        self._tip = Tip(-np.pi / 2, 0.2, 0.08)
        arm.place(self._model, self.data, self._tip)
        mujoco.mj_forward(self._model, self.data)

    @property
    def time_s(self) -> float:
        """Since the beginning of the episode, seconds."""
        return self._steps * TIMESTEP_S

    def rest(self, duration_s: float) -> Stretch:
        """Does nothing for a while."""
        return self._move(duration_s, lambda t, touch_s: self._tip)

    def tap(self, index: int) -> Stretch:
        """Goes to a look-alike and taps its rim once, from the arm's side."""
        touch = self._in_front_of(index)
        ready = touch._replace(reach_m=touch.reach_m - _STANDOFF_M)
        start = self._tip

        def path(t: float, touch_s: float | None) -> Tip:
            if t < _TRAVEL_S:
                return arm.between(start, ready, t / _TRAVEL_S)
            reached = min((touch_s or t) - _TRAVEL_S, (_STANDOFF_M + _TOO_FAR_M) / _SPEED_M_S)
            farthest = ready._replace(reach_m=ready.reach_m + _SPEED_M_S * reached)
            return arm.between(farthest, ready, (t - _TRAVEL_S - reached) / _BACK_S)

        return self._move(_TAP_S, path)

    def point_at(self, index: int) -> Stretch:
        """Holds the stick over a look-alike."""
        start = self._tip
        touch = self._in_front_of(index)
        shape = self.table.scene.layout.items[index].shape
        height_m = max(0.12, shape.height + _OVER_M)
        over = Tip(touch.angle, touch.reach_m + shape.radius, height_m)
        high = start._replace(height_m=height_m)
        return self._move(
            2 * _TRAVEL_S,
            lambda t, touch_s: (
                arm.between(start, high, t / 0.2) if t < 0.2 else arm.between(high, over, (t - 0.2) / 0.7)
            ),
        )

    def _in_front_of(self, index: int) -> Tip:
        """Where the stick would touch a look-alike, from where that stands now."""
        x, y = self.data.body(f"item{index}").xpos[:2] - BASE_XY
        radius = self.table.scene.layout.items[index].shape.radius
        return Tip(float(np.arctan2(y, x)), float(np.hypot(x, y)) - radius, _TAP_HEIGHT_M)

    def _move(self, duration_s: float, path: Callable[[float, float | None], Tip]) -> Stretch:
        start_s, touch_s = self.time_s, None
        states: list[SceneState] = []
        for step in range(round(duration_s / TIMESTEP_S)):
            if step % round(1 / (FPS * TIMESTEP_S)) == 0:
                states.append(self.state())
            self._tip = path(step * TIMESTEP_S, touch_s)
            arm.command(self.data, self._tip)
            mujoco.mj_step(self._model, self.data)
            self._watcher.look(self.time_s, settled=self.time_s > SETTLE_S)
            if touch_s is None and self._feels_touch():
                touch_s = step * TIMESTEP_S
            self._steps += 1
        return Stretch(
            start_s=start_s,
            duration_s=duration_s,
            touch_s=None if touch_s is None else start_s + touch_s,
            collisions=tuple(found for found in self._watcher.collisions() if found.time_s >= start_s),
            states=tuple(states),
        )

    def _feels_touch(self) -> bool:
        contact = self.data.contact
        objects = self.table.scene.object_of_geom[contact.geom]
        return bool(((objects == self.table.stick).any(1) & (contact.dist < 0.0)).any())

    def state(self) -> SceneState:
        """The present moment."""
        return SceneState.of(self.data, self.time_s)


class TappingMicrophone:
    """Turns what happened into sound: impacts as everywhere in the simulated world, a room, a background."""

    def __init__(self, table: TappingTable, seed: int, heard: str = "on") -> None:
        """Draws the room.

        Args:
            table: The table.
            seed: Of the episode.
            heard: One of `MICROPHONES`.
        """
        if heard not in MICROPHONES:
            raise ValueError(f"heard must be one of {', '.join(MICROPHONES)}, got {heard!r}")
        self._rng = np.random.default_rng([21, seed])
        self._heard, self._scene = heard, table.scene
        self._room = soundscape.draw_room(self._rng, RATE_HZ)
        self._background = str(self._rng.choice(soundscape.BACKGROUNDS))
        self._tail = np.zeros(round(_TAIL_S * RATE_HZ))

    def record(self, stretch: Stretch) -> npt.NDArray[np.float32]:
        """The sound of a stretch of time, float32 [T] in [-1, 1] at `RATE_HZ`."""
        length = round(stretch.duration_s * RATE_HZ)
        sound = np.zeros(length + len(self._tail))
        if stretch.collisions and self._heard != "off":
            sound = self._taps(stretch, len(sound) / RATE_HZ)
        sound[: len(self._tail)] += self._tail
        self._tail = sound[length:]
        bed = soundscape.background(self._rng, self._background, length, RATE_HZ)
        return np.clip(sound[:length] + _BED * bed, -1.0, 1.0).astype(np.float32)

    def _taps(self, stretch: Stretch, duration_s: float) -> npt.NDArray[np.float64]:
        record = PhysicsRecord(collisions=stretch.collisions, frictions=(), renewed=(), states=())
        dry = scene_sound(
            self._rng, self._scene, record, shift_s=-stretch.start_s, duration_s=duration_s, rate_hz=RATE_HZ
        )
        clean = soundscape.reverberate(dry, self._room)
        onset_s = stretch.collisions[0].time_s - stretch.start_s
        power = soundscape.onset_power(clean, onset_s, RATE_HZ)
        return clean * _BED * np.sqrt(10 ** (self._rng.uniform(*_SNR_DB) / 10) / power)
