"""What strikes and is struck beside the objects of the world."""

from __future__ import annotations

import numpy as np
import pytest

from training.simulation.objects.materials import HAND_PARTS, MATERIALS
from training.simulation.sound.bodies import STRIKERS, large_body, striker_body


@pytest.mark.parametrize("name", STRIKERS)
def test_only_a_stick_and_a_tool_ring(name):
    striker = striker_body(np.random.default_rng(0), name)
    assert (striker.resonator is not None) == (name in ("stick", "tool"))
    assert striker.material == {"stick": "wood", "tool": "metal"}.get(name, name)
    assert 0.0 < striker.mass < 2.5


def test_an_unknown_striker_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="striker must be one of knuckle, fingertip, nail, stick, tool, got 'foot'"):
        striker_body(np.random.default_rng(0), "foot")


def test_parts_of_a_hand_are_no_materials_of_objects():
    assert not set(HAND_PARTS) & set(MATERIALS)


def test_large_things_are_of_all_materials_and_sizes():
    found = [large_body(np.random.default_rng(seed)) for seed in range(100)]
    assert {one.material for one in found} == set(MATERIALS)
    lengths = [one.resonator.length for one in found if one.resonator is not None]
    assert len(lengths) == 100
    assert min(lengths) < 0.15 and max(lengths) > 0.6
