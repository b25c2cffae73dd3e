"""How much sound around an onset a preset needs: masks against the time that the node waits for sound.

    scripts/run python benchmarks/hearing_span.py sim_cs3:data/sim_cs3:test --out out/hearing_span

Every sample is seen once and heard with windows that end 25 ms to 1 s after the onset, and that begin 0.1 to 1 s before it.
Prints a table and draws the curve. Samples in which nothing in view collided are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import matplotlib.pyplot as plt
import numpy as np
import typer
from tqdm import tqdm

from benchmarks.scaffold import print_header, print_row, where
from cs3_model.build import build_pipeline, load_preset, select_device
from cs3_model.metrics import Estimate, MaskScore, bootstrap, score_alternatives
from cs3_model.pipeline import CollisionPipeline
from cs3_model.types import MODEL_SAMPLE_RATE_HZ, AudioWindow, Frame
from training.data import DataSpec, open_data_set
from training.data.clip_media import read_sound
from training.data.samples import Around, Sample

_AFTER_S = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
_BEFORE_S = (0.1, 0.3, 0.5, 1.0)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Sound around an onset, seconds."""

    before_s: float
    after_s: float


def score_spans(pipeline: CollisionPipeline, sample: Sample, spans: list[Span]) -> list[MaskScore] | None:
    """One score per span; None where nothing in view collided."""
    assert sample.load_objects is not None
    truth = [(item.mask, *item.alternatives) for item in sample.load_objects() if item.is_colliding and item.mask.any()]
    if not truth:
        return None
    around = sample.load_around() if pipeline.uses_motion and sample.load_around else Around()
    prepared = pipeline.prepare(Frame(image=sample.load_image()), around.before)
    onset_s, reach_s = sample.sound.start_s, max(_BEFORE_S)
    sound = read_sound(sample.sound.path, onset_s - reach_s, onset_s + max(_AFTER_S))
    scores = []
    for span in spans:
        start, stop = (round((reach_s + seconds) * MODEL_SAMPLE_RATE_HZ) for seconds in (-span.before_s, span.after_s))
        window = AudioWindow(samples=sound[start:stop], start_ns=round((onset_s - span.before_s) * 1e9))
        result = pipeline.finish(prepared, window, around.after)
        scores.append(score_alternatives([item.mask for item in result.masks], truth))
    return scores


def draw(path: Path, lines: dict[str, list[Estimate]], title: str) -> None:
    """The curve over the time after the onset, with its intervals."""
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    times_ms = 1e3 * np.array(_AFTER_S)
    for name, estimates in lines.items():
        low, high = ([100 * getattr(item, side) for item in estimates] for side in ("low", "high"))
        (line,) = axes.plot(times_ms, [100 * item.mean for item in estimates], "o-", label=name)
        axes.fill_between(times_ms, low, high, alpha=0.15, color=line.get_color())
    axes.set(xscale="log", xlabel="sound after the onset, ms", ylabel="%", ylim=(0, 100), title=title)
    axes.set_xticks(times_ms, [f"{time:.0f}" for time in times_ms])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(
    data: Annotated[str, typer.Argument(metavar="NAME:PATH[:SPLIT]", help="Data set and its folder.")],
    preset: Annotated[str, typer.Option(help="Preset, or a file of one.")] = "micro",
    limit: Annotated[int, typer.Option(min=0, help="Only so many samples, from the first; 0: all.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the curve.")] = Path("out/hearing_span"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Scores a preset with more and less sound."""
    spec = DataSpec.parse(data)
    chosen = load_preset(preset)
    pipeline = build_pipeline(chosen, device=select_device(device))
    spans = sorted({Span(1.0, after_s) for after_s in _AFTER_S} | {Span(before_s, 1.0) for before_s in _BEFORE_S})
    scored: list[tuple[str, list[MaskScore]]] = []
    for sample in tqdm(open_data_set(spec).samples[: limit or None], desc=spec.split):
        scores = score_spans(pipeline, sample, spans)
        if scores is not None:
            scored.append((sample.conditions.group or sample.sample_id, scores))
    if not scored:
        raise typer.BadParameter("no sample shows a collision")
    groups = [group for group, _ in scored]

    def estimate(span: Span, field: str) -> Estimate:
        values = [getattr(scores[spans.index(span)], field) for _, scores in scored]
        return bootstrap(values, np.random.default_rng(0), groups=groups)

    print(f"{spec.name} {spec.split}, {len(scored)} collisions in view, preset {preset}; {where('torch')}\n")
    print_header("before, s", "after, ms", "mIoU, %", "exact, %")
    for span in spans:
        cells = [estimate(span, field) for field in ("iou", "is_exact")]
        texts = [f"{100 * item.mean:.1f} ({100 * item.low:.1f}-{100 * item.high:.1f})" for item in cells]
        print_row(f"{span.before_s:g}", f"{1e3 * span.after_s:.0f}", *texts)
    out.mkdir(parents=True, exist_ok=True)
    lines = {
        name: [estimate(Span(1.0, after_s), field) for after_s in _AFTER_S]
        for name, field in (("mIoU", "iou"), ("exact", "is_exact"))
    }
    draw(out / f"{spec.name}_{spec.split}.png", lines, f"{preset} on {spec.name} {spec.split}")


if __name__ == "__main__":
    typer.run(main)
