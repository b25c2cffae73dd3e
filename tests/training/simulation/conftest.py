"""What the tests of the simulated world share: scenes with their simulated variants, made once."""

from __future__ import annotations

import importlib.util
import os

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
if importlib.util.find_spec("mujoco") is None:
    pytest.skip("the simulated world needs mujoco==4.0.0", allow_module_level=True)

from training.simulation.physics import variants
from training.simulation.scenario import scenarios
from training.simulation.scenario.scenarios import request_at_level
from training.simulation.scene.table_layout import LayoutError


@pytest.fixture(scope="session")
def outcomes():
    """Scenes of every kind with their simulated variants: a list of (scene, outcomes)."""
    made = []
    draws = [
        lambda rng: scenarios.two_hands(),
        scenarios.one_hand,
        scenarios.held_vs_held,
        scenarios.one_silent,
        *(lambda rng, act=act: scenarios.special(rng, act) for act in ("drop", "put_down", "lid", "scrape")),
    ]
    for kind, draw in enumerate(draws):
        for attempt in range(60):
            rng = np.random.default_rng([kind, attempt])
            recipe = draw(rng)
            try:
                scene, head = variants.prepare(rng, recipe, request_at_level("easy", recipe))
                made.append((scene, variants.run(rng, recipe, scene, head, 0.08, 0.1)))
                break
            except LayoutError:
                continue
    return made
