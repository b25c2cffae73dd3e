"""What the head's microphone records of the dry sound of a scene: with distraction, room, background and level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.simulation.objects.catalogue import CLASSES, build_shape
from training.simulation.sound import impact_sound, soundscape
from training.simulation.sound.bodies import body_of
from training.simulation.sound.impact_sound import Manner
from training.simulation.sound.modes import Sound


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MicrophoneSound:
    """The sound of one sample as the head's microphone records it."""

    noisy: Sound
    """[T] in [-1, 1]."""
    clean: Sound
    """Without background, on the same scale [T]."""
    snr_db: float | None
    """Level over the background; None if nothing is heard but the background."""
    rt60_s: float
    """Reverberation time of the room."""
    background: str
    """Kind of background, see `soundscape.BACKGROUNDS`."""
    off_screen_s: float | None
    """Time of an impact that is not in the picture; None if there is none."""


def hear(
    rng: np.random.Generator,
    dry: Sound,
    onset_s: float,
    rate_hz: int,
    *,
    snr_db: tuple[float, float],
    collides: bool,
    off_screen: bool,
    manner: Manner = Manner.MEASURED,
) -> MicrophoneSound:
    """Puts a dry sound into a room with a background.

    Args:
        rng: Draws the distraction, the room, the background and the level.
        dry: What collides in sight [T]; zeros if nothing does.
        onset_s: When it sets in.
        rate_hz: Sample rate.
        snr_db: Range of the level over the background, see `soundscape.onset_power`.
        collides: Whether something collides in sight.
        off_screen: Whether an impact out of sight is what sets in at `onset_s`.
        manner: How the distraction is made to sound.
    """
    off_screen_s: float | None = None
    if off_screen or (collides and rng.random() < 0.15):
        # Where something collides in sight, the distraction keeps clear of its onset.
        off_screen_s = onset_s if off_screen else float(rng.uniform(0.0, 0.3))
        distraction = off_screen_impact(rng, len(dry), off_screen_s, rate_hz, manner)
        if not off_screen:
            level = rng.uniform(0.05, 0.4)
            distraction = distraction * level * np.abs(dry).max() / (np.abs(distraction).max() + 1e-12)
        dry = dry + distraction
    place = soundscape.draw_room(rng, rate_hz)
    clean = soundscape.reverberate(dry, place)
    kind = str(rng.choice(soundscape.BACKGROUNDS))
    bed = soundscape.background(rng, kind, len(clean), rate_hz)
    level_db: float | None = None
    if collides or off_screen:
        level_db = float(rng.uniform(*snr_db))
        bed = bed * np.sqrt(soundscape.onset_power(clean, onset_s, rate_hz)) * 10 ** (-level_db / 20)
    noisy = clean + bed
    # Without a collision the background alone decides, and it must not always be loud.
    peak = rng.uniform(0.3, 0.95) if level_db is not None else rng.uniform(0.02, 0.5)
    scale = peak / np.abs(noisy).max()
    return MicrophoneSound(
        noisy=noisy * scale,
        clean=clean * scale,
        snr_db=level_db,
        rt60_s=place.rt60_s,
        background=kind,
        off_screen_s=off_screen_s,
    )


def off_screen_impact(
    rng: np.random.Generator, num_samples: int, time_s: float, rate_hz: int, manner: Manner = Manner.MEASURED
) -> Sound:
    """An impact at `time_s` of two random objects that are not in the picture, [num_samples], not scaled."""
    bodies = []
    for _ in range(2):
        name = list(CLASSES)[int(rng.integers(len(CLASSES)))]
        material = CLASSES[name][1][int(rng.integers(len(CLASSES[name][1])))]
        shape = build_shape(rng, name, material)
        bodies.append(body_of(rng, shape, held=rng.random() < 0.5, standing=rng.random() < 0.5))
    blow = impact_sound.Impact(bodies=(0, 1), time_s=time_s, impulse=0.02, closing_speed=float(rng.uniform(0.2, 1.0)))
    return impact_sound.synthesize(rng, bodies, [blow], [], num_samples / rate_hz, rate_hz, manner)
