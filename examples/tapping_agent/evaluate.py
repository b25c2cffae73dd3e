"""Success over many tables: with sound, without, with the sound of another tap, and with the true labels.

One row of a CSV file per table, condition and material sought; a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import binomtest

from cs3_ros.client import CollisionClient
from examples.tapping_agent.episode import RepeatedTaps, run_episode, true_choices
from examples.tapping_agent.pictures import robot_camera
from examples.tapping_agent.robot import RobotTopics
from examples.tapping_agent.table import MATERIALS, SAMPLES, lay_table
from training.simulation.rendering.renderers import Renderer

CONDITIONS = {"on": "with sound", "off": "without sound", "swapped": "sound of another tap", "labels": "true labels"}
"""Conditions of the table: the microphones of the world, and the truth in place of the node."""
_PATIENCE_S = {"on": 30.0, "swapped": 30.0, "off": 0.2}
"""A microphone that is off is not worth a wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Whether the agent found one material on one table."""

    seed: int
    condition: str
    material: str
    materials: str
    """Of the look-alikes, from left to right."""
    chosen: int
    is_right: bool
    num_heard: int
    """Taps of which the node published a collision with masks."""


class Success(NamedTuple):
    """A share with its 95 % interval after Wilson."""

    num_right: int
    num_tables: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Tables on which the material was found, of all."""
        return self.num_right / self.num_tables


def evaluate(
    seeds: Iterable[int],
    path: Path,
    renderer: Renderer,
    topics: RobotTopics,
    client: CollisionClient,
    *,
    num_taps: int,
) -> None:
    """Runs the tables that the file lacks, and adds their rows."""
    done = {row.seed for row in read_rows(path)} if path.exists() else set()
    for seed in seeds:
        if seed not in done:
            _append(path, _rows_of(seed, renderer, topics, client, num_taps))


def _rows_of(seed: int, renderer: Renderer, topics: RobotTopics, client: CollisionClient, num_taps: int) -> list[Row]:
    """The rows of one table. The same taps are heard three times, so that nothing but the sound differs."""
    table = lay_table(seed)
    rows, world = [], None
    with robot_camera(table, renderer, seed) as camera:
        for microphone, patience_s in _PATIENCE_S.items():
            episode = run_episode(
                seed, table, camera, topics, client,
                microphone=microphone, num_taps=num_taps, patience_s=patience_s, world=world,
            )  # fmt: skip
            world = RepeatedTaps(episode.stretches)
            num_heard = sum(collision is not None and bool(collision.objects) for collision in episode.heard)
            chosen = {microphone: episode.chosen}
            if microphone == "on":
                chosen["labels"] = true_choices(episode, num_taps)
            rows += [
                Row(
                    seed=seed, condition=condition, material=material, materials=" ".join(table.materials),
                    chosen=index, is_right=table.materials[index] == material, num_heard=num_heard,
                )
                for condition, choices in chosen.items()
                for material, index in choices.items()
            ]  # fmt: skip
    return rows


def _append(path: Path, rows: Sequence[Row]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        if is_new:
            writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Reads what `evaluate` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(
                seed=int(line["seed"]),
                condition=line["condition"],
                material=line["material"],
                materials=line["materials"],
                chosen=int(line["chosen"]),
                is_right=line["is_right"] == "True",
                num_heard=int(line["num_heard"]),
            )
            for line in csv.DictReader(file)
        ]


def success(rows: Iterable[Row], condition: str, material: str) -> Success:
    """How often a material was found in a condition.

    Raises:
        ValueError: if there is no such row.
    """
    right = [row.is_right for row in rows if (row.condition, row.material) == (condition, material)]
    if not right:
        raise ValueError(f"no row of condition {condition!r} and material {material!r}: run the evaluation first")
    return _share(right)


def misled(rows: Iterable[Row], material: str) -> Success:
    """How often the agent, where another tap was heard, chose the look-alike that then sounded like the material."""
    return _share(
        [
            row.materials.split()[(row.chosen + 1) % len(MATERIALS)] == material
            for row in rows
            if (row.condition, row.material) == ("swapped", material)
        ]
    )


def _share(right: Sequence[bool]) -> Success:
    interval = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    return Success(sum(right), len(right), float(interval.low), float(interval.high))


def table_of(rows: Sequence[Row]) -> str:
    """The figures as a Markdown table."""
    lines = ["| condition | " + " | ".join(f"finds the {material} one" for material in SAMPLES) + " |"]
    lines.append("|---|" + "---|" * len(SAMPLES))
    for condition, name in CONDITIONS.items():
        lines.append(_line(name, [success(rows, condition, material) for material in SAMPLES]))
        if condition == "swapped":
            lines.append(_line("- chose what then sounded so", [misled(rows, material) for material in SAMPLES]))
    return "\n".join(lines)


def _line(name: str, found: Sequence[Success]) -> str:
    cells = [f"{100 * f.share:.0f} % ({100 * f.low:.0f} to {100 * f.high:.0f})" for f in found]
    return f"| {name} | " + " | ".join(cells) + " |"


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draws the figures as bars with their intervals, and chance as a line."""
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, material in zip(figure.subplots(1, len(SAMPLES), sharey=True), SAMPLES, strict=True):
        found = [success(rows, condition, material) for condition in CONDITIONS]
        shares = [item.share for item in found]
        reach = [
            [s - f.low for s, f in zip(shares, found, strict=True)],
            [f.high - s for s, f in zip(shares, found, strict=True)],
        ]
        axes.bar(list(CONDITIONS.values()), shares, color=["#2a7f62", "#b0b7bf", "#b0b7bf", "#d8dde2"])
        axes.errorbar(range(len(found)), shares, yerr=reach, fmt="none", ecolor="#222222", capsize=3)
        axes.axhline(1 / len(MATERIALS), color="#aa3333", linewidth=1, linestyle="--")
        axes.text(3.5, 1 / len(MATERIALS) + 0.01, "chance", color="#aa3333", ha="right", fontsize=8)
        axes.set_title(f"finds the {material} one of {len(MATERIALS)} ({found[0].num_tables} tables)", fontsize=9)
        axes.set_ylim(0, 1.02)
        axes.tick_params(axis="x", labelrotation=20, labelsize=8)
    figure.savefig(path, dpi=110)
