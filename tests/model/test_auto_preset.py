"""What `auto` means on a machine, from what is stored and the device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cs3_model.auto_preset import choose_preset
from cs3_model.hints import cs3_command
from cs3_model.preset_files import check_preset_name
from cs3_model.weights import find_weights
from cs3_model.weights.registry import FOUNDATION
from cs3_model.weights.store import own_path
from tests.model.file_server import cache

__all__ = ["cache"]

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 1)


@pytest.fixture
def stored(cache: Path) -> list[Path]:
    """All that `foundation` needs lies on this machine."""
    places = [own_path(weights) for weights in find_weights(FOUNDATION)]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"tensors")
    return places


def test_with_weights_and_a_gpu_it_is_foundation(stored) -> None:
    chosen = choose_preset("auto", CUDA)
    assert chosen.name == "foundation" and "preset micro is the other" in chosen.title


def test_without_a_gpu_it_is_micro_and_says_why(stored) -> None:
    chosen = choose_preset("auto", CPU)
    assert chosen.title == "micro (auto: knows simulation only; for foundation, use a CUDA device (this is cpu))"


def test_with_one_file_missing_it_is_micro_and_says_how_to_get_the_other(stored) -> None:
    stored[2].unlink()
    chosen = choose_preset("auto", CUDA)
    assert chosen.name == "micro" and f"run {cs3_command('weights fetch')} (1 of 6 files are not here)" in chosen.note
    assert " and use a CUDA device" in choose_preset("auto", CPU).note


def test_a_preset_that_is_named_is_taken(cache: Path) -> None:
    assert choose_preset("foundation", CPU).title == "foundation"


def test_auto_is_accepted_where_a_preset_is_wanted_and_nonsense_is_not() -> None:
    check_preset_name("auto")
    with pytest.raises(ValueError, match="unknown preset 'automatic'; choose one of debug, foundation, micro"):
        check_preset_name("automatic")
