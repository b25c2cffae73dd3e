"""What a row is, and how the command line writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.evaluation.baselines.told import Told
from training.evaluation.results.table_rows import SPLITS
from training.evaluation.row import Sound
from training.evaluation.row_spec import (
    MixtureSpec,
    OracleChoice,
    PresetSpec,
    RowSpec,
    SimpleRow,
    SimpleSpec,
    parse_row,
)

SPELLINGS: dict[str, RowSpec] = {
    "right-left": SimpleSpec(row=SimpleRow.RIGHT_LEFT),
    "mixture:a.safetensors": MixtureSpec(file=Path("a.safetensors")),
    "mixture:a.safetensors,weights=b": MixtureSpec(file=Path("a.safetensors"), weights=Path("b")),
    "preset:mine.yaml": PresetSpec(preset="mine.yaml"),
    "preset:micro,weights=a,weak=b,use_hands=false,heard_points=2,localisation.threshold=0.8": PresetSpec(
        preset="micro",
        weights=Path("a"),
        weak=Path("b"),
        changes=(("use_hands", False), ("heard_points", 2), ("localisation.threshold", 0.8)),
    ),
    "preset:micro,token=random,strategy=right": PresetSpec(
        preset="micro", random_token=True, changes=(("strategy", "right"),)
    ),
    "preset:micro,strategy=oracle-of-all,words=held left,true_masks=true": PresetSpec(
        preset="micro", oracle=OracleChoice.ALL, words="held left", true_masks=True
    ),
    "preset:micro,told=points,sound=shuffled,shuffle=3": PresetSpec(
        preset="micro", told=Told.POINTS, sound=Sound.SHUFFLED, shuffle=3
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_row_is_read_as_it_is_spelled(name) -> None:
    assert parse_row(name) == SPELLINGS[name] and SPELLINGS[name].spelled() == name


def test_every_row_of_the_tables_can_be_asked_for_on_the_command_line() -> None:
    specs = [row.spec for rows in SPLITS.values() for row in rows if not isinstance(row.spec, MixtureSpec)]
    assert len(specs) > 30 and all(parse_row(spec.spelled()) == spec for spec in specs)


def test_the_order_of_the_fields_does_not_matter() -> None:
    assert parse_row("preset:micro,sound=noise,weights=a") == parse_row("preset:micro,weights=a,sound=noise")


def test_files_may_be_spelled_otherwise() -> None:
    """As the cache does, which puts the content in place of the path."""
    spec = PresetSpec(preset="micro", weights=Path("some/a.safetensors"), weak=Path("b"), words="struck")
    assert spec.spelled(lambda path: path.name.upper()) == "preset:micro,weights=A.SAFETENSORS,weak=B,words=struck"
    assert MixtureSpec(file=Path("a"), weights=Path("b")).spelled(lambda path: "*") == "mixture:*,weights=*"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mixture:", "method 'mixture:' must be mixture:FILE"),
        ("mixture:a,use_crop=true", r"must be mixture:FILE\[,weights=FILE\]"),
        ("preset:debug,shuffle=one", "shuffle must be of type int, got 'one'"),
        ("preset:debug,true_masks=perhaps", "true_masks must be of type bool, got 'perhaps'"),
        ("preset:debug,use_crop=[", r"use_crop must be a YAML value, got '\['"),
    ],
)
def test_what_is_no_row_is_refused_in_one_line(name, message) -> None:
    with pytest.raises(ValueError, match=message):
        parse_row(name)


def test_a_change_of_no_field_is_refused_where_the_row_is_made() -> None:
    with pytest.raises(ValueError, match="unknown field 'crop'; valid fields: use_hands, use_crop"):
        PresetSpec(preset="micro", changes=(("crop", False),))
