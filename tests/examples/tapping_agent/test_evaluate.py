"""Figures from rows, and rows from files."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from examples.tapping_agent.evaluate import CONDITIONS, Row, evaluate, plot, read_rows, success, table_of


def rows(num_right: int, num_tables: int) -> list[Row]:
    return [
        Row(
            seed=seed, condition=condition, material=material, materials="wood metal", chosen=0,
            is_right=seed < num_right, num_heard=4,
        )
        for seed in range(num_tables)
        for condition in CONDITIONS
        for material in ("metal", "wood")
    ]  # fmt: skip


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


def test_rows_survive_the_file_and_finished_tables_are_not_run_again(tmp_path):
    path = tmp_path / "rows.csv"
    write(path, rows(1, 2))
    assert read_rows(path) == rows(1, 2)
    evaluate(range(2), path, None, None, None, num_taps=1)  # would need a renderer, a robot and a client
    assert read_rows(path) == rows(1, 2)


def test_table_and_plot_show_every_condition(tmp_path):
    found = rows(1, 4)
    assert table_of(found).count("25 % (5 to 70)") == 2 * len(CONDITIONS)
    plot(found, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000
