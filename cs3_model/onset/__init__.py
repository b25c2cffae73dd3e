"""The collision onset detector: a mono stream in, the moments at which two objects hit each other out."""

from cs3_model.onset.config import (
    AttackConfig,
    ConfirmationConfig,
    DecayTest,
    NoveltyConfig,
    OnsetConfig,
    PeakConfig,
)
from cs3_model.onset.detector import OnsetDetector
from cs3_model.onset.events import CollisionGate, OnsetEvent, OnsetState

__all__ = [
    "AttackConfig",
    "CollisionGate",
    "ConfirmationConfig",
    "DecayTest",
    "NoveltyConfig",
    "OnsetConfig",
    "OnsetDetector",
    "OnsetEvent",
    "OnsetState",
    "PeakConfig",
]
