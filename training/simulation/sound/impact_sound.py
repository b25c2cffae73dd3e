"""The sound of collisions: each object is a bank of resonators that the contact forces drive.

The modes follow from material, size and thickness (bars, rings, plates and panels, Fletcher and Rossing, *The Physics
of Musical Instruments*, chapters 2, 3 and 21); the grip of a hand and the table damp them. A contact is a half-sine
force whose duration is that of Hertz for the two masses and moduli; simulated contacts are too soft to give it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, lfilter, sosfilt

from training.simulation.objects.materials import acoustics
from training.simulation.objects.shapes.shape import Resonator, Shape

Sound = npt.NDArray[np.float64]

MAX_MODES = 36
_SUBSAMPLES = 8
_PLATE_ROOTS = np.array(
    [5.36, 9.0, 12.4, 20.5, 21.8, 33.5, 35.2, 38.4, 47.8, 52.9, 60.8, 63.0, 73.0, 77.0, 85.0, 88.0, 97.0, 104.0]
)
"""Squared wave numbers times radius^2 of a free circular plate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """What an object brings to a collision."""

    material: str
    mass: float
    surface: float
    resonator: Resonator
    damping: float = 0.0
    """Extra decay by hand or table, nepers per second."""


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


def body_of(rng: np.random.Generator, shape: Shape, *, held: bool, standing: bool) -> Body:
    """The acoustic body of an object; a hand damps walls more than bars, which it holds at their end."""
    grip = rng.uniform(10, 45) * (0.4 if shape.resonator.kind == "bar" else 1.0) if held else 0.0
    table = rng.uniform(3, 18) if standing else 0.0
    return Body(
        material=shape.material, mass=shape.mass, surface=shape.surface, resonator=shape.resonator, damping=grip + table
    )


def table_body(rng: np.random.Generator, material: str) -> Body:
    """The acoustic body of a table top."""
    thickness = 0.0015 if material == "metal" else rng.uniform(0.02, 0.035)
    plate = Resonator(kind="panel", thickness=thickness, length=rng.uniform(0.9, 1.6), width=rng.uniform(0.55, 0.8))
    return Body(material=material, mass=rng.uniform(8, 25), surface=0.4, resonator=plate, damping=rng.uniform(15, 40))


def modes(rng: np.random.Generator, body: Body, limit_hz: float) -> tuple[Sound, Sound]:
    """Frequencies [M] in hertz and decay rates [M] in nepers per second of a body, M <= `MAX_MODES`."""
    properties, shape = acoustics(body.material), body.resonator
    speed = np.sqrt(properties.young_pa * rng.uniform(0.8, 1.2) / properties.density)
    plate_speed = speed / np.sqrt(12.0 * (1.0 - properties.poisson**2))
    number = np.arange(1, MAX_MODES + 1)
    if shape.kind == "bar":
        frequency = 1.028 * shape.thickness / shape.length**2 * speed * ((2 * number + 1) / 3.0112) ** 2
    elif shape.kind == "shell":
        k = number[:20] + 1.0
        ring = shape.thickness * plate_speed / (2 * np.pi * shape.length**2) * k * (k**2 - 1) / np.sqrt(k**2 + 1)
        split = ring * rng.uniform(1.01, 1.06)  # a handle or a seam splits each pair of modes
        axial = ring * np.sqrt(1.0 + (1.5 * shape.length / shape.width) ** 2)
        frequency = np.concatenate([ring, split, axial])
    elif shape.kind == "plate":
        once = _PLATE_ROOTS / (2 * np.pi * shape.length**2) * shape.thickness * plate_speed
        frequency = np.concatenate([once, once * rng.uniform(1.005, 1.03)])
    else:
        i, j = np.meshgrid(number[:9], number[:9])
        frequency = (
            np.pi / 2 * shape.thickness * plate_speed * ((i / shape.length) ** 2 + (j / shape.width) ** 2)
        ).ravel()
    frequency = frequency * rng.normal(1.0, 0.02, len(frequency))
    frequency = np.sort(frequency[(frequency > 60.0) & (frequency < limit_hz)])[:MAX_MODES]
    if len(frequency) == 0:
        frequency = rng.uniform(0.3, 0.9, 2) * limit_hz  # small stiff bodies: little but the blow itself
    air = rng.uniform(1.5, 4.0)
    decay = np.pi * rng.uniform(*properties.loss) * frequency + air + body.damping
    return frequency, decay


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
) -> Sound:
    """Mixes the sound of all collisions, dry and without noise.

    Args:
        rng: Draws the modes, where each body is struck, and the curvature of each contact.
        bodies: All bodies that take part.
        impacts: Blows; those outside of the duration are left out.
        scrapes: Slides.
        duration_s: Length of the sound.
        rate_hz: Sample rate.

    Returns:
        Samples [T], not scaled.
    """
    length = round(duration_s * rate_hz)
    sound = np.zeros(length)
    pairs = [blow.bodies for blow in impacts] + [slide.bodies for slide in scrapes]
    drive = {index: np.zeros(length) for pair in pairs for index in pair}
    for blow in impacts:
        pulse, start = _pulse(rng, bodies, blow, rate_hz)
        if not 0 <= start < length:
            continue
        stop = min(start + len(pulse), length)
        for index in blow.bodies:
            drive[index][start:stop] += pulse[: stop - start]
    for slide in scrapes:
        friction = _friction(rng, bodies, slide, length, rate_hz)
        for index in slide.bodies:
            drive[index] += friction
    for index, force in drive.items():
        sound += _ring(rng, bodies[index], force, rate_hz)
    return sound


def _pulse(rng: np.random.Generator, bodies: Sequence[Body], blow: Impact, rate_hz: int) -> tuple[Sound, int]:
    """The force of a blow at the sample rate, with the area of its impulse, and the sample at which it begins."""
    first, second = (bodies[index] for index in blow.bodies)
    mass = 1.0 / (1.0 / first.mass + 1.0 / second.mass)
    curvature = rng.uniform(0.003, 0.012)
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
    return fine.reshape(-1, _SUBSAMPLES).sum(1), start


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


def _ring(rng: np.random.Generator, body: Body, force: Sound, rate_hz: int) -> Sound:
    """The response of one body to the force on it: its modes, and the jerk of the body as a whole."""
    frequency, decay = modes(rng, body, 0.475 * rate_hz)
    gain = rng.standard_normal(len(frequency)) * np.sqrt(body.surface / max(body.mass, 0.01))
    start = int(np.argmax(force != 0.0))
    driven = force[start:]
    omega = 2 * np.pi * frequency / rate_hz
    radius = np.exp(-decay / rate_hz)
    sound = np.zeros(len(force))
    for w, r, g in zip(omega, radius, gain, strict=True):
        sound[start:] += lfilter([0.0, g * r * np.sin(w)], [1.0, -2.0 * r * np.cos(w), r * r], driven)
    jerk = np.diff(force, prepend=0.0) * rate_hz / 4e4
    return sound + jerk * np.sqrt(body.surface)
