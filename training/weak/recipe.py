"""The hyperparameters of a training run, in YAML files that list what differs from the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from cs3_model.config_mapping import from_mapping
from training.weak.losses import LossConfig
from training.weak.pairs import PairConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What decides the outcome of a run, beside model, data and seed.

    Raises:
        ValueError: if a value is out of its range.
    """

    steps: int = 50_000
    """Optimizer steps (paper: 50,000)."""
    batch_size: int = 32
    """Pairs per step of all processes together, each the others' negative. The paper says 32 on four GPUs; that this is
    the whole batch and that negatives cross GPUs are readings."""
    learning_rate: float = 1e-6
    """Rate of Adam, constant (paper: 1e-6; optimizer and schedule are not stated, ACL-SSL has Adam with 1e-4)."""
    new_parts_multiplier: float = 1.0
    """Times the learning rate of what starts at random: projection, pooling and masker. The paper names one rate."""
    train_encoder: bool = True
    """Train the audio encoder too (paper), not only what starts at random (ACL-SSL)."""
    weight_decay: float = 0.0
    """Weight decay of Adam (not stated by the paper; ACL-SSL: 1e-4)."""
    pooling_dropout: float = 0.5
    """Dropout of the score of the attentive pooling (ACL-SSL: 0.5)."""
    losses: LossConfig = field(default_factory=LossConfig)
    """Weights and readings of the losses."""
    pairs: PairConfig = field(default_factory=PairConfig)
    """What picture and sound are taken from a sample."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.steps}")
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size must be 2 or more, for there are no negatives otherwise, got {self.batch_size}"
            )
        for name in ("learning_rate", "new_parts_multiplier"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay must be 0 or more, got {self.weight_decay}")
        if not 0 <= self.pooling_dropout < 1:
            raise ValueError(f"pooling_dropout must be in [0, 1), got {self.pooling_dropout}")


def recipe_names() -> list[str]:
    """The recipes that ship with the package."""
    return sorted(Path(entry.name).stem for entry in _folder().iterdir() if entry.name.endswith(".yaml"))


def load_recipe(name: str) -> Recipe:
    """Reads a recipe that ships with the package, or a YAML file of one's own.

    Raises:
        ValueError: if there is no such recipe, or it holds unknown fields or bad values.
    """
    if name in recipe_names():
        text = (_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    elif name.endswith(".yaml") and Path(name).is_file():
        text = Path(name).read_text(encoding="utf-8")
    else:
        raise ValueError(f"unknown recipe '{name}'; choose one of {', '.join(recipe_names())}, or give a .yaml file")
    try:
        return from_mapping(Recipe, yaml.safe_load(text) or {})
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"recipe '{name}': {' '.join(str(error).split())}") from None


def _folder() -> Any:
    return resources.files("training.weak") / "recipes"
