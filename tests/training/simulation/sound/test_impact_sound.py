"""Sounds follow from the physics of the bodies."""

from __future__ import annotations

import numpy as np
import pytest

from training.simulation.objects.materials import MATERIALS, acoustics
from training.simulation.objects.shapes.shape import Resonator
from training.simulation.sound import impact_sound
from training.simulation.sound.bodies import Body
from training.simulation.sound.impact_sound import Impact, Manner, hertz_contact_s, synthesize

RATE_HZ = 16_000


def body(material: str, **changes) -> Body:
    plate = Resonator(kind="plate", thickness=0.002, length=0.1, width=0.1)
    return Body(**{"material": material, "mass": 0.2, "surface": 0.03, "resonator": plate, **changes})


def blow(**changes) -> Impact:
    return Impact(**{"bodies": (0, 1), "time_s": 0.5, "impulse": 0.02, "closing_speed": 0.5, **changes})


def ring(
    materials: tuple[str, str],
    seed: int = 0,
    rate_hz: int = RATE_HZ,
    manner: Manner = Manner.MEASURED,
    **changes,
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return synthesize(rng, [body(material) for material in materials], [blow(**changes)], [], 1.5, rate_hz, manner)


def centroid_hz(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound[RATE_HZ // 2 :][: RATE_HZ // 20])) ** 2
    return float((power * np.fft.rfftfreq(RATE_HZ // 20, 1 / RATE_HZ)).sum() / power.sum())


def test_hertz_time_of_two_steel_bodies():
    """100 g, 1 m/s, 10 mm: 1/E* = 2 (1 - 0.29^2) / 195 GPa = 9.394e-12, so t = 2.87 (0.1^2 x 8.825e-23 / 0.01)^0.2."""
    expected = 2.87 * (0.1**2 * (2 * (1 - 0.29**2) / 195e9) ** 2 / (0.01 * 1.0)) ** 0.2
    assert expected == pytest.approx(1.1143e-4, rel=1e-4)
    assert hertz_contact_s(0.1, "metal", "metal", 1.0, 0.01) == pytest.approx(expected)


@pytest.mark.parametrize("pair", [("metal", "wood"), ("glass", "cloth"), ("ceramic", "plastic")])
def test_a_softer_partner_prolongs_the_contact(pair):
    hard, soft = pair
    assert hertz_contact_s(0.1, hard, soft, 0.5, 0.01) > hertz_contact_s(0.1, hard, hard, 0.5, 0.01)


@pytest.mark.parametrize("manner", Manner)
def test_nothing_sounds_before_the_blow(manner):
    sound = ring(("metal", "glass"), manner=manner)
    assert np.abs(sound[: RATE_HZ // 2]).max() == 0.0
    assert np.abs(sound[RATE_HZ // 2 :]).max() > 0.0


@pytest.mark.parametrize("manner", Manner)
def test_twice_the_impulse_is_twice_the_sound(manner):
    once, twice = (ring(("wood", "wood"), manner=manner, impulse=impulse) for impulse in (0.02, 0.04))
    assert np.allclose(2.0 * once, twice)


def test_metal_rings_longer_than_wood_and_wood_longer_than_cloth():
    def decay_s(material: str) -> float:
        energy = np.cumsum(ring((material, material), manner=Manner.PLAIN)[::-1] ** 2)[::-1]
        return float(np.argmax(energy < 1e-3 * energy[0])) / RATE_HZ - 0.5

    assert decay_s("metal") > 2 * decay_s("wood") > 2 * decay_s("cloth")


def test_as_measured_metal_rings_longer_than_wood_in_the_median():
    """Each body lies elsewhere between free and damped, so that single ones may not."""

    def decay_s(material: str, seed: int) -> float:
        energy = np.cumsum(ring((material, material), seed)[::-1] ** 2)[::-1]
        return float(np.argmax(energy < 1e-3 * energy[0])) / RATE_HZ - 0.5

    metal, wood = (np.median([decay_s(material, seed) for seed in range(15)]) for material in ("metal", "wood"))
    assert metal > 1.5 * wood


def test_measured_impacts_are_brighter_than_plain_ones():
    both = [
        np.median([centroid_hz(ring(("ceramic", "wood"), seed, manner=manner)) for seed in range(15)])
        for manner in (Manner.PLAIN, Manner.MEASURED)
    ]
    assert both[1] > 1.3 * both[0]


def test_a_fingertip_sounds_duller_than_a_nail():
    def struck_by(part: str, seed: int) -> float:
        hand = Body(material=part, mass=0.1, surface=0.0005, resonator=None)
        bodies = [hand, body("ceramic")]
        return centroid_hz(synthesize(np.random.default_rng(seed), bodies, [blow()], [], 1.5, RATE_HZ))

    tip, nail = (np.median([struck_by(part, seed) for seed in range(15)]) for part in ("fingertip", "nail"))
    assert nail > 1.5 * tip


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
@pytest.mark.parametrize("material", MATERIALS)
def test_every_material_gives_a_finite_sound_at_every_rate(material, rate_hz):
    sound = ring((material, "ceramic"), rate_hz=rate_hz)
    assert len(sound) == round(1.5 * rate_hz)
    assert np.isfinite(sound).all() and np.abs(sound).max() > 0.0


def test_a_scrape_lasts_as_long_as_it_slides():
    slide = impact_sound.Scrape(bodies=(0, 1), start_s=0.3, sliding_speed=np.full(400, 0.2))
    bodies = [body("wood"), body("plastic")]
    sound = synthesize(np.random.default_rng(0), bodies, [], [slide], 1.5, RATE_HZ)
    energy = [
        float((sound[round(a * RATE_HZ) : round(b * RATE_HZ)] ** 2).mean())
        for a, b in ((0, 0.29), (0.35, 0.65), (1.2, 1.5))
    ]
    assert energy[0] == 0.0
    assert energy[1] > 100 * energy[2]


def test_an_unknown_material_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"material must be one of metal, .*, got 'steel'"):
        acoustics("steel")
