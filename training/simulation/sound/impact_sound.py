"""The sound of collisions: each object is a bank of resonators that the contact forces drive.

How bodies ring is in `modes`. A contact is a half-sine force whose duration is that of Hertz for the two masses and
moduli; simulated contacts are too soft to give it. Beside what rings, the body as a whole jerks the air, and the rough
surfaces of a contact crackle.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, lfilter, sosfilt

from training.simulation.objects.materials import acoustics
from training.simulation.sound.bodies import Body
from training.simulation.sound.modes import Sound, laden, measured_modes, plain_modes

_SUBSAMPLES = 8
_SILENT_NEPERS = 9.0
"""A mode is left out once it has decayed by so much, 78 dB."""


class Manner(enum.Enum):
    """How collisions are made to sound."""

    PLAIN = "plain"
    """As in version 1 of the simulator: dull beside recordings. What the shipped networks of `micro` first learned."""
    MEASURED = "measured"
    """Radiation by size, damping as measured, short and rough contacts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Impact:
    """One blow between two bodies."""

    bodies: tuple[int, int]
    """Indices into the list of bodies."""
    time_s: float
    impulse: float
    closing_speed: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scrape:
    """Two bodies that slide over each other."""

    bodies: tuple[int, int]
    start_s: float
    sliding_speed: npt.NDArray[np.float64]
    """Metres per second every millisecond."""


def hertz_contact_s(mass: float, first: str, second: str, speed: float, radius: float) -> float:
    """Duration of the contact of two elastic spheres (Hertz; Johnson, *Contact Mechanics*, eq. 11.24).

    Args:
        mass: Reduced mass, kilograms.
        first: Material of one body.
        second: Material of the other.
        speed: Closing speed, metres per second.
        radius: Relative radius of curvature, metres.

    Returns:
        Seconds, kept within 60 microseconds and 7 milliseconds.
    """
    one, two = acoustics(first), acoustics(second)
    compliance = (1 - one.poisson**2) / one.contact_pa + (1 - two.poisson**2) / two.contact_pa
    duration = 2.87 * (mass**2 * compliance**2 / (radius * max(speed, 0.05))) ** 0.2
    return float(np.clip(duration, 60e-6, 7e-3))


def synthesize(
    rng: np.random.Generator,
    bodies: Sequence[Body],
    impacts: Sequence[Impact],
    scrapes: Sequence[Scrape],
    duration_s: float,
    rate_hz: int,
    manner: Manner = Manner.MEASURED,
) -> Sound:
    """Mixes the sound of all collisions, dry and without noise.

    Args:
        rng: Draws the modes, where each body is struck, and what each contact is like.
        bodies: All bodies that take part.
        impacts: Blows; those outside of the duration are left out.
        scrapes: Slides.
        duration_s: Length of the sound.
        rate_hz: Sample rate.
        manner: How collisions are made to sound.

    Returns:
        Samples [T], not scaled.
    """
    length = round(duration_s * rate_hz)
    sound = np.zeros(length)
    pairs = [blow.bodies for blow in impacts] + [slide.bodies for slide in scrapes]
    drive = {index: np.zeros(length) for pair in pairs for index in pair}
    contacts = []
    for blow in impacts:
        contact = _contact(rng, bodies, blow, rate_hz, manner)
        start = contact.start
        if not 0 <= start < length:
            continue
        contacts.append(contact)
        stop = min(start + len(contact.force), length)
        for index in blow.bodies:
            drive[index][start:stop] += contact.force[: stop - start]
    for slide in scrapes:
        friction = _friction(rng, bodies, slide, length, rate_hz)
        for index in slide.bodies:
            drive[index] += friction
    for index, force in drive.items():
        sound += _ring(rng, bodies[index], force, rate_hz, manner)
    if manner is Manner.MEASURED:
        for contact in contacts:
            sound += _crackle(rng, contact, sound, rate_hz)
    return sound


class _Contact(NamedTuple):
    """The force of a blow at the sample rate, with the area of its impulse."""

    force: Sound
    start: int
    """Sample at which it begins."""
    duration_s: float


def _contact(rng: np.random.Generator, bodies: Sequence[Body], blow: Impact, rate_hz: int, manner: Manner) -> _Contact:
    first, second = (bodies[index] for index in blow.bodies)
    mass = 1.0 / (1.0 / first.mass + 1.0 / second.mass)
    curvature = rng.uniform(0.003, 0.012)
    if manner is Manner.MEASURED:
        mass *= 10 ** rng.uniform(-1.8, 0.0)  # walls give way where they are struck: not all of the mass takes part
    duration = hertz_contact_s(mass, first.material, second.material, blow.closing_speed, curvature)
    fine_rate = rate_hz * _SUBSAMPLES
    begin = blow.time_s * rate_hz
    start = int(np.floor(begin))
    offset = round((begin - start) * _SUBSAMPLES)
    count = max(round(duration * fine_rate), 1)
    shape = np.sin(np.pi * (np.arange(count) + 0.5) / count)
    # Surfaces are rough: the force flutters, which fills the gaps between the modes.
    shape *= 1.0 + 0.25 * rng.standard_normal(count)
    fine = np.zeros(-(-(offset + count) // _SUBSAMPLES) * _SUBSAMPLES)
    fine[offset : offset + count] = blow.impulse * shape / np.abs(shape).sum()
    return _Contact(fine.reshape(-1, _SUBSAMPLES).sum(1), start, duration)


def _crackle(rng: np.random.Generator, contact: _Contact, ringing: Sound, rate_hz: int) -> Sound:
    """The noise of a rough contact, up to about the frequency at which its force ends, relative to what rings after it.

    It lasts somewhat longer than the force, as air escapes and asperities slip.
    """
    after = ringing[contact.start : contact.start + round(0.02 * rate_hz)]
    level = np.abs(after).max(initial=0.0) * 10 ** (rng.uniform(-28.0, 0.0) / 20)
    fall_s = contact.duration_s + 10 ** rng.uniform(-3.6, -2.1)
    count = min(round(6 * fall_s * rate_hz) + 1, len(ringing) - contact.start)
    highest = float(np.clip(rng.uniform(0.7, 2.5) / contact.duration_s, 500.0, 0.45 * rate_hz))
    lowest = float(min(10 ** rng.uniform(2.0, 3.4), highest / 2))
    band = butter(2, [lowest, highest], "bandpass", fs=rate_hz, output="sos")
    noise = sosfilt(band, rng.standard_normal(count)) * np.exp(-np.arange(count) / (fall_s * rate_hz))
    sound = np.zeros(len(ringing))
    sound[contact.start : contact.start + count] = level * noise / (np.abs(noise).max() + 1e-12)
    return sound


def _friction(rng: np.random.Generator, bodies: Sequence[Body], slide: Scrape, length: int, rate_hz: int) -> Sound:
    """Noise that follows the sliding speed in level and, by the size of the asperities, in pitch."""
    first, second = (bodies[index] for index in slide.bodies)
    roughness = acoustics(first.material).roughness * acoustics(second.material).roughness
    times = np.arange(length) / rate_hz - slide.start_s
    speed = np.interp(times, np.arange(len(slide.sliding_speed)) * 1e-3, slide.sliding_speed, left=0.0, right=0.0)
    typical = float(np.max(slide.sliding_speed, initial=0.0)) + 1e-6
    centre = float(np.clip(typical / rng.uniform(6e-5, 2e-4), 400.0, 0.3 * rate_hz))
    band = butter(1, [centre / 3.0, min(centre * 2.0, 0.45 * rate_hz)], "bandpass", fs=rate_hz, output="sos")
    noise = sosfilt(band, rng.standard_normal(length))
    grain = 1.0 + 0.8 * np.clip(lfilter([0.02], [1.0, -0.98], rng.standard_normal(length)) * 4.0, -1.0, 1.0)
    return 2e-5 * roughness * noise * grain * speed


def _ring(rng: np.random.Generator, body: Body, force: Sound, rate_hz: int, manner: Manner) -> Sound:
    """The response of one body to the force on it: its modes, and the jerk of the body as a whole."""
    limit_hz = 0.475 * rate_hz
    modes = plain_modes(rng, body, limit_hz) if manner is Manner.PLAIN else measured_modes(rng, body, limit_hz)
    modes = laden(rng, body, modes)
    start = int(np.argmax(force != 0.0))
    ends = np.flatnonzero(force)
    driven = force[start:]
    omega = 2 * np.pi * modes.frequency_hz / rate_hz
    radius = np.exp(-modes.decay / rate_hz)
    audible = (
        len(force) if manner is Manner.PLAIN else ends[-1:].max(initial=0) + _SILENT_NEPERS * rate_hz / modes.decay
    )
    stops = np.broadcast_to(np.minimum(audible, len(force)).astype(int), len(omega))
    sound = np.zeros(len(force))
    for w, r, g, stop in zip(omega, radius, modes.gain, stops, strict=True):
        part = driven[: stop - start]
        sound[start:stop] += lfilter([0.0, g * r * np.sin(w)], [1.0, -2.0 * r * np.cos(w), r * r], part)
    heave = 1.0 if manner is Manner.PLAIN else 10 ** rng.uniform(0.0, 1.7)
    jerk = np.diff(force, prepend=0.0) * rate_hz / 4e4
    return sound + heave * jerk * np.sqrt(body.surface)
