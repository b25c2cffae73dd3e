"""Scores on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.drawn_world import drawn_data_set
from tests.training.micro.small import small_weights
from training.data.sound_windows import WindowPlace, WindowRule
from training.evaluation.methods import build_row
from training.evaluation.results.row_cache import RowCache
from training.evaluation.row_spec import MixtureSpec, PresetSpec, SimpleRow, SimpleSpec
from training.evaluation.runner import evaluate

CPU = torch.device("cpu")
CENTRE, RIGHT, ORACLE = (SimpleSpec(row=row) for row in (SimpleRow.CENTRE, SimpleRow.RIGHT, SimpleRow.ORACLE))


@pytest.fixture
def data_set(tmp_path):
    return drawn_data_set(tmp_path, 2, ("high", "none"))


def cache(tmp_path, data_set, **options) -> RowCache:
    return RowCache(tmp_path / "cache", data_set, **{"limit": 0, "seed": 0, **options})


def test_what_is_read_is_what_was_measured(tmp_path, data_set) -> None:
    store = cache(tmp_path, data_set)
    assert store.read(CENTRE) is None
    assert list(store.fill([CENTRE, ORACLE], CPU)) == [1, 2, 3, 4]
    rows = [build_row(ORACLE, device=CPU, seed=0)]
    *_, expected = evaluate(rows, data_set, rule=WindowRule(), seed=0)
    assert store.read(ORACLE) == expected.records["oracle"]
    assert {record.score is None for record in store.read(ORACLE)} == {True, False}


def test_only_what_is_missing_is_computed(tmp_path, data_set) -> None:
    store = cache(tmp_path, data_set)
    list(store.fill([CENTRE], CPU))
    (path,) = (tmp_path / "cache/test").iterdir()
    written = path.stat().st_mtime_ns
    list(store.fill([CENTRE, RIGHT], CPU))
    assert path.stat().st_mtime_ns == written and store.read(RIGHT) is not None
    assert list(store.fill([CENTRE, RIGHT], CPU)) == []


def test_a_preset_that_changes_or_is_trained_again_is_another_row(tmp_path, data_set) -> None:
    weights = small_weights(tmp_path / "micro.safetensors")
    preset = tmp_path / "mine.yaml"
    text = "parts: {audio_visual: micro, hands: micro, boxes: micro}\nmicro_weights: micro.safetensors\n"
    preset.write_text(text)
    row = PresetSpec(preset=str(preset), changes=(("use_crop", False),))
    store = cache(tmp_path, data_set)
    list(store.fill([row], CPU))
    assert store.read(row) is not None
    preset.write_text(text + "pipeline: {use_hands: false}\n")
    assert store.read(row) is None
    preset.write_text(text)
    assert store.read(row) is not None
    small_weights(weights, seed=1)
    assert store.read(row) is None


def test_sound_that_is_cut_otherwise_makes_another_row(tmp_path, data_set) -> None:
    list(cache(tmp_path, data_set).fill([CENTRE], CPU))
    assert cache(tmp_path, data_set).read(CENTRE) is not None
    assert cache(tmp_path, data_set, rule=WindowRule(place=WindowPlace.PEAK)).read(CENTRE) is None


def test_other_weights_seeds_and_samples_are_other_rows(tmp_path, data_set) -> None:
    weights = small_weights(tmp_path / "micro.safetensors")
    row = PresetSpec(preset="micro", weights=weights, changes=(("use_crop", False),))
    store = cache(tmp_path, data_set)
    list(store.fill([row], CPU))
    assert store.read(row) is not None
    assert cache(tmp_path, data_set, seed=1).read(row) is None
    assert cache(tmp_path, data_set, limit=1).read(row) is None
    assert cache(tmp_path, drawn_data_set(tmp_path, 3)).read(row) is None
    moved = weights.rename(tmp_path / "renamed.safetensors")
    assert store.read(replace(row, weights=moved)) is not None
    small_weights(moved, seed=1)
    assert store.read(replace(row, weights=moved)) is None


def test_damage_and_missing_weights_are_named(tmp_path, data_set) -> None:
    store = cache(tmp_path, data_set)
    list(store.fill([CENTRE], CPU))
    (path,) = (tmp_path / "cache/test").iterdir()
    path.write_text("{")
    with pytest.raises(ValueError, match=r"json is damaged .*: delete it"):
        store.read(CENTRE)
    with pytest.raises(ValueError, match=r"absent.safetensors cannot be read"):
        store.read(MixtureSpec(file=Path("absent.safetensors")))
