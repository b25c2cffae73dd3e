"""How bodies ring: the frequencies of their modes by shape, and how fast and how loud each rings.

Two kinds of modes. *Plain* ones (version 1 of the simulator, what the shipped networks of `micro` first learned from)
are damped by the material alone and equally loud at all frequencies, which sounds dull beside recordings. *Measured*
ones lie between theory and measurement, each body elsewhere: damping between that of the material alone and what was
measured on things that lie or are held; loudness between what a body of this size radiates and measured spectra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.simulation.objects.materials import acoustics
from training.simulation.sound.bodies import Body

Sound = npt.NDArray[np.float64]

MAX_MODES = 36
_MAX_MEASURED_MODES = 56
_NUM_LOWEST = 16
"""Of the measured modes so many of the lowest are kept; of the others a sample, louder accordingly."""
_LOWEST_HZ = 60.0
_SOUND_SPEED = 343.0
_PLATE_ROOTS = np.array(
    [5.36, 9.0, 12.4, 20.5, 21.8, 33.5, 35.2, 38.4, 47.8, 52.9, 60.8, 63.0, 73.0, 77.0, 85.0, 88.0, 97.0, 104.0]
)
"""Squared wave numbers times radius^2 of a free circular plate."""
_MORE_PLATE_ROOTS = np.arange(110.0, 900.0, 6.0)
"""How they go on, at the spacing that they tend to."""


class Modes(NamedTuple):
    """Modes of a body, [M] each."""

    frequency_hz: Sound
    decay: Sound
    """Nepers per second."""
    gain: Sound


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What was measured on the modes of household materials."""

    rt60_s: float
    """Time in which a mode of 1 kHz falls by 60 dB."""
    rt60_exponent: float
    """Power of the frequency with which that time changes."""
    slope_db: float
    """How the onset level of modes changes per octave."""


MEASURED = {
    "metal": Measured(rt60_s=0.114, rt60_exponent=-0.18, slope_db=-3.3),
    "ceramic": Measured(rt60_s=0.203, rt60_exponent=-0.46, slope_db=-2.0),
    "glass": Measured(rt60_s=0.119, rt60_exponent=-0.11, slope_db=0.3),
    "wood": Measured(rt60_s=0.105, rt60_exponent=-0.13, slope_db=-1.0),
    "plastic": Measured(rt60_s=0.068, rt60_exponent=-0.39, slope_db=-5.3),
    "paper": Measured(rt60_s=0.049, rt60_exponent=-0.10, slope_db=-6.2),
    "cloth": Measured(rt60_s=0.050, rt60_exponent=-0.02, slope_db=-6.3),
}
"""Least-squares lines through the modes between 100 Hz and 16 kHz of the mode tables of the package `tdw` 1.13
(`py_impact/material_data`, copyright 2020 Massachusetts Institute of Technology, BSD 2-Clause), each table with the same
weight: ceramic and stone, hard to soft wood, hard plastic, cardboard and paper, fabric and leather in one each. The
slope of ceramic leaves out one table whose levels scatter by 60 dB."""
_RT60_SCATTER = 0.5
"""Standard deviation of the logarithm of a mode's time around that line."""


def plain_modes(rng: np.random.Generator, body: Body, limit_hz: float) -> Modes:
    """The lowest `MAX_MODES` modes of a body below a frequency, damped by its material, as loud at all frequencies."""
    frequency = _natural_frequencies(rng, body, num=MAX_MODES, grid=9, axial=20, roots=_PLATE_ROOTS)
    frequency = np.sort(frequency[(frequency > _LOWEST_HZ) & (frequency < limit_hz)])[:MAX_MODES]
    if len(frequency) == 0:
        frequency = rng.uniform(0.3, 0.9, 2) * limit_hz  # small stiff bodies: little but the blow itself
    air = rng.uniform(1.5, 4.0)
    decay = np.pi * rng.uniform(*acoustics(body.material).loss) * frequency + air + body.damping
    return Modes(frequency, decay, _strike_gain(rng, body, len(frequency)))


def measured_modes(rng: np.random.Generator, body: Body, limit_hz: float) -> Modes:
    """Modes of a body up to a frequency, damped and radiated as measured; none for a part of a hand."""
    if body.resonator is None:
        return Modes(*np.zeros((3, 0)))
    roots = np.concatenate([_PLATE_ROOTS, _MORE_PLATE_ROOTS])
    frequency = _natural_frequencies(rng, body, num=2 * MAX_MODES, grid=60, axial=40, roots=roots)
    frequency = np.sort(frequency[(frequency > _LOWEST_HZ) & (frequency < limit_hz)])
    if len(frequency) == 0:
        frequency = rng.uniform(0.3, 0.9, 2) * limit_hz
    frequency, stands_for = _thinned(rng, frequency)
    measured = MEASURED[body.material]
    octaves = np.log2(frequency / 1000.0)
    free = np.pi * rng.uniform(*acoustics(body.material).loss) * frequency + rng.uniform(1.5, 4.0)
    rt60 = measured.rt60_s * 2.0 ** (measured.rt60_exponent * octaves)
    lying = 6.91 / (rt60 * np.exp(_RT60_SCATTER * rng.standard_normal(len(frequency))))
    share = rng.uniform() ** 2  # things on real tables ring longer than those in the tables of modes
    firmness = 10 ** rng.uniform(-0.5, 0.7)
    decay = free ** (1 - share) * lying**share + firmness * body.damping
    size = 2 * np.pi * frequency / _SOUND_SPEED * np.sqrt(body.surface / np.pi)
    radiated_db = rng.uniform(14.0, 48.0) * np.log10(size**2 / (1.0 + size**2))
    share = rng.uniform()
    level_db = (1 - share) * radiated_db + share * measured.slope_db * octaves
    gain = _strike_gain(rng, body, len(frequency)) * np.sqrt(stands_for) * 10 ** (level_db / 20)
    return Modes(frequency, decay, gain)


def laden(rng: np.random.Generator, body: Body, modes: Modes) -> Modes:
    """What loose contents make of a body's modes: lower by the mass that moves with the walls, and damped by friction.

    Both ranges are assumptions: how much of the contents moves along, and the loss factor of grains that rub.
    """
    if not body.contents:
        return modes
    load = rng.uniform(0.2, 0.6) * body.contents / (body.mass - body.contents)
    frequency = modes.frequency_hz / np.sqrt(1.0 + load)
    friction = np.pi * rng.uniform(0.05, 0.2) * frequency * load / (1.0 + load)
    return Modes(frequency, modes.decay + friction, modes.gain)


def _strike_gain(rng: np.random.Generator, body: Body, count: int) -> Sound:
    """How much of each mode a blow excites, which depends on where it falls."""
    return rng.standard_normal(count) * np.sqrt(body.surface / max(body.mass, 0.01))


def _thinned(rng: np.random.Generator, frequency: Sound) -> tuple[Sound, Sound]:
    """At most `_MAX_MEASURED_MODES` of sorted frequencies, spread over the octaves, and how many each stands for."""
    extra = len(frequency) - _NUM_LOWEST
    room = _MAX_MEASURED_MODES - _NUM_LOWEST
    if extra <= room:
        return frequency, np.ones(len(frequency))
    upper = frequency[_NUM_LOWEST:]
    edges = np.geomspace(upper[0], upper[-1] * 1.0001, room + 1)
    place = np.searchsorted(edges, upper, side="right") - 1
    taken, first, counts = np.unique(place, return_index=True, return_counts=True)
    chosen = first + rng.integers(counts)
    assert len(taken) <= room
    return (
        np.concatenate([frequency[:_NUM_LOWEST], upper[chosen]]),
        np.concatenate([np.ones(_NUM_LOWEST), counts.astype(float)]),
    )


def _natural_frequencies(
    rng: np.random.Generator, body: Body, *, num: int, grid: int, axial: int, roots: Sound
) -> Sound:
    """Frequencies of a free body in hertz, unsorted (Fletcher and Rossing, chapters 2, 3 and 21).

    Args:
        rng: Draws how stiff the body is, and how far it is from its ideal shape.
        body: The body.
        num: Number of modes of a bar.
        grid: Number of modes of a panel in each direction.
        axial: Number of modes around a shell.
        roots: Squared wave numbers times radius^2 of a plate.
    """
    shape, properties = body.resonator, acoustics(body.material)
    assert shape is not None
    speed = np.sqrt(properties.young_pa * rng.uniform(0.8, 1.2) / properties.density)
    plate_speed = speed / np.sqrt(12.0 * (1.0 - properties.poisson**2))
    number = np.arange(1, max(num, grid, axial) + 1)
    if shape.kind == "bar":
        frequency = 1.028 * shape.thickness / shape.length**2 * speed * ((2 * number[:num] + 1) / 3.0112) ** 2
    elif shape.kind == "shell":
        k = number[:axial] + 1.0
        ring = shape.thickness * plate_speed / (2 * np.pi * shape.length**2) * k * (k**2 - 1) / np.sqrt(k**2 + 1)
        split = ring * rng.uniform(1.01, 1.06)  # a handle or a seam splits each pair of modes
        along = ring * np.sqrt(1.0 + (1.5 * shape.length / shape.width) ** 2)
        frequency = np.concatenate([ring, split, along])
    elif shape.kind == "plate":
        once = roots / (2 * np.pi * shape.length**2) * shape.thickness * plate_speed
        frequency = np.concatenate([once, once * rng.uniform(1.005, 1.03)])
    else:
        i, j = np.meshgrid(number[:grid], number[:grid])
        frequency = (
            np.pi / 2 * shape.thickness * plate_speed * ((i / shape.length) ** 2 + (j / shape.width) ** 2)
        ).ravel()
    return frequency * rng.normal(1.0, 0.02, len(frequency))
