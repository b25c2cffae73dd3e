"""From a seed to finished samples: pictures, ids, sound and truth of every variant of one scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.simulation.dataset.storage import TABLE_ID, WorldSample
from training.simulation.dataset.truth import camera_facts, collision_facts, hand_facts, object_facts
from training.simulation.physics import variants
from training.simulation.rendering import camera, labels
from training.simulation.rendering.renderers import Renderer
from training.simulation.rendering.shots import Shots
from training.simulation.scenario.difficulty import SHARES
from training.simulation.scenario.plan import TABLE, LayoutError, Request
from training.simulation.scenario.scenarios import Recipe
from training.simulation.scenario.splits import Theme
from training.simulation.scene.scene import Scene
from training.simulation.sound import impact_sound, soundscape
from training.simulation.sound.microphone import Heard, hear

DURATION_S = 2.0
MAX_IMPACTS = 12
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MadeScene:
    """One scene with all that happens in it."""

    scene: Scene
    outcomes: list[variants.Outcome]
    """The simulated variants."""
    samples: list[WorldSample]
    """One of each outcome."""


def make_scene(seed: tuple[int, ...], theme: Theme, form: Format, renderer: Renderer) -> MadeScene:
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


def _attempt(rng: np.random.Generator, recipe: Recipe, theme: Theme, form: Format, renderer: Renderer) -> MadeScene:
    level = form.level or str(rng.choice(list(SHARES), p=list(SHARES.values())))
    request: Request = variants.level_request(
        level, recipe, twins=theme.twins, held_out=theme.held_out, distinct_materials=theme.distinct_materials
    )
    scene, head = variants.prepare(rng, recipe, request)
    before_s, after_s = rng.uniform(0.05, 0.12), rng.uniform(0.05, 0.14)
    outcomes = variants.run(rng, recipe, scene, head, before_s, after_s)
    sensor, noise_seed = camera.sensor(rng), int(rng.integers(2**31))
    with Shots(scene, form.size_hw, renderer, sensor, noise_seed) as shots:
        for outcome in outcomes:
            shots.check_visible(outcome)
        samples = []
        for outcome in outcomes:
            onset_s = float(rng.uniform(0.6, 1.2))
            sound = sound_of(rng, scene, outcome, request, form.rate_hz, onset_s)
            samples.append(_sample(scene, outcome, level, form, shots, sound, onset_s))
    return MadeScene(scene=scene, outcomes=outcomes, samples=samples)


def sound_of(
    rng: np.random.Generator, scene: Scene, outcome: variants.Outcome, request: Request, rate_hz: int, onset_s: float
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
        if heard_s is None or abs(heard_s - onset_s) > variants.LABEL_TOLERANCE_S:
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
    scene: Scene, outcome: variants.Outcome, level: str, form: Format, shots: Shots, sound: Heard, onset_s: float
) -> WorldSample:
    shift = onset_s - outcome.onset_s
    before, at, after = outcome.record.states
    geoms = shots.geom_ids(at)
    ids = labels.id_map(scene, geoms)
    shots.show(at)
    facts: dict[str, Any] = {
        "scenario": outcome.variant.scenario,
        "level": level,
        "camera": camera_facts(shots.camera),
        "frame_times_s": [state.time_s + shift for state in (before, at, after)],
        "onset_s": onset_s,
        "table": {"material": scene.table.material, "id": TABLE_ID, "area_px": int((ids == TABLE_ID).sum())},
        "objects": object_facts(scene, ids),
        "collision": collision_facts(scene, outcome.collision, shots, ids, onset_s) if outcome.collision else None,
        "hands": [hand_facts(hand) for hand in labels.hand_truths(scene, geoms, min_pixels=40)],
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
