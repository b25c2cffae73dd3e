"""From a seed to finished samples: pictures, ids, sound and truth of every variant of one scene."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from training.world import effects, events, impact_sound, soundscape, truth
from training.world.arm_motion import bent_arms
from training.world.contacts import Collision, State
from training.world.hearing import Heard, hear
from training.world.levels import SHARES
from training.world.plans import TABLE, LayoutError, Request
from training.world.recipes import Recipe
from training.world.render import Renderer
from training.world.scene import Scene
from training.world.script import HeadMotion, Stroke
from training.world.splits import Theme
from training.world.storage import TABLE_ID, WorldSample

DURATION_S = 2.0
MAX_IMPACTS = 12
MIN_AREA = 0.0012
"""A colliding object must cover this share of the picture, or the scene is drawn again."""
MAX_ATTEMPTS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """Size and rate of what is written.

    Raises:
        ValueError: if a value is out of its range.
    """

    size_hw: tuple[int, int] = (352, 352)
    """Height and width of the pictures."""
    rate_hz: int = 16_000
    """Sample rate of the sound."""
    level: str | None = None
    """Difficulty of all scenes; None mixes them by `levels.SHARES`."""
    only_at_onset: bool = False
    """Whether to leave out the pictures before and after the onset, which cost two thirds of the time."""

    def __post_init__(self) -> None:
        if min(self.size_hw) < 64 or max(self.size_hw) > 1440:
            raise ValueError(f"Format.size_hw must be within 64 to 1440, got {self.size_hw}")
        if self.rate_hz not in (16_000, 48_000):
            raise ValueError(f"Format.rate_hz must be 16000 or 48000, got {self.rate_hz}")
        if self.level is not None and self.level not in SHARES:
            raise ValueError(f"Format.level must be one of {', '.join(SHARES)}, got {self.level!r}")


def make_scene(seed: tuple[int, ...], theme: Theme, form: Format, renderer: Renderer) -> list[WorldSample]:
    """Makes all samples of one scene; the same for the same arguments, in every process.

    Raises:
        RuntimeError: if no draw works in `MAX_ATTEMPTS`.
    """
    recipe = theme.draw_recipe(np.random.default_rng([*seed, MAX_ATTEMPTS]))  # once, else easy recipes would prevail
    reasons: dict[str, int] = {}
    for attempt in range(MAX_ATTEMPTS):
        rng = np.random.default_rng([*seed, attempt])
        try:
            return _attempt(rng, recipe, theme, form, renderer)
        except LayoutError as reason:
            reasons[str(reason)] = reasons.get(str(reason), 0) + 1
    raise RuntimeError(f"no draw of the scene with seed {seed} works: {reasons}")


def _attempt(
    rng: np.random.Generator, recipe: Recipe, theme: Theme, form: Format, renderer: Renderer
) -> list[WorldSample]:
    level = form.level or str(rng.choice(list(SHARES), p=list(SHARES.values())))
    request: Request = events.level_request(
        level, recipe, twins=theme.twins, held_out=theme.held_out, distinct_materials=theme.distinct_materials
    )
    scene, head = events.prepare(rng, recipe, request)
    before_s, after_s = rng.uniform(0.05, 0.12), rng.uniform(0.05, 0.14)
    outcomes = events.run(rng, recipe, scene, head, before_s, after_s)
    sensor, noise_seed = effects.sensor(rng), int(rng.integers(2**31))
    with Shots(scene, form, renderer, sensor, noise_seed) as shots:
        for outcome in outcomes:
            shots.check_visible(outcome)
        samples = []
        for outcome in outcomes:
            onset_s = float(rng.uniform(0.6, 1.2))
            sound = sound_of(rng, scene, outcome, request, form.rate_hz, onset_s)
            samples.append(_sample(scene, outcome, level, form, shots, sound, onset_s))
    return samples


class Shots:
    """Takes the pictures of a scene; the same state gives the same picture, so variants share what they can."""

    def __init__(
        self,
        scene: Scene,
        form: Format,
        renderer: Renderer,
        sensor: effects.Sensor,
        noise_seed: int,
        head: HeadMotion | None = None,
    ) -> None:
        """With the motion of the head, as clips need it, the head blurs the pictures and the arms follow their hands."""
        self._head = head
        self._shown: bytes | None = None
        self._scene, self._renderer, self._sensor, self._noise_seed = scene, renderer, sensor, noise_seed
        self.camera = truth.intrinsics(scene.camera, form.size_hw)
        self.data = mujoco.MjData(scene.model)
        self._ids: dict[bytes, Any] = {}
        self._pictures: dict[bytes, Any] = {}
        self._gain: float | None = None

    def __enter__(self) -> Shots:
        self._renderer.open(self._scene.model)
        return self

    def __exit__(self, *error: object) -> None:
        self._renderer.close()

    def show(self, state: State) -> bytes:
        """Puts the scene into a state; returns the state's identity."""
        key = state.qpos.tobytes() + state.mocap_pos.tobytes()
        if key == self._shown:
            return key
        self._shown = key
        self.data.qpos[:] = state.qpos
        self.data.mocap_pos[:], self.data.mocap_quat[:] = state.mocap_pos, state.mocap_quat
        mujoco.mj_kinematics(self._scene.model, self.data)
        mujoco.mj_camlight(self._scene.model, self.data)
        if self._head is not None:
            for geom, mesh in bent_arms(self._scene, self.data):
                self._renderer.reshape(geom, mesh)
        return key

    def geom_ids(self, state: State) -> Any:
        """The map of geom ids of a state, int32 [H, W]."""
        key = self.show(state)
        if key not in self._ids:
            self._ids[key] = self._renderer.geom_ids(self.data)
        return self._ids[key]

    def picture(self, state: State, strokes: Sequence[Stroke]) -> Any:
        """The finished picture of a state, RGB uint8 [H, W, 3]; `strokes` say which hands move."""
        key = self.show(state)
        if key not in self._pictures:
            moving, object_shift, camera_shift = self._shifts(state, strokes)
            light = effects.soften_edges(self._renderer.picture(self.data), self.geom_ids(state))
            if self._gain is None:  # the exposure stays as it was for the first picture
                self._gain = effects.metered(light)
            light = effects.blur_motion(light, moving, object_shift, camera_shift)
            rng = np.random.default_rng([self._noise_seed, round(state.time_s * 1e6)])
            self._pictures[key] = effects.develop(rng, light, self._sensor, self._gain)
        return self._pictures[key]

    def _shifts(self, state: State, strokes: Sequence[Stroke]) -> tuple[Any, Any, Any]:
        """What moves in a picture, and how far in pixels while the shutter is open."""
        shutter, scene = self._sensor.shutter_s, self._scene
        camera_shift = self._camera_shift(state.time_s)
        hand_ids = np.append(scene.hand_of_geom, 0)[self.geom_ids(state)]
        object_ids = np.append(scene.object_of_geom, -2)[self.geom_ids(state)]
        moving, shift = np.zeros(hand_ids.shape, bool), np.zeros(2)
        for stroke in strokes:
            here, there = stroke.position(state.time_s - shutter), stroke.position(state.time_s)
            pixels = truth.project(self.camera, truth.to_camera(self.data, np.stack([here, there])))
            travelled = pixels[1] - pixels[0] + camera_shift
            if np.hypot(*travelled) > np.hypot(*shift):
                moving, shift = hand_ids == stroke.plan.side, travelled
                if stroke.plan.item is not None:
                    moving |= object_ids == stroke.plan.item
        return moving, shift, camera_shift

    def _camera_shift(self, t: float) -> Any:
        """How far the motion of the head moves the table in the middle of the picture, pixels; none in a still."""
        if self._head is None:
            return np.zeros(2)
        back = self.data.cam_xmat[0].reshape(3, 3)[:, 2]
        spot = self.data.cam_xpos[0] - back * self.data.cam_xpos[0, 2] / back[2]
        position, rotation = self._head.pose(t - self._sensor.shutter_s)
        before = rotation.inv().apply(spot - position) * (1.0, -1.0, -1.0)
        seen = truth.project(self.camera, np.stack([before, truth.to_camera(self.data, spot[None])[0]]))
        return seen[1] - seen[0]

    def forget(self) -> None:
        """Drops what was taken so far."""
        self._ids.clear()
        self._pictures.clear()

    def check_visible(self, outcome: events.Outcome) -> None:
        """Raises a LayoutError if a colliding object is out of sight."""
        ids = truth.id_map(self._scene, self.geom_ids(outcome.record.states[1]))
        whole = truth.roots(self._scene)
        for index in () if outcome.collision is None else outcome.collision.objects:
            if index != TABLE and (ids == whole[index] + 1).sum() < MIN_AREA * ids.size:
                raise LayoutError("a colliding object is out of sight")


def sound_of(
    rng: np.random.Generator, scene: Scene, outcome: events.Outcome, request: Request, rate_hz: int, onset_s: float
) -> Heard:
    """The sound of a variant, with the onset at `onset_s`."""
    shift = onset_s - outcome.onset_s
    dry = scene_sound(rng, scene, outcome.record, shift, DURATION_S, rate_hz)
    collides = outcome.collision is not None
    heard = hear(
        rng,
        dry,
        onset_s,
        rate_hz,
        snr_db=request.level.snr_db,
        collides=collides,
        off_screen=outcome.variant.off_screen,
    )
    if collides:
        heard_s = soundscape.audible_onset_s(heard.clean, onset_s, rate_hz)
        if heard_s is None or abs(heard_s - onset_s) > events.LABEL_TOLERANCE_S:
            raise LayoutError("the onset cannot be heard")
    return heard


def scene_sound(
    rng: np.random.Generator, scene: Scene, record: Any, shift: float, duration_s: float, rate_hz: int
) -> Any:
    """The dry sound of all collisions and scrapes of a record, `shift` seconds later than they were simulated."""
    held = {plan.item for plan in scene.layout.plans.values() if plan.act != "drop"}
    involved = sorted({i for event in (*record.collisions, *record.frictions) for i in event.objects})
    bodies, place = [], {}
    for index in involved:
        place[index] = len(bodies)
        if index == TABLE:
            bodies.append(impact_sound.table_body(rng, scene.table.material))
        else:
            shape = scene.layout.items[index].shape
            bodies.append(impact_sound.body_of(rng, shape, held=index in held, standing=index not in held))
    strongest = sorted(record.collisions, key=lambda collision: -collision.impulse)
    if duration_s <= DURATION_S:
        strongest = list(record.collisions[:1]) + [c for c in strongest[:MAX_IMPACTS] if c is not record.collisions[0]]
    impacts = [
        impact_sound.Impact(
            bodies=(place[c.objects[0]], place[c.objects[1]]),
            time_s=c.time_s + shift,
            impulse=c.impulse,
            closing_speed=c.closing_speed,
        )
        for c in strongest
    ]
    scrapes = [
        impact_sound.Scrape(
            bodies=(place[f.objects[0]], place[f.objects[1]]), start_s=f.start_s + shift, sliding_speed=f.sliding_speed
        )
        for f in record.frictions
    ]
    return impact_sound.synthesize(rng, bodies, impacts, scrapes, duration_s, rate_hz)


def _sample(
    scene: Scene, outcome: events.Outcome, level: str, form: Format, shots: Shots, sound: Heard, onset_s: float
) -> WorldSample:
    shift = onset_s - outcome.onset_s
    before, at, after = outcome.record.states
    geoms = shots.geom_ids(at)
    ids = truth.id_map(scene, geoms)
    shots.show(at)
    camera = shots.camera
    facts: dict[str, Any] = {
        "scenario": outcome.variant.scenario,
        "level": level,
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "focal_px": camera.focal,
            "centre_xy": camera.centre_xy,
        },
        "frame_times_s": [state.time_s + shift for state in (before, at, after)],
        "onset_s": onset_s,
        "table": {"material": scene.table.material, "id": TABLE_ID, "area_px": int((ids == TABLE_ID).sum())},
        "objects": _objects(scene, ids),
        "collision": collision_facts(scene, outcome.collision, shots, ids, onset_s) if outcome.collision else None,
        "hands": [hand_facts(hand) for hand in truth.hand_truths(scene, geoms, min_pixels=40)],
        "other_collisions_s": [c.time_s + shift for c in outcome.record.collisions if c is not outcome.collision],
        "sound": {"rate_hz": form.rate_hz, **sound.facts},
    }
    states = {1: at} if form.only_at_onset else {0: before, 1: at, 2: after}
    return WorldSample(
        frames={number: shots.picture(state, outcome.strokes) for number, state in states.items()},
        ids=ids,
        sound=sound.noisy.astype(np.float32),
        clean=sound.clean.astype(np.float32),
        facts=facts,
    )


def _objects(scene: Scene, ids: truth.IdMap) -> list[dict[str, Any]]:
    holder = {plan.item: "left" if plan.side < 0 else "right" for plan in scene.layout.plans.values()}
    listed = []
    for index, item in enumerate(scene.layout.items):
        if item.part_of is not None:
            continue
        parts = [index] + [number for number, other in enumerate(scene.layout.items) if other.part_of == index]
        mask = ids == index + 1
        listed.append(
            {
                "id": index + 1,
                "class": item.shape.name,
                "material": item.shape.material,
                "held_by": sorted(holder[part] for part in parts if part in holder),
                "area_px": int(mask.sum()),
                "box_xyxy": truth.box_of(mask),
            }
        )
    return listed


def collision_facts(scene: Scene, hit: Collision, shots: Shots, ids: truth.IdMap, time_s: float) -> dict[str, Any]:
    """The truth about a collision in the state that `shots` shows, at `time_s` on the clock of the sound."""
    whole = truth.roots(scene)
    wholes = sorted({TABLE if index == TABLE else int(whole[index]) for index in hit.objects})
    point = truth.to_camera(shots.data, np.array([hit.point]))
    hidden = [truth.occlusion(scene, shots.data, index, ids, shots.camera) for index in wholes if index != TABLE]
    return {
        "ids": [TABLE_ID if index == TABLE else index + 1 for index in wholes],
        "materials": list(events.materials_of(scene, hit)),
        "time_s": time_s,
        "impulse_ns": hit.impulse,
        "closing_speed_m_s": hit.closing_speed,
        "contact_xy": truth.project(shots.camera, point)[0].tolist(),
        "contact_xyz_m": point[0].tolist(),
        "occlusion": max(hidden, default=0.0),
    }


def hand_facts(hand: truth.HandTruth) -> dict[str, Any]:
    """One hand as it stands in truth.json; the object by its id."""
    facts = dataclasses.asdict(hand)
    facts["object"] = None if hand.object is None else hand.object + 1
    return facts
