"""All tables of the paper as one page with plots: in simulation for the preset `micro`, on real data for any preset.

python -m training.tables --data sim_cs3:data/sim_cs3 --out docs/results.md --weights micro-seed0.safetensors \
    --no-audio no-audio-seed0.safetensors --weak weak-seed0.safetensors --mixture mixture-seed0.safetensors
python -m training.tables --data epic_cs3:/data/epic --preset paper.yaml --clipsound acl.yaml --out out/epic/tables.md

Rows that were computed before are taken from --cache; a command that was interrupted goes on with the next split.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import torch
import typer

from cs3_model.build import select_device
from cs3_model.command_errors import one_line_errors
from cs3_model.files import write_whole_text
from cs3_model.provenance import machine, package_versions, source_commit
from training.data import REAL_SETS, DataSpec, open_data_set, sim_cs3
from training.data.samples import DataSet
from training.data.sound_windows import WindowPlace, WindowRule
from training.evaluation.incomplete import refuse
from training.evaluation.methods import UnavailableRowError, build_row
from training.evaluation.results.page import results_page
from training.evaluation.results.plots import write_plots
from training.evaluation.results.real_page import real_page
from training.evaluation.results.real_rows import real_rows
from training.evaluation.results.row_cache import RowCache
from training.evaluation.results.row_runs import Found, runs_of
from training.evaluation.results.summary import summarise_rows
from training.evaluation.results.table_rows import (
    CLIPSOUND,
    NO_AUDIO,
    OURS,
    OURS_AV,
    RIGHT_LEFT,
    SPLITS,
    WEAK,
    WeightFiles,
)
from training.evaluation.row import LoadedSample, Row
from training.evaluation.row_spec import RowSpec
from training.evaluation.runner import Evaluation, SampleResult, evaluate

_PLOTTED = (CLIPSOUND, OURS_AV, RIGHT_LEFT, NO_AUDIO, OURS)
_SHOWN = (CLIPSOUND, WEAK, NO_AUDIO, OURS)
_NUM_EXAMPLES = 6
_MICRO_WEIGHTS = "Weights of micro, in simulation; once per seed."


def main(
    data: Annotated[
        str, typer.Option(metavar="NAME:PATH", help=f"{sim_cs3.NAME} with its splits, or {', '.join(REAL_SETS)}.")
    ],
    preset: Annotated[str, typer.Option(help="On real data: whose rows; a name or a .yaml file.")] = "foundation",
    clipsound: Annotated[
        str, typer.Option(metavar="PRESET", help="On real data: a preset with ACL-SSL's weights, for its row.")
    ] = "",
    weights: Annotated[list[Path], typer.Option(help=_MICRO_WEIGHTS)] = [],
    out: Annotated[Path | None, typer.Option(help="The page; plots go to images/results beside it.")] = None,
    no_audio: Annotated[
        list[Path], typer.Option("--no-audio", help="Of training.micro.audio_visual.train_heard --no-audio.")
    ] = [],
    weak: Annotated[list[Path], typer.Option(help="Of training.train for micro-weak; in the order of --weights.")] = [],
    mixture: Annotated[
        list[Path], typer.Option(help="Of training.micro.audio_visual.train_mix_localize; in the same order.")
    ] = [],
    cache: Annotated[Path, typer.Option(help="Folder for the scores of rows.")] = Path("out/tables"),
    limit: Annotated[int, typer.Option(min=0, help="Samples to draw from each split; 0: all.")] = 0,
    shuffles: Annotated[int, typer.Option(min=1, help="Shuffles of the sounds, in simulation.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Fixes random rows, shuffles and intervals.")] = 0,
) -> None:
    """Make the page of results. Exit code 1: files of real samples are missing; 2: bad input."""
    files = {
        WeightFiles.OURS: weights,
        WeightFiles.NO_AUDIO: no_audio,
        WeightFiles.WEAK: weak,
        WeightFiles.MIXTURE: mixture,
    }
    with one_line_errors(status=2):
        name, _, _ = data.partition(":")
        run = _PageRun(cache=cache, limit=limit, seed=seed, device=select_device(device))
        if name in REAL_SETS:
            if any(files.values()):
                raise ValueError(
                    f"--weights and the like are of {sim_cs3.NAME}: on {name} the preset names its weights"
                )
            page = out or Path(f"out/{name}/tables.md")
            pictures = _on_real_data(run, DataSpec.parse(data), preset, clipsound, page)
        elif name == sim_cs3.NAME:
            if not weights:
                raise ValueError("--weights must name weights of micro, once per seed")
            page = out or Path("docs/results.md")
            pictures = _in_simulation(run, data, files, shuffles, page)
        else:
            raise ValueError(f"--data must be {sim_cs3.NAME}:PATH, {' or '.join(REAL_SETS)}:PATH, got '{data}'")
    typer.echo(f"wrote {page} and {len(pictures)} pictures", err=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class _PageRun:
    """What all rows of a page share."""

    cache: Path
    limit: int
    seed: int
    device: torch.device

    def records(
        self, data_set: DataSet, specs: Sequence[RowSpec], place: WindowPlace = WindowPlace.PICTURE
    ) -> tuple[dict[RowSpec, list[SampleResult]], set[str]]:
        """The scores of rows on a split, computed where they are not stored, and the commits that they come from."""
        rule, specs = WindowRule(place=place), list(dict.fromkeys(specs))
        store = RowCache(self.cache, data_set, limit=self.limit, seed=self.seed, rule=rule)
        _show(store.fill(specs, self.device), self.limit or len(data_set.samples), data_set.split)
        return {spec: _filled(store, spec) for spec in specs}, store.commits(specs)


def _in_simulation(
    run: _PageRun, data: str, files: Mapping[WeightFiles, Sequence[Path]], shuffles: int, out: Path
) -> list[Path]:
    """Writes the page for `micro` on Sim-CS3, and returns its pictures."""
    found: dict[str, Found] = {}
    commits: set[str] = set()
    for split, rows in SPLITS.items():
        data_set = open_data_set(DataSpec.parse(f"{data}:{split}"))
        specs = {row: row.specs(files, shuffles) for row in rows}
        scores, made_with = run.records(data_set, [spec for chosen in specs.values() for spec in chosen])
        records = {row: [scores[spec] for spec in chosen] for row, chosen in specs.items() if chosen}
        found[split] = {row: runs_of(row, runs, run.seed) for row, runs in records.items()}
        commits |= made_with
        if split == "test":
            shown = [(row.label, specs[row][0]) for row in _SHOWN if specs[row]]
            pooled = {row.label: [r for one in records[row] for r in one] for row in _PLOTTED if row in records}
            pictures = _draw(out, pooled, _examples(run, shown, data_set), run.seed)
    page = results_page(found, _provenance(commits), _beside(out, pictures))
    write_whole_text(out, page)
    return pictures


def _on_real_data(run: _PageRun, spec: DataSpec, preset: str, clipsound: str, out: Path) -> list[Path]:
    """Writes the page for a preset on EPIC-CS3 or Ego4D-CS3, and returns its pictures."""
    data_set = open_data_set(spec)
    refuse(data_set.missing, "missing", False, data_set.places)

    def why_absent(row: RowSpec) -> str:
        try:
            build_row(row, device=run.device, seed=run.seed)
        except UnavailableRowError as error:
            return str(error)
        return ""

    rows = real_rows(preset, clipsound, why_absent)
    scores, commits = run.records(data_set, [row.spec for row in rows.measured()])
    found = {row: runs_of(row, [scores[row.spec]], run.seed) for row in rows.measured()}
    by_place = {WindowPlace.PICTURE: found[rows.ours]}
    for place in (WindowPlace.SEGMENT, WindowPlace.PEAK):
        elsewhere, made_with = run.records(data_set, [rows.ours.spec], place)
        by_place[place] = runs_of(rows.ours, [elsewhere[rows.ours.spec]], run.seed)
        commits |= made_with
    by_kind = [(row.label, row.spec) for row in rows.by_kind]
    pictures = _draw(out, {label: scores[row] for label, row in by_kind}, _examples(run, by_kind, data_set), run.seed)
    page = real_page(
        data_set=spec.name,
        rows=rows,
        found=found,
        by_place=by_place,
        ours=build_row(rows.ours.spec, device=run.device, seed=run.seed),
        provenance=_provenance(commits),
        pictures=_beside(out, pictures),
    )
    write_whole_text(out, page)
    return pictures


def _show(steps: Iterator[int], count: int, split: str) -> None:
    with typer.progressbar(length=count, label=split, file=sys.stderr) as bar:
        for _ in steps:
            bar.update(1)


def _filled(store: RowCache, spec: RowSpec) -> list[SampleResult]:
    records = store.read(spec)
    assert records is not None
    return records


def _examples(run: _PageRun, shown: Sequence[tuple[str, RowSpec]], data_set: DataSet) -> Evaluation:
    """Some scenes with the answers of rows, each with its label."""
    *_, evaluation = evaluate(
        [build_row(spec, device=run.device, seed=run.seed, name=label) for label, spec in shown],
        data_set,
        rule=WindowRule(),
        seed=run.seed,
        limit=_NUM_EXAMPLES,
        num_examples=_NUM_EXAMPLES,
    )
    return evaluation


def _draw(out: Path, records: Mapping[str, Sequence[SampleResult]], examples: Evaluation, seed: int) -> list[Path]:
    """Plots of some rows by label, over all seeds, and the sheet of examples."""
    folder = out.parent / "images" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    evaluation = Evaluation(
        rows=tuple(map(_labelled, records)), records={label: list(row) for label, row in records.items()}
    )
    plots = write_plots(folder, summarise_rows(evaluation, seed), evaluation)
    return plots + write_plots(folder, [], examples)


def _beside(out: Path, pictures: Sequence[Path]) -> list[str]:
    """The pictures as the page names them."""
    return [str(path.relative_to(out.parent)) for path in pictures]


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
