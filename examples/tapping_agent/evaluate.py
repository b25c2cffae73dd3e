"""Success over many tables: with sound, without, with the sound of another tap, and with the true labels.

One row of a CSV file per table, condition and kind sought; a run that was stopped goes on where it stopped.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import binomtest

from cs3_ros.client import CollisionClient
from examples.tapping_agent.episode import RepeatedTaps, run_episode, true_choices
from examples.tapping_agent.pictures import robot_camera
from examples.tapping_agent.robot import RobotTopics
from examples.tapping_agent.table import TappingTable
from examples.tapping_agent.world import TappingWorld
from training.simulation.rendering.renderers import Renderer

CONDITIONS = {"on": "with sound", "off": "without sound", "swapped": "sound of another tap", "labels": "true labels"}
"""What the microphone hears: the taps, the background alone, or other taps; and the truth in place of the node."""
_PATIENCE_S, _OFF_PATIENCE_S = 8.0, 0.2
"""An answer that comes later still counts for its tap; a microphone that is off is not worth a wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Whether the agent found one kind on one table."""

    seed: int
    condition: str
    sought: str
    kinds: str
    """Of the look-alikes, from left to right."""
    chosen: int
    is_right: bool
    num_heard: int
    """Taps of which the node published a collision with masks first."""


class Success(NamedTuple):
    """A share with its 95 % interval after Wilson."""

    num_right: int
    num_tables: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Tables on which it was found, of all."""
        return self.num_right / self.num_tables


def evaluate(
    lay: Callable[[int], TappingTable],
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
            _append(path, _rows_of(seed, lay(seed), renderer, topics, client, num_taps))


def _rows_of(
    seed: int, table: TappingTable, renderer: Renderer, topics: RobotTopics, client: CollisionClient, num_taps: int
) -> list[Row]:
    """The rows of one table. The same taps are heard three times, so that nothing but the sound differs."""
    with robot_camera(table, renderer, seed) as camera:
        run = partial(run_episode, seed, table, camera, topics, client, num_taps=num_taps, patience_s=_PATIENCE_S)
        heard = run(world=TappingWorld(table))
        taps = heard.stretches
        episodes = {
            "on": heard,
            "off": run(world=RepeatedTaps(taps), microphone="off", patience_s=_OFF_PATIENCE_S),
            "swapped": run(world=RepeatedTaps(taps, swapped=len(table.kinds))),
        }
    chosen = {condition: episode.chosen for condition, episode in episodes.items()}
    chosen["labels"] = true_choices(heard, num_taps)
    return [
        Row(
            seed=seed, condition=condition, sought=sought, kinds=" ".join(table.kinds), chosen=index,
            is_right=table.kinds[index] == sought,
            num_heard=sum(bool(found and found[0].objects) for found in episodes.get(condition, heard).heard),
        )
        for condition, choices in chosen.items()
        for sought, index in choices.items()
    ]  # fmt: skip


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
                sought=line["sought"],
                kinds=line["kinds"],
                chosen=int(line["chosen"]),
                is_right=line["is_right"] == "True",
                num_heard=int(line["num_heard"]),
            )
            for line in csv.DictReader(file)
        ]


def success(rows: Iterable[Row], condition: str, sought: str) -> Success:
    """How often a kind was found in a condition.

    Raises:
        ValueError: if there is no such row.
    """
    right = [row.is_right for row in rows if (row.condition, row.sought) == (condition, sought)]
    if not right:
        raise ValueError(f"no row of condition {condition!r} and kind {sought!r}: run the evaluation first")
    return _share(right)


def misled(rows: Iterable[Row], sought: str) -> Success:
    """How often the agent, where another tap was heard, chose the look-alike that then sounded like the kind."""
    swapped = [row for row in rows if (row.condition, row.sought) == ("swapped", sought)]
    kinds = [row.kinds.split() for row in swapped]
    return _share([names[(row.chosen + 1) % len(names)] == sought for row, names in zip(swapped, kinds, strict=True)])


def _share(right: Sequence[bool]) -> Success:
    interval = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    return Success(sum(right), len(right), float(interval.low), float(interval.high))


def table_of(rows: Sequence[Row]) -> str:
    """The figures as a Markdown table."""
    sought = _sought(rows)
    lines = ["| condition | " + " | ".join(f"finds the {kind} one" for kind in sought) + " |"]
    lines.append("|---|" + "---|" * len(sought))
    for condition, name in CONDITIONS.items():
        lines.append(_line(name, [success(rows, condition, kind) for kind in sought]))
        if condition == "swapped":
            lines.append(_line("- chose what then sounded so", [misled(rows, kind) for kind in sought]))
    return "\n".join(lines)


def _sought(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.sought for row in rows))


def _line(name: str, found: Sequence[Success]) -> str:
    cells = [f"{100 * f.share:.0f} % ({100 * f.low:.0f} to {100 * f.high:.0f})" for f in found]
    return f"| {name} | " + " | ".join(cells) + " |"


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draws the figures as bars with their intervals, and chance as a line."""
    sought, num_alike = _sought(rows), len(rows[0].kinds.split())
    figure = Figure(figsize=(7.2, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, kind in zip(figure.subplots(1, len(sought), sharey=True), sought, strict=True):
        found = [success(rows, condition, kind) for condition in CONDITIONS]
        shares = [item.share for item in found]
        reach = [
            [s - f.low for s, f in zip(shares, found, strict=True)],
            [f.high - s for s, f in zip(shares, found, strict=True)],
        ]
        axes.bar(list(CONDITIONS.values()), shares, color=["#2a7f62", "#b0b7bf", "#b0b7bf", "#d8dde2"])
        axes.errorbar(range(len(found)), shares, yerr=reach, fmt="none", ecolor="#222222", capsize=3)
        axes.axhline(1 / num_alike, color="#aa3333", linewidth=1, linestyle="--")
        axes.text(3.5, 1 / num_alike + 0.01, "chance", color="#aa3333", ha="right", fontsize=8)
        axes.set_title(f"finds the {kind} one of {num_alike} ({found[0].num_tables} tables)", fontsize=9)
        axes.set_ylim(0, 1.02)
        axes.tick_params(axis="x", labelrotation=20, labelsize=8)
    figure.savefig(path, dpi=110)
