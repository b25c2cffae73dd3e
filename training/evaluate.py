"""Evaluates rows on a data set: a Markdown table, JSON with every sample's score, and plots.

python -m training.evaluate --data epic_cs3:/data/epic --method centre --method preset:foundation
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cs3_model.build import select_device
from cs3_model.command_errors import one_line_errors
from cs3_model.files import write_whole_text
from cs3_model.placement import Precision
from training.data import READERS, DataSpec, open_data_set
from training.data.samples import DataSet
from training.data.sound_windows import Padding, WindowPlace, WindowRule
from training.evaluation.baselines.prior_map import PriorMap, fit_prior_map
from training.evaluation.incomplete import refuse
from training.evaluation.methods import build_row
from training.evaluation.results.plots import write_plots
from training.evaluation.results.score_report import as_json, markdown
from training.evaluation.results.summary import summarise_rows
from training.evaluation.row_spec import ROW_NAMES, SimpleRow, SimpleSpec, parse_row
from training.evaluation.runner import Evaluation, evaluate
from training.run_info import run_info

_ALLOW = "--allow-skipped reports anyway"


def main(
    data: Annotated[
        str, typer.Option(metavar="NAME:PATH[:SPLIT]", help=f"Data set and its folder; {', '.join(READERS)}.")
    ],
    method: Annotated[list[str], typer.Option(help=f"Row of the table, may be repeated: {'; '.join(ROW_NAMES)}.")],
    split: Annotated[str, typer.Option(help="Split, if --data names none; by default the one for evaluation.")] = "",
    out: Annotated[Path, typer.Option(help="Folder for results.md, results.json and the plots.")] = Path(
        "out/evaluation"
    ),
    prior_data: Annotated[
        str, typer.Option(metavar="NAME:PATH[:SPLIT]", help="Training samples for prior-map; split train by default.")
    ] = "",
    window: Annotated[WindowPlace, typer.Option(help="Where the 2 s of a longer segment lie.")] = WindowPlace.PICTURE,
    precision: Annotated[Precision, typer.Option(help="Of the networks; tables are made in float32.")] = (
        Precision.FLOAT32
    ),
    padding: Annotated[Padding, typer.Option(help="What fills the 2 s around a shorter segment.")] = Padding.CONTEXT,
    limit: Annotated[int, typer.Option(min=0, help="Number of samples to draw; 0: all.")] = 0,
    num_examples: Annotated[int, typer.Option(min=0, help="Scenes on the sheet of examples.")] = 6,
    allow_skipped: Annotated[bool, typer.Option(help="Report even if samples could not be read.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Fixes random rows, shuffled sounds, examples and intervals.")] = 0,
) -> None:
    """Evaluate rows on a data set. Exit code 1: samples could not be read; 2: bad input."""
    config = {name: str(value) if isinstance(value, Path) else value for name, value in locals().items()}
    with one_line_errors(status=2):
        data_set = open_data_set(DataSpec.parse(data, default_split=split))
        refuse(data_set.missing, "missing", allow_skipped, data_set.places, _ALLOW)
        specs = [parse_row(name) for name in method]
        prior_map = _fit_prior_map(prior_data) if SimpleSpec(row=SimpleRow.PRIOR_MAP) in specs else None
        torch_device = select_device(device)
        rows = [
            build_row(spec, device=torch_device, seed=seed, prior_map=prior_map, precision=precision, name=name)
            for spec, name in zip(specs, method, strict=True)
        ]
        steps = evaluate(
            rows,
            data_set,
            rule=WindowRule(padding=padding, place=window),
            seed=seed,
            limit=limit,
            num_examples=num_examples,
        )
        evaluation = _run(steps, limit or len(data_set.samples))
    refuse([skipped.reason for skipped in evaluation.skipped], "samples not read", allow_skipped, way_out=_ALLOW)
    with one_line_errors(status=2):
        _write(out, evaluation, data_set, config, seed)


def _fit_prior_map(prior_data: str) -> PriorMap | None:
    """None if no training samples are named: the method then says what it needs."""
    if not prior_data:
        return None
    return fit_prior_map(open_data_set(DataSpec.parse(prior_data, default_split="train")).samples)


def _run(steps: Iterator[Evaluation], count: int) -> Evaluation:
    evaluation = None
    with typer.progressbar(length=count, label="samples", file=sys.stderr) as bar:
        for evaluation in steps:  # noqa: B007, the last is the result
            bar.update(1)
    assert evaluation is not None
    if not any(evaluation.records.values()):
        raise ValueError(f"no sample could be read; the first: {evaluation.skipped[0].reason}")
    return evaluation


def _write(out: Path, evaluation: Evaluation, data_set: DataSet, config: dict[str, Any], seed: int) -> None:
    info = run_info(config, data_set.name, data_set.split, seed)
    summaries = summarise_rows(evaluation, seed)
    out.mkdir(parents=True, exist_ok=True)
    report = markdown(summaries, evaluation, info)
    write_whole_text(out / "results.md", report)
    write_whole_text(out / "results.json", as_json(summaries, evaluation, info))
    plots = write_plots(out, summaries, evaluation)
    typer.echo(report)
    typer.echo(f"wrote {', '.join(str(path) for path in (out / 'results.md', out / 'results.json', *plots))}", err=True)


if __name__ == "__main__":
    typer.run(main)
