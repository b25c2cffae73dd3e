"""The recipes that ship, and what is refused."""

from __future__ import annotations

import pytest

from training.weak.pairs import Part
from training.weak.recipe import load_recipe


@pytest.mark.parametrize(
    ("name", "area_weight", "part"), [("epic_cs3", 1.0, Part.WHOLE), ("ego4d_cs3", 0.1, Part.PEAK)]
)
def test_the_recipes_hold_the_papers_hyperparameters(name, area_weight, part) -> None:
    recipe = load_recipe(name)
    assert (recipe.steps, recipe.batch_size, recipe.learning_rate) == (50_000, 32, 1e-6)
    losses, pairs = recipe.losses, recipe.pairs
    assert (losses.image_weight, losses.feature_weight, losses.area_weight) == (1.0, 1.0, area_weight)
    assert losses.area_prior == 0.1 and pairs.window.length_s == 2.0 and pairs.part is part
    assert (pairs.shortest_s, pairs.longest_s) == (0.5, 1.5)
    assert pairs.augmentation.crop_share == 1.0 and pairs.augmentation.flip_probability == 0.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("losses: {lambda: 1.0}", "unknown field 'losses.lambda'; valid fields: image_weight, "),
        ("pairs: {part: middle}", "pairs.part must be one of whole, peak, got 'middle'"),
        ("batch_size: 1", "batch_size must be 2 or more"),
        ("steps: many", "steps must be of type int, got 'many'"),
        ("learning_rate: 0", "learning_rate must be positive, got 0.0"),
        ("steps: [", "recipe '.*mine.yaml': while parsing"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_line(tmp_path, text, message) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_recipe(str(path))
    assert "\n" not in str(error.value)


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"unknown recipe 'mine'; choose one of ego4d_cs3, epic_cs3, sim_cs3, or give a .yaml"
    ):
        load_recipe("mine")
