"""Figures from rows, and rows from files."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields, replace

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from examples.tapping_agent.evaluate import CONDITIONS, Row, evaluate, misled, plot, read_rows, success, table_of


def row(**changes: object) -> Row:
    first = Row(
        seed=0, condition="on", sought="metal", kinds="wood metal ceramic plastic", chosen=0, is_right=False,
        num_heard=4,
    )  # fmt: skip
    return replace(first, **changes)


def rows(num_right: int, num_tables: int) -> list[Row]:
    return [
        row(seed=seed, condition=condition, sought=material, is_right=seed < num_right)
        for seed in range(num_tables)
        for condition in CONDITIONS
        for material in ("metal", "wood")
    ]


def write(path, found: list[Row]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in found)


def test_the_interval_is_wilsons():
    found = success(rows(8, 10), "on", "metal")
    assert (found.num_right, found.num_tables, found.share) == (8, 10, 0.8)
    # (8 + 1.96^2 / 2 -+ 1.96 sqrt(8 * 2 / 10 + 1.96^2 / 4)) / (10 + 1.96^2)
    assert (found.low, found.high) == pytest.approx((0.490, 0.943), abs=5e-4)


def test_a_condition_that_was_not_run_is_an_error():
    with pytest.raises(ValueError, match="run the evaluation first"):
        success([], "on", "metal")


def test_who_follows_the_sound_of_another_tap_is_misled():
    """The swapped microphone hears of each look-alike the one to its right; to the right of the last is the first."""
    # of wood, metal, ceramic and plastic, 0 sounds like 1, the metal one; 1 like ceramic; 3 like wood
    assert misled([row(condition="swapped", chosen=chosen) for chosen in (0, 1, 3)], "metal").share == 1 / 3
    assert misled([row(condition="swapped", sought="wood", chosen=3)], "wood").share == 1.0


def test_rows_survive_the_file_and_finished_tables_are_not_run_again(tmp_path):
    path = tmp_path / "rows.csv"
    write(path, rows(1, 2))
    assert read_rows(path) == rows(1, 2)
    evaluate(None, range(2), path, None, None, None, num_taps=1)  # would need a renderer, a robot and a client
    assert read_rows(path) == rows(1, 2)


def test_table_and_plot_show_every_condition(tmp_path):
    found = rows(1, 4)
    assert table_of(found).count("25 % (5 to 70)") == 2 * len(CONDITIONS)
    assert table_of(found).count("\n") == 2 + len(CONDITIONS)
    plot(found, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000
