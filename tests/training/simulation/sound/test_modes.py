"""Modes follow from shape and material; measured ones also from what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from training.simulation.objects.materials import MATERIALS
from training.simulation.objects.shapes.shape import Resonator
from training.simulation.sound.bodies import Body
from training.simulation.sound.modes import MEASURED, laden, measured_modes, plain_modes

LIMIT_HZ = 7600.0


def body(material: str, **changes) -> Body:
    plate = Resonator(kind="plate", thickness=0.002, length=0.1, width=0.1)
    return Body(**{"material": material, "mass": 0.2, "surface": 0.03, "resonator": plate, **changes})


@pytest.mark.parametrize("modes", [plain_modes, measured_modes])
def test_a_thicker_plate_sounds_higher(modes):
    pitches = []
    for thickness in (0.001, 0.002):
        plate = Resonator(kind="plate", thickness=thickness, length=0.1, width=0.1)
        found = modes(np.random.default_rng(0), body("glass", resonator=plate), LIMIT_HZ)
        pitches.append(found.frequency_hz[0])
    assert pitches[1] == pytest.approx(2 * pitches[0])


def test_a_hand_shortens_the_decay():
    free = plain_modes(np.random.default_rng(0), body("metal"), LIMIT_HZ).decay
    held = plain_modes(np.random.default_rng(0), body("metal", damping=20.0), LIMIT_HZ).decay
    assert np.allclose(held - free, 20.0)


def test_as_measured_some_hands_damp_more_than_others():
    """From 0.32 to 5 times the damping of the body."""
    for seed in range(5):
        free = measured_modes(np.random.default_rng(seed), body("metal"), LIMIT_HZ).decay
        held = measured_modes(np.random.default_rng(seed), body("metal", damping=20.0), LIMIT_HZ).decay
        more = held - free
        assert np.allclose(more, more[0])
        assert 6.3 < more[0] < 100.3


def test_a_part_of_a_hand_has_no_modes():
    hand = Body(material="knuckle", mass=0.1, surface=0.0005, resonator=None)
    assert len(measured_modes(np.random.default_rng(0), hand, LIMIT_HZ).frequency_hz) == 0


def test_a_large_board_rings_up_to_the_limit():
    """It has thousands of modes; the plain ones end with the lowest 36."""
    board = Resonator(kind="panel", thickness=0.025, length=1.2, width=0.7)
    plain, measured = (
        modes(np.random.default_rng(0), body("wood", resonator=board, surface=0.8, mass=10.0), LIMIT_HZ)
        for modes in (plain_modes, measured_modes)
    )
    assert plain.frequency_hz.max() < 4000.0
    assert measured.frequency_hz.max() > 6500.0
    assert len(measured.frequency_hz) <= 56


def test_a_small_body_radiates_its_low_modes_weakly():
    """Of two spoons of the same modes the larger is louder at the low end, relative to the high end."""
    bar = Resonator(kind="bar", thickness=0.003, length=0.2, width=0.02)

    def bass_db(surface: float, seed: int) -> float:
        found = measured_modes(np.random.default_rng(seed), body("metal", resonator=bar, surface=surface), LIMIT_HZ)
        level = 20 * np.log10(np.abs(found.gain))
        return float(level[0] - level[-1])

    assert all(bass_db(0.1, seed) > bass_db(0.001, seed) for seed in range(5))


def test_every_material_was_measured():
    assert set(MEASURED) == set(MATERIALS)


def test_loose_contents_make_each_mode_lower_and_shorter():
    """Half of the mass is contents, so that 0.2 to 0.6 of the walls' mass moves with them, whose loss is 0.05 to 0.2."""
    half = body("metal", contents=0.1)
    for seed in range(5):
        empty = plain_modes(np.random.default_rng(seed), body("metal"), LIMIT_HZ)
        full = laden(np.random.default_rng(seed), half, empty)
        ratio = full.frequency_hz / empty.frequency_hz
        assert np.allclose(ratio, ratio[0])
        load = 1 / ratio[0] ** 2 - 1
        assert 0.2 <= load <= 0.6
        loss = (full.decay - empty.decay) / (np.pi * full.frequency_hz) * (1 + load) / load
        assert np.allclose(loss, loss[0])
        assert 0.05 <= loss[0] <= 0.2


def test_without_contents_nothing_is_drawn():
    rng = np.random.default_rng(0)
    empty = plain_modes(np.random.default_rng(1), body("metal"), LIMIT_HZ)
    assert laden(rng, body("metal"), empty) is empty
    assert rng.random() == np.random.default_rng(0).random()
