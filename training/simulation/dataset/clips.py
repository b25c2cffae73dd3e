"""Whole video clips: hands that hit one thing after another, with sound in sync and every collision labelled.

A clip is a folder: ``frames/000000.jpg`` ..., ``sound.flac``, ``ids000.png`` (the id map of the frame nearest to the
onset of collision 0) ... and ``truth.json``. Frame k is exposed at k / fps seconds on the clock of the sound.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import soundfile

from training.simulation.dataset import scene_samples
from training.simulation.dataset.generate import silenced
from training.simulation.dataset.scene_samples import Format
from training.simulation.dataset.storage import TABLE_ID
from training.simulation.dataset.truth import camera_facts, collision_facts, hand_facts
from training.simulation.physics import variants
from training.simulation.physics.clip_motion import LEAD_IN_S, check_views, perform
from training.simulation.physics.contacts import Collision, Record, State
from training.simulation.physics.hand_motion import HeadMotion, Stroke
from training.simulation.rendering import camera, labels
from training.simulation.rendering.renderers import make_renderer
from training.simulation.rendering.shots import Shots
from training.simulation.scenario.difficulty import SHARES
from training.simulation.scenario.plan import LayoutError
from training.simulation.scenario.scenarios import two_hands
from training.simulation.scene.scene import Scene
from training.simulation.sound import soundscape

CLIP_VERSION = 2
"""Raised when the same seed no longer gives the same clip."""


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
    form: Format = field(default_factory=Format)
    """Pictures, sound and level."""
    renderer: str = "filament"
    """filament or classic."""

    def __post_init__(self) -> None:
        if not 1.5 <= self.duration_s <= 60.0:
            raise ValueError(f"ClipPlan.duration_s must be 1.5 to 60, got {self.duration_s}")
        if not 5.0 <= self.fps <= 60.0:
            raise ValueError(f"ClipPlan.fps must be 5 to 60, got {self.fps}")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Clip:
    """What was written."""

    folder: Path
    num_frames: int
    collisions: tuple[dict[str, Any], ...]
    """In order of time, as in truth.json."""


def make_clip(seed: int, plan: ClipPlan, folder: Path, renderer: Any = None) -> Clip:
    """Generates a clip; `folder` appears when it is complete.

    Args:
        seed: Fixes the clip.
        plan: What kind of clip.
        folder: New folder.
        renderer: One to use again; None makes one.

    Raises:
        ValueError: if there is something at `folder`.
        RuntimeError: if system libraries are missing.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists already: remove it or choose another name for the clip")
    if renderer is None:
        with silenced():
            renderer = make_renderer(plan.renderer, plan.form.size_hw)
    for attempt in range(scene_samples.MAX_ATTEMPTS):
        rng = np.random.default_rng([8, seed, attempt])
        try:
            level = plan.form.level or str(rng.choice(list(SHARES), p=list(SHARES.values())))
            recipe = two_hands()
            scene, head = variants.prepare(rng, recipe, variants.level_request(level, recipe))
            check_views(scene)
        except LayoutError:
            continue
        frame_times = LEAD_IN_S + np.arange(round(plan.duration_s * plan.fps)) / plan.fps
        record, strokes = perform(rng, scene, head, frame_times)
        if _onsets_s(record, plan.duration_s):
            break
    else:
        raise RuntimeError(f"no draw of the clip with seed {seed} works")
    folder.parent.mkdir(parents=True, exist_ok=True)
    workplace = folder.parent / f".{folder.name}.{os.getpid()}"
    try:
        clip = _write(rng, workplace, seed, scene, head, level, plan, record, strokes, renderer)
        workplace.rename(folder)
    except BaseException:
        shutil.rmtree(workplace, ignore_errors=True)
        raise
    return Clip(folder=folder, num_frames=clip.num_frames, collisions=clip.collisions)


def _write(
    rng: np.random.Generator, folder: Path, seed: int, scene: Scene, head: HeadMotion, level: str, plan: ClipPlan, record: Record,
    strokes: Sequence[tuple[Stroke, ...]], renderer: Any,
) -> Clip:  # fmt: skip
    (folder / "frames").mkdir(parents=True)
    sound, facts = _sound(rng, scene, record, plan, level)
    soundfile.write(folder / "sound.flac", sound, plan.form.rate_hz, subtype="PCM_16")
    times = [state.time_s - LEAD_IN_S for state in record.states]
    heard = [c for c in record.collisions if 0.0 <= c.time_s - LEAD_IN_S < plan.duration_s]
    by_frame: dict[int, list[Collision]] = {}
    for collision in heard:
        by_frame.setdefault(int(np.argmin(np.abs(np.array(times) - collision.time_s + LEAD_IN_S))), []).append(
            collision
        )
    collisions: list[dict[str, Any]] = []
    sensor, noise_seed = camera.sensor(rng), int(rng.integers(2**31))
    with Shots(scene, plan.form.size_hw, renderer, sensor, noise_seed, head) as shots:
        for number, (state, moving) in enumerate(zip(record.states, strokes, strict=True)):
            picture = shots.picture(state, moving)
            _save(folder / "frames" / f"{number:06d}.jpg", picture[..., ::-1])
            for collision in by_frame.get(number, ()):
                collisions.append(_label(folder, shots, scene, state, collision, number, len(collisions)))
            shots.forget()
        intrinsics = shots.camera
    content = {
        "data_set": "sim_cs3_clips",
        "generator_version": CLIP_VERSION,
        "seed": seed,
        "level": level,
        "fps": plan.fps,
        "num_frames": len(times),
        "camera": camera_facts(intrinsics),
        "table": {"material": scene.table.material, "id": TABLE_ID},
        "objects": [
            {"id": index + 1, "class": item.shape.name, "material": item.shape.material}
            for index, item in enumerate(scene.layout.items)
        ],
        "collisions": collisions,
        "sound": facts,
    }
    (folder / "truth.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    return Clip(folder=folder, num_frames=len(times), collisions=tuple(collisions))


def _label(
    folder: Path, shots: Any, scene: Scene, state: State, collision: Collision, frame: int, number: int
) -> dict[str, Any]:
    geoms = shots.geom_ids(state)
    ids = labels.id_map(scene, geoms)
    _save(folder / f"ids{number:03d}.png", ids)
    return {
        "frame": frame,
        **collision_facts(scene, collision, shots, ids, collision.time_s - LEAD_IN_S),
        "hands": [hand_facts(hand) for hand in labels.hand_truths(scene, geoms, min_pixels=40)],
    }


def _sound(
    rng: np.random.Generator, scene: Scene, record: Record, plan: ClipPlan, level: str
) -> tuple[Any, dict[str, Any]]:
    rate_hz = plan.form.rate_hz
    duration_s = len(record.states) / plan.fps
    dry = scene_samples.scene_sound(rng, scene, record, -LEAD_IN_S, duration_s, rate_hz)
    place = soundscape.room(rng, rate_hz)
    clean = soundscape.reverberate(dry, place)
    kind = str(rng.choice(soundscape.BACKGROUNDS))
    low, high = variants.LEVELS[level].snr_db
    snr_db = float(rng.uniform(low, high))
    powers = [soundscape.onset_power(clean, onset_s, rate_hz) for onset_s in _onsets_s(record, duration_s)]
    # The ratio is that of the median collision: soft ones sink into the background, as in life.
    bed = soundscape.background(rng, kind, len(clean), rate_hz) * np.sqrt(np.median(powers)) * 10 ** (-snr_db / 20)
    noisy = clean + bed
    noisy *= rng.uniform(0.5, 0.95) / np.abs(noisy).max()
    return noisy.astype(np.float32), {"rate_hz": rate_hz, "snr_db": snr_db, "rt60_s": place.rt60_s, "background": kind}


def _onsets_s(record: Record, duration_s: float) -> list[float]:
    """Onsets on the clock of the clip whose sound does not run into its end."""
    onsets_s = [collision.time_s - LEAD_IN_S for collision in record.collisions]
    return [onset_s for onset_s in onsets_s if 0.0 < onset_s < duration_s - 0.3]


def _save(path: Path, image: Any) -> None:
    done, data = cv2.imencode(
        path.suffix, np.ascontiguousarray(image), [cv2.IMWRITE_JPEG_QUALITY, 90] if path.suffix == ".jpg" else []
    )
    assert done
    path.write_bytes(data.tobytes())
