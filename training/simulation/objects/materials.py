"""How materials sound: elastic constants, density and damping. How they look is in `appearance`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Acoustics:
    """What a material contributes to the sound of an impact; typical values of household goods."""

    young_pa: float
    """Young's modulus in bending, pascals."""
    contact_pa: float
    """Modulus that the contact feels (wood is struck across its grain, paper board crushes), pascals."""
    density: float
    """Density of the solid, kg/m^3."""
    poisson: float
    """Poisson's ratio."""
    loss: tuple[float, float]
    """Range of the internal loss factor: each mode decays by pi * frequency * loss nepers per second."""
    roughness: float
    """How strongly a scrape over the surface excites it, relative to ceramic."""


MATERIALS: dict[str, Acoustics] = {
    "metal": Acoustics(young_pa=195e9, contact_pa=195e9, density=7800, poisson=0.29, loss=(5e-4, 3e-3), roughness=0.8),
    "ceramic": Acoustics(young_pa=70e9, contact_pa=70e9, density=2400, poisson=0.22, loss=(2e-3, 7e-3), roughness=1.0),
    "glass": Acoustics(young_pa=65e9, contact_pa=65e9, density=2500, poisson=0.23, loss=(1e-3, 3e-3), roughness=0.5),
    "wood": Acoustics(young_pa=11e9, contact_pa=1.5e9, density=650, poisson=0.35, loss=(1.2e-2, 3e-2), roughness=1.2),
    "plastic": Acoustics(
        young_pa=2.4e9, contact_pa=1.5e9, density=1050, poisson=0.38, loss=(2e-2, 7e-2), roughness=0.7
    ),
    "paper": Acoustics(young_pa=1.2e9, contact_pa=6e7, density=500, poisson=0.3, loss=(7e-2, 0.2), roughness=1.4),
    "cloth": Acoustics(young_pa=4e7, contact_pa=6e6, density=300, poisson=0.3, loss=(0.3, 0.6), roughness=1.5),
}
"""Acoustics by the material's name. The names are those of the EPIC-CS3 classes."""


HAND_PARTS: dict[str, Acoustics] = {
    "knuckle": Acoustics(young_pa=1e7, contact_pa=1e7, density=1100, poisson=0.45, loss=(0.5, 1.0), roughness=0.5),
    "fingertip": Acoustics(young_pa=6e5, contact_pa=6e5, density=1100, poisson=0.45, loss=(0.5, 1.0), roughness=0.5),
    "nail": Acoustics(young_pa=2e9, contact_pa=2e9, density=1300, poisson=0.4, loss=(0.1, 0.3), roughness=0.5),
}
"""Parts of a hand that strike. They are no objects, so that their materials are not among `MATERIALS`."""

HELD_OUT_PAIRS = frozenset(frozenset(pair) for pair in (("glass", "wood"), ("ceramic", "plastic"), ("metal", "paper")))
"""Materials that never collide with each other outside the held-out test."""


def acoustics(material: str) -> Acoustics:
    """Returns the acoustics of a material or of a part of a hand.

    Raises:
        ValueError: if there is no such material.
    """
    known = MATERIALS | HAND_PARTS
    if material not in known:
        raise ValueError(f"material must be one of {', '.join(known)}, got {material!r}")
    return known[material]
