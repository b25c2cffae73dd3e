"""From a seed to finished samples: pictures, ids, sound and truth of every variant of one scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.dataset.generation_plan import DURATION_S, VERSION, SampleFormat
from training.simulation.dataset.labelling import camera_truth, collision_truth, hand_truths, is_visible, object_truths
from training.simulation.dataset.storage import SimulatedSample
from training.simulation.dataset.truth import SceneTruth, SoundTruth, TableTruth
from training.simulation.physics import variants
from training.simulation.physics.variants import SimulatedVariant
from training.simulation.rendering import labels
from training.simulation.rendering.id_map import TABLE_ID
from training.simulation.rendering.renderers import Renderer
from training.simulation.rendering.sensor import draw_sensor
from training.simulation.rendering.shots import Shots
from training.simulation.scenario.difficulty import SHARES, Level
from training.simulation.scenario.scenarios import SceneRecipe, request_at_level
from training.simulation.scenario.splits import Split, split_named
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import LayoutError
from training.simulation.sound import soundscape
from training.simulation.sound.microphone import MicrophoneSound, hear
from training.simulation.sound.scene_sound import scene_sound

MAX_ATTEMPTS = 60
"""A scene is drawn this often at most until one does what its recipe says."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MadeScene:
    """One scene with all that happens in it."""

    scene: SimulatedScene
    outcomes: list[SimulatedVariant]
    """The simulated variants."""
    samples: list[SimulatedSample]
    """One of each outcome."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where a sample belongs, and how it is written."""

    split: str
    scene_number: int
    form: SampleFormat
    level: str


def make_scene(name: str, number: int, form: SampleFormat, renderer: Renderer) -> MadeScene:
    """Makes all samples of scene `number` of a split; the same for the same arguments, in every process.

    Raises:
        ValueError: if there is no split `name`.
        RuntimeError: if no draw works in `MAX_ATTEMPTS`.
    """
    split = split_named(name)
    # Drawn once, else easy recipes would prevail.
    recipe = split.theme.draw_recipe(np.random.default_rng([split.number, number, MAX_ATTEMPTS]))
    reasons: dict[str, int] = {}
    for attempt in range(MAX_ATTEMPTS):
        rng = np.random.default_rng([split.number, number, attempt])
        level = form.level or str(rng.choice(list(SHARES), p=list(SHARES.values())))
        place = _Place(split=name, scene_number=number, form=form, level=level)
        try:
            return _attempt(rng, recipe, split, place, renderer)
        except LayoutError as reason:
            reasons[str(reason)] = reasons.get(str(reason), 0) + 1
    raise RuntimeError(f"no draw of the scene with seed {(split.number, number)} works: {reasons}")


def _attempt(
    rng: np.random.Generator, recipe: SceneRecipe, split: Split, place: _Place, renderer: Renderer
) -> MadeScene:
    theme, form = split.theme, place.form
    request = request_at_level(
        place.level, recipe, twins=theme.twins, held_out=theme.held_out, distinct_materials=theme.distinct_materials
    )
    scene, head = variants.prepare(rng, recipe, request)
    before_s, after_s = rng.uniform(0.05, 0.12), rng.uniform(0.05, 0.14)
    outcomes = variants.run(rng, recipe, scene, head, before_s, after_s)
    sensor, noise_seed = draw_sensor(rng), int(rng.integers(2**31))
    with Shots(scene, form.size_hw, renderer, sensor, noise_seed) as shots:
        for outcome in outcomes:
            _check_visible(scene, outcome, shots)
        samples = []
        for variant, outcome in enumerate(outcomes):
            onset_s = float(rng.uniform(0.6, 1.2))
            sound = sound_of(rng, scene, outcome, request.level, form.rate_hz, onset_s)
            samples.append(_sample(scene, outcome, place, variant, shots, sound, onset_s))
    return MadeScene(scene=scene, outcomes=outcomes, samples=samples)


def _check_visible(scene: SimulatedScene, outcome: SimulatedVariant, shots: Shots) -> None:
    """Raises a LayoutError if a colliding object is out of sight."""
    if outcome.collision is not None:
        ids = labels.id_map(scene, shots.geom_ids(outcome.record.states[1]))
        if not is_visible(scene, outcome.collision, ids):
            raise LayoutError("a colliding object is out of sight")


def sound_of(
    rng: np.random.Generator,
    scene: SimulatedScene,
    outcome: SimulatedVariant,
    level: Level,
    rate_hz: int,
    onset_s: float,
) -> MicrophoneSound:
    """Makes the sound of a variant, with the onset at `onset_s`.

    Raises:
        LayoutError: if the onset cannot be heard where it should be.
    """
    dry = scene_sound(
        rng, scene, outcome.record,
        shift_s=onset_s - outcome.onset_s, duration_s=DURATION_S, rate_hz=rate_hz,
    )  # fmt: skip
    collides = outcome.collision is not None
    heard = hear(
        rng, dry, onset_s, rate_hz, snr_db=level.snr_db, collides=collides, off_screen=outcome.variant.off_screen
    )
    if collides:
        heard_s = soundscape.audible_onset_s(heard.clean, onset_s, rate_hz)
        if heard_s is None or abs(heard_s - onset_s) > variants.LABEL_TOLERANCE_S:
            raise LayoutError("the onset cannot be heard")
    return heard


def _sample(
    scene: SimulatedScene,
    outcome: SimulatedVariant,
    place: _Place,
    variant: int,
    shots: Shots,
    sound: MicrophoneSound,
    onset_s: float,
) -> SimulatedSample:
    shift_s = onset_s - outcome.onset_s
    before, at, after = outcome.record.states
    geoms = shots.geom_ids(at)
    ids = labels.id_map(scene, geoms)
    shots.show(at)
    hit = outcome.collision
    truth = SceneTruth(
        scenario=outcome.variant.scenario,
        level=place.level,
        camera=camera_truth(shots.camera),
        frame_times_s=(before.time_s + shift_s, at.time_s + shift_s, after.time_s + shift_s),
        onset_s=onset_s,
        table=TableTruth(material=scene.table.material, id=TABLE_ID, area_px=int((ids == TABLE_ID).sum())),
        objects=object_truths(scene, ids),
        collision=None if hit is None else collision_truth(scene, hit, shots, ids, onset_s),
        hands=hand_truths(scene, geoms),
        other_collisions_s=tuple(c.time_s + shift_s for c in outcome.record.collisions if c is not hit),
        sound=SoundTruth(
            rate_hz=place.form.rate_hz,
            snr_db=sound.snr_db,
            rt60_s=sound.rt60_s,
            background=sound.background,
            off_screen_s=sound.off_screen_s,
        ),
        data_set="sim_cs3",
        generator_version=VERSION,
        split=place.split,
        index=2 * place.scene_number + variant,
        group=f"{place.split}-{place.scene_number:06d}",
    )
    states = {1: at} if place.form.only_at_onset else {0: before, 1: at, 2: after}
    return SimulatedSample(
        frames={number: shots.picture(state, outcome.strokes) for number, state in states.items()},
        ids=ids,
        sound=sound.noisy.astype(np.float32),
        clean=sound.clean.astype(np.float32),
        truth=truth,
    )
