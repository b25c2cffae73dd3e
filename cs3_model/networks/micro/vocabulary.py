"""The words that `micro` can be asked for."""

from __future__ import annotations

from collections.abc import Sequence

MATERIALS = ("metal", "ceramic", "glass", "wood", "plastic", "paper", "cloth")
"""In the order of the audio encoder's outputs."""

CLASSES = (
    "mug", "tumbler", "bowl", "jar", "can", "bottle", "pot", "lid", "mill", "plate", "board", "coaster", "tray",
    "packet", "roll", "towel", "spoon", "fork", "knife", "spatula", "ladle", "rolling_pin", "pan",
)  # fmt: skip
"""Household objects."""

WORDS = (*MATERIALS, *CLASSES, "table", "left", "right", "held", "hand", "struck")
"""Everything; "struck" asks for what may be about to collide."""

MAX_WORDS = 3
"""Length of the longest prompt."""
PAD = len(WORDS)
"""Fills shorter prompts."""

_INDEX = {word: index for index, word in enumerate(WORDS)}


def encode_prompt(words: Sequence[str]) -> list[int]:
    """Turns words such as ``("held", "left")`` into `MAX_WORDS` indices.

    Raises:
        ValueError: if there are too many words, or one is not known.
    """
    unknown = [word for word in words if word not in _INDEX]
    if unknown or not 0 < len(words) <= MAX_WORDS:
        raise ValueError(f"a prompt has 1 to {MAX_WORDS} of the words {', '.join(WORDS)}; got {' '.join(words)!r}")
    return [_INDEX[word] for word in words] + [PAD] * (MAX_WORDS - len(words))
