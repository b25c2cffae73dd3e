"""All tables of the paper on Sim-CS3, for the preset `micro`, as one page with plots.

python -m training.tables --data sim_cs3:data/sim_cs3 --out docs/results.md --weights micro-seed0.safetensors \
    --no-audio no-audio-seed0.safetensors --weak weak-seed0.safetensors --mixture mixture-seed0.safetensors

Rows that were computed before are taken from --cache; a command that was interrupted goes on with the next split.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import torch
import typer

from cs3_model.build import select_device
from cs3_model.command_errors import one_line_errors
from cs3_model.provenance import machine, package_versions, source_commit
from training.data import DataSpec, open_data_set, sim_cs3
from training.data.samples import DataSet
from training.data.sound_windows import WindowRule
from training.evaluation.methods import build_row
from training.evaluation.results.page import Found, results_page, runs_of
from training.evaluation.results.plots import write_plots
from training.evaluation.results.row_cache import RowCache
from training.evaluation.results.summary import summarise_rows
from training.evaluation.results.table_rows import (
    CLIPSOUND,
    NO_AUDIO,
    OURS,
    OURS_AV,
    RIGHT_LEFT,
    SPLITS,
    WEAK,
    TableRow,
    WeightFiles,
)
from training.evaluation.row import LoadedSample, Row
from training.evaluation.row_spec import RowSpec
from training.evaluation.runner import Evaluation, SampleResult, evaluate

_PLOTTED = (CLIPSOUND, OURS_AV, RIGHT_LEFT, NO_AUDIO, OURS)
_SHOWN = (CLIPSOUND, WEAK, NO_AUDIO, OURS)
_NUM_EXAMPLES = 6


def main(
    data: Annotated[str, typer.Option(metavar="sim_cs3:PATH", help="Sim-CS3 with its splits for evaluation.")],
    weights: Annotated[list[Path], typer.Option(help="Weights of micro; once per seed.")],
    out: Annotated[Path, typer.Option(help="The page; plots go to images/results beside it.")] = Path(
        "docs/results.md"
    ),
    no_audio: Annotated[
        list[Path], typer.Option("--no-audio", help="Of training.micro.audio_visual.train_heard --no-audio.")
    ] = [],
    weak: Annotated[list[Path], typer.Option(help="Of training.train for micro-weak; in the order of --weights.")] = [],
    mixture: Annotated[
        list[Path], typer.Option(help="Of training.micro.audio_visual.train_mix_localize; in the same order.")
    ] = [],
    cache: Annotated[Path, typer.Option(help="Folder for the scores of rows.")] = Path("out/tables"),
    limit: Annotated[int, typer.Option(min=0, help="Samples to draw from each split; 0: all.")] = 0,
    shuffles: Annotated[int, typer.Option(min=1, help="Shuffles of the sounds.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Fixes random rows, shuffles and intervals.")] = 0,
) -> None:
    """Make the page of results. Exit code 2: bad input."""
    files = {
        WeightFiles.OURS: weights,
        WeightFiles.NO_AUDIO: no_audio,
        WeightFiles.WEAK: weak,
        WeightFiles.MIXTURE: mixture,
    }
    with one_line_errors(status=2):
        torch_device = select_device(device)
        found: dict[str, Found] = {}
        commits: set[str] = set()
        for split, rows in SPLITS.items():
            data_set = _open(data, split)
            store = RowCache(cache, data_set, limit=limit, seed=seed)
            specs = {row: row.specs(files, shuffles) for row in rows}
            every = list(dict.fromkeys(spec for chosen in specs.values() for spec in chosen))
            _show(store.fill(every, torch_device), limit or len(data_set.samples), split)
            records = {row: [_filled(store, spec) for spec in chosen] for row, chosen in specs.items() if chosen}
            found[split] = {row: runs_of(row, runs, seed) for row, runs in records.items()}
            commits |= store.commits(every)
            if split == "test":
                pictures = _draw(out, records, _examples(specs, data_set, torch_device, seed), seed)
        page = results_page(found, _provenance(commits), [str(path.relative_to(out.parent)) for path in pictures])
        out.write_text(page, encoding="utf-8")
    typer.echo(f"wrote {out} and {len(pictures)} pictures", err=True)


def _open(data: str, split: str) -> DataSet:
    if not data.startswith(f"{sim_cs3.NAME}:"):
        raise ValueError(f"--data must be sim_cs3:PATH, the only data set with all of these splits, got '{data}'")
    return open_data_set(DataSpec.parse(f"{data}:{split}"))


def _show(steps: Iterator[int], count: int, split: str) -> None:
    with typer.progressbar(length=count, label=split, file=sys.stderr) as bar:
        for _ in steps:
            bar.update(1)


def _filled(store: RowCache, spec: RowSpec) -> list[SampleResult]:
    records = store.read(spec)
    assert records is not None
    return records


def _examples(
    specs: Mapping[TableRow, Sequence[RowSpec]], data_set: DataSet, device: torch.device, seed: int
) -> Evaluation:
    """Some scenes with the answers of some rows."""
    shown = [(row.label, specs[row][0]) for row in _SHOWN if specs[row]]
    *_, evaluation = evaluate(
        [build_row(spec, device=device, seed=seed, name=label) for label, spec in shown],
        data_set,
        rule=WindowRule(),
        seed=seed,
        limit=_NUM_EXAMPLES,
        num_examples=_NUM_EXAMPLES,
    )
    return evaluation


def _draw(
    out: Path, records: Mapping[TableRow, Sequence[Sequence[SampleResult]]], examples: Evaluation, seed: int
) -> list[Path]:
    """Plots of some rows over all seeds, and the sheet of examples."""
    folder = out.parent / "images" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    pooled = {row.label: [r for run in records[row] for r in run] for row in _PLOTTED if row in records}
    evaluation = Evaluation(rows=tuple(map(_labelled, pooled)), records=pooled)
    plots = write_plots(folder, summarise_rows(evaluation, seed), evaluation)
    return plots + write_plots(folder, [], examples)


def _labelled(label: str) -> Row:
    def answered_before(scene: LoadedSample) -> NoReturn:
        raise AssertionError("a row of stored records sees no scene")

    return Row(name=label, label=label, predict=answered_before)


def _provenance(commits: set[str]) -> str:
    """Who made the figures: source, machine, versions, command."""
    command = shlex.join(["python", "-m", "training.tables", *sys.argv[1:]])
    made_with = ", ".join(sorted(commits))
    versions = ", ".join(f"{name} {version}" for name, version in package_versions("torch").items())
    return (
        f"Rows made with commit {made_with}; page made with commit {source_commit()}, on {machine()}; {versions}:\n\n"
        f"```\n{command}\n```"
    )


if __name__ == "__main__":
    typer.run(main)
