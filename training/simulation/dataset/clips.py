"""Whole video clips: hands that hit one object after another, with sound in sync and every collision labelled.

A clip is a folder: ``frames/000000.jpg`` ..., ``sound.flac``, ``ids000.png`` (the id map of the frame nearest to the
onset of collision 0) ... and ``truth.json``. Frame k is exposed at k / fps seconds on the clock of the sound. Where asked
for, ``ids/000000.png`` ... are the id maps of all frames.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from cs3_model.files import written_whole
from training.simulation.dataset.clip_truth import ClipCollision, ClipObject, ClipSound, ClipTruth
from training.simulation.dataset.generation_plan import SampleFormat
from training.simulation.dataset.labelling import camera_truth, collision_truth, hand_truths
from training.simulation.dataset.scene_samples import MAX_ATTEMPTS
from training.simulation.dataset.storage import write_image
from training.simulation.physics import variants
from training.simulation.physics.clip_motion import LEAD_IN_S, check_views, perform
from training.simulation.physics.hand_motion import HeadMotion, Stroke
from training.simulation.physics.record import PhysicsRecord, SceneState, SimulatedCollision
from training.simulation.rendering import labels
from training.simulation.rendering.id_map import TABLE_ID
from training.simulation.rendering.renderer_process import RendererProcess
from training.simulation.rendering.renderers import Renderer
from training.simulation.rendering.sensor import draw_sensor
from training.simulation.rendering.shots import Shots
from training.simulation.scenario.difficulty import LEVELS, SHARES
from training.simulation.scenario.scenarios import request_at_level, two_hands
from training.simulation.scene.scene import SimulatedScene
from training.simulation.scene.table_layout import LayoutError
from training.simulation.sound import soundscape
from training.simulation.sound.microphone import off_screen_impact
from training.simulation.sound.modes import Sound
from training.simulation.sound.scene_sound import scene_sound

CLIP_VERSION = 3
"""Raised when the same seed no longer gives the same clip."""
_JPEG_QUALITY = 90
_OFF_SCREEN_GAP_S, _OFF_SCREEN_LEAD_S = 0.5, 0.1
"""Of impacts out of sight: the least distance to any other collision, and the sound that is made before each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipPlan:
    """What kind of clip.

    Raises:
        ValueError: if a value is out of its range.
    """

    duration_s: float = 10.0
    """Length, 1.5 to 60 seconds; the first strike comes after 0.9 to 1.4."""
    fps: float = 15.0
    """Pictures per second, 5 to 60."""
    form: SampleFormat = field(default_factory=SampleFormat)
    """Pictures, sound and level."""
    renderer: str = "filament"
    """filament or classic."""
    all_ids: bool = False
    """Whether to write the id maps of all frames, as following objects needs for its truth."""
    off_screen: int = 0
    """At most so many impacts of objects that are never in the picture, between the collisions."""

    def __post_init__(self) -> None:
        if not 1.5 <= self.duration_s <= 60.0:
            raise ValueError(f"ClipPlan.duration_s must be 1.5 to 60, got {self.duration_s}")
        if not 5.0 <= self.fps <= 60.0:
            raise ValueError(f"ClipPlan.fps must be 5 to 60, got {self.fps}")
        if self.off_screen < 0:
            raise ValueError(f"ClipPlan.off_screen must be 0 or more, got {self.off_screen}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Performance:
    """What happens in a clip, before it is shown and heard."""

    level: str
    scene: SimulatedScene
    head: HeadMotion
    record: PhysicsRecord
    """Its states are those of the frames."""
    strokes: Sequence[tuple[Stroke, ...]]
    """Under way at each frame."""


def make_clip(seed: int, plan: ClipPlan, folder: Path, renderer: Renderer | None = None) -> ClipTruth:
    """Generates a clip; `folder` appears when it is complete.

    Args:
        seed: Fixes the clip.
        plan: What kind of clip.
        folder: New folder.
        renderer: What draws the pictures; None draws them in processes of their own, so that memory stays flat.

    Returns:
        What truth.json says.

    Raises:
        ValueError: if there is something at `folder`.
        RuntimeError: if system libraries are missing.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists already: remove it or choose another name for the clip")
    if renderer is None:
        renderer = RendererProcess(plan.renderer, plan.form.size_hw)
    rng, performance = _perform(seed, plan)
    with written_whole(folder) as workplace:
        return _write(rng, workplace, seed, plan, performance, renderer)


def _perform(seed: int, plan: ClipPlan) -> tuple[np.random.Generator, _Performance]:
    """Draws scenes until one works; returns it with the generator that goes on from there."""
    frame_times = LEAD_IN_S + np.arange(round(plan.duration_s * plan.fps)) / plan.fps
    for attempt in range(MAX_ATTEMPTS):
        rng = np.random.default_rng([8, seed, attempt])
        level = plan.form.level or str(rng.choice(list(SHARES), p=list(SHARES.values())))
        recipe = two_hands()
        try:
            scene, head = variants.prepare(rng, recipe, request_at_level(level, recipe))
            check_views(scene)
        except LayoutError:
            continue
        record, strokes = perform(rng, scene, head, frame_times)
        if _onsets_s(record, plan.duration_s):
            return rng, _Performance(level=level, scene=scene, head=head, record=record, strokes=strokes)
    raise RuntimeError(f"no draw of the clip with seed {seed} works")


def _write(
    rng: np.random.Generator, folder: Path, seed: int, plan: ClipPlan, performance: _Performance, renderer: Renderer
) -> ClipTruth:
    scene, record = performance.scene, performance.record
    for part in ("frames", "ids") if plan.all_ids else ("frames",):
        (folder / part).mkdir(parents=True)
    samples, sound = _sound(rng, performance, plan, off_screen_rng=np.random.default_rng([9, seed]))
    soundfile.write(folder / "sound.flac", samples, plan.form.rate_hz, subtype="PCM_16")
    by_frame = _collisions_by_frame(record, plan.duration_s)
    collisions: list[ClipCollision] = []
    sensor, noise_seed = draw_sensor(rng), int(rng.integers(2**31))
    with Shots(scene, plan.form.size_hw, renderer, sensor, noise_seed, performance.head) as shots:
        for number, (state, moving) in enumerate(zip(record.states, performance.strokes, strict=True)):
            picture = shots.picture(state, moving)
            write_image(folder / "frames" / f"{number:06d}.jpg", picture[..., ::-1], jpeg_quality=_JPEG_QUALITY)
            if plan.all_ids:
                write_image(folder / "ids" / f"{number:06d}.png", labels.id_map(scene, shots.geom_ids(state)))
            for collision in by_frame.get(number, ()):
                ids_path = folder / f"ids{len(collisions):03d}.png"
                collisions.append(_labelled(ids_path, scene, shots, state, collision, number))
            shots.forget()
        camera = camera_truth(shots.camera)
    truth = ClipTruth(
        data_set="sim_cs3_clips",
        generator_version=CLIP_VERSION,
        seed=seed,
        level=performance.level,
        fps=plan.fps,
        num_frames=len(record.states),
        camera=camera,
        table_material=scene.table.material,
        table_id=TABLE_ID,
        objects=tuple(
            ClipObject(id=index + 1, category=item.shape.name, material=item.shape.material)
            for index, item in enumerate(scene.layout.items)
        ),
        collisions=tuple(collisions),
        sound=sound,
    )
    (folder / "truth.json").write_text(json.dumps(truth.to_json(), indent=1), encoding="utf-8")
    return truth


def _collisions_by_frame(record: PhysicsRecord, duration_s: float) -> dict[int, list[SimulatedCollision]]:
    """The collisions within the clip by the number of the nearest frame."""
    times = np.array([state.time_s - LEAD_IN_S for state in record.states])
    by_frame: dict[int, list[SimulatedCollision]] = {}
    for collision in record.collisions:
        if 0.0 <= collision.time_s - LEAD_IN_S < duration_s:
            nearest = int(np.argmin(np.abs(times - collision.time_s + LEAD_IN_S)))
            by_frame.setdefault(nearest, []).append(collision)
    return by_frame


def _labelled(
    ids_path: Path, scene: SimulatedScene, shots: Shots, state: SceneState, collision: SimulatedCollision, frame: int
) -> ClipCollision:
    """Writes the id map of a collision's frame and returns its truth."""
    geoms = shots.geom_ids(state)
    ids = labels.id_map(scene, geoms)
    write_image(ids_path, ids)
    return ClipCollision(
        frame=frame,
        collision=collision_truth(scene, collision, shots, ids, collision.time_s - LEAD_IN_S),
        hands=hand_truths(scene, geoms),
    )


def _sound(
    rng: np.random.Generator, performance: _Performance, plan: ClipPlan, off_screen_rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], ClipSound]:
    rate_hz, record = plan.form.rate_hz, performance.record
    duration_s = len(record.states) / plan.fps
    dry = scene_sound(rng, performance.scene, record, shift_s=-LEAD_IN_S, duration_s=duration_s, rate_hz=rate_hz)
    off_screen_s = _off_screen_times(off_screen_rng, record, duration_s, plan.off_screen)
    dry = dry + _off_screen_sound(off_screen_rng, dry, off_screen_s, record, rate_hz)
    room = soundscape.draw_room(rng, rate_hz)
    clean = soundscape.reverberate(dry, room)
    kind = str(rng.choice(soundscape.BACKGROUNDS))
    low, high = LEVELS[performance.level].snr_db
    snr_db = float(rng.uniform(low, high))
    powers = [soundscape.onset_power(clean, onset_s, rate_hz) for onset_s in _onsets_s(record, duration_s)]
    # The ratio is that of the median collision: soft ones sink into the background, as in life.
    bed = soundscape.background(rng, kind, len(clean), rate_hz) * np.sqrt(np.median(powers)) * 10 ** (-snr_db / 20)
    noisy = clean + bed
    noisy *= rng.uniform(0.5, 0.95) / np.abs(noisy).max()
    return noisy.astype(np.float32), ClipSound(
        rate_hz=rate_hz, snr_db=snr_db, rt60_s=room.rt60_s, background=kind, off_screen_s=off_screen_s
    )


def _off_screen_times(
    rng: np.random.Generator, record: PhysicsRecord, duration_s: float, number: int
) -> tuple[float, ...]:
    """Draws when something out of sight is struck, ascending: half a second or more from all others."""
    taken_s = [collision.time_s - LEAD_IN_S for collision in record.collisions]
    times_s: list[float] = []
    for _ in range(20 * number):
        time_s = float(rng.uniform(0.5, duration_s - 0.5))
        if len(times_s) < number and all(abs(time_s - other_s) >= _OFF_SCREEN_GAP_S for other_s in taken_s + times_s):
            times_s.append(time_s)
    return tuple(sorted(times_s))


def _off_screen_sound(
    rng: np.random.Generator, dry: Sound, times_s: Sequence[float], record: PhysicsRecord, rate_hz: int
) -> Sound:
    """The impacts out of sight, each as loud as a collision in sight or up to 10 dB softer [T]."""
    sound = np.zeros_like(dry)
    powers = [soundscape.onset_power(dry, onset_s, rate_hz) for onset_s in _onsets_s(record, len(dry) / rate_hz)]
    for time_s in times_s:
        start = int((time_s - _OFF_SCREEN_LEAD_S) * rate_hz)
        impact = off_screen_impact(rng, 2 * rate_hz, time_s - start / rate_hz, rate_hz)[: len(dry) - start]
        power = soundscape.onset_power(impact, time_s - start / rate_hz, rate_hz)
        level = np.sqrt(float(rng.choice(powers)) / power) * 10 ** (-rng.uniform(0.0, 10.0) / 20)
        sound[start : start + len(impact)] += level * impact
    return sound


def _onsets_s(record: PhysicsRecord, duration_s: float) -> list[float]:
    """Onsets on the clock of the clip whose sound does not run into its end."""
    onsets_s = [collision.time_s - LEAD_IN_S for collision in record.collisions]
    return [onset_s for onset_s in onsets_s if 0.0 < onset_s < duration_s - 0.3]
