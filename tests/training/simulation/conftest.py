"""What the tests of the simulated world share: a renderer, a few scenes and a tiny data set, each made once."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
if importlib.util.find_spec("mujoco") is None:
    pytest.skip("the simulated world needs mujoco==4.0.0", allow_module_level=True)

from training.simulation.dataset import generate
from training.simulation.dataset.scene_samples import Format
from training.simulation.physics import variants
from training.simulation.rendering.renderers import make_renderer
from training.simulation.rendering.system_libraries import missing_for_filament
from training.simulation.scenario import scenarios
from training.simulation.scenario.plan import LayoutError

SMALL = Format(size_hw=(96, 96))
TINY_SIZES = {"train": 8, "counterfactual": 4, "twins": 2, "held_out": 2}


@pytest.fixture(scope="session")
def renderer():
    """A small Filament renderer."""
    if missing := missing_for_filament():
        pytest.skip(missing)
    with generate.silenced():
        return make_renderer("filament", SMALL.size_hw)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory, renderer) -> Path:
    """A data set of a few samples, made in this process."""
    root = tmp_path_factory.mktemp("world")
    plan = generate.Plan(root=root, sizes=TINY_SIZES, form=SMALL, keep_clean=True)
    generate._claim(plan)
    for name, size in TINY_SIZES.items():
        for scene in range(size // 2):
            generate.make_and_write(plan, name, scene, renderer)
    return root


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
                scene, head = variants.prepare(rng, recipe, variants.level_request("easy", recipe))
                made.append((scene, variants.run(rng, recipe, scene, head, 0.08, 0.1)))
                break
            except LayoutError:
                continue
    return made
