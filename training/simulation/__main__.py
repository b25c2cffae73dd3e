"""Command line of the simulated world: ``python -m training.simulation make|clip|sheet|check``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from training.simulation.dataset.generate import Plan, generate
from training.simulation.dataset.scene_samples import Format
from training.simulation.rendering.renderers import RENDERERS
from training.simulation.scenario.difficulty import LEVELS
from training.simulation.scenario.splits import SPLITS, TINY, split_named


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = _parser().parse_args(argv)
    try:
        return options.run(options)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"training.simulation: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("training.simulation: stopped; the same command goes on from here", file=sys.stderr)
        return 130


def _make(options: argparse.Namespace) -> int:
    sizes = dict(TINY) if options.tiny else {name: split.num_samples for name, split in SPLITS.items()}
    if options.splits:
        sizes = {split_named(name) and name: sizes[name] for name in options.splits}
    for assignment in options.size:
        name, _, size = assignment.partition("=")
        split_named(name)
        if not size.isdigit():
            raise ValueError(f"--size must be SPLIT=NUMBER, got {assignment!r}")
        sizes[name] = int(size)
    plan = Plan(
        root=options.folder,
        sizes=sizes,
        form=_format(options),
        workers=options.workers,
        renderer=options.renderer,
        keep_clean=options.keep_clean,
    )
    made = generate(plan)
    print(
        f"{options.folder}: {made} new samples, {sum(sizes.values())} in all ({', '.join(f'{n} {s}' for n, s in sizes.items())})"
    )
    return 0


def _clip(options: argparse.Namespace) -> int:
    from training.simulation.dataset.clips import ClipPlan, make_clip

    plan = ClipPlan(duration_s=options.seconds, fps=options.fps, form=_format(options), renderer=options.renderer)
    clip = make_clip(options.seed, plan, options.folder)
    print(f"{options.folder}: {clip.num_frames} frames, {len(clip.collisions)} collisions")
    return 0


def _sheet(options: argparse.Namespace) -> int:
    from training.simulation.dataset.contact_sheet import write_sheet

    write_sheet(options.folder, options.split, options.picture, options.count, pairs=options.pairs)
    print(options.picture)
    return 0


def _check(options: argparse.Namespace) -> int:
    from training.simulation.validation.check import check

    report = check(options.folder, options.splits, options.samples, options.workers)
    print(report.table())
    for violation in report.violations:
        print(f"- {violation}")
    return 1 if report.violations else 0


def _format(options: argparse.Namespace) -> Format:
    return Format(
        size_hw=(options.height, options.width),
        rate_hz=options.rate,
        level=options.level,
        only_at_onset=getattr(options, "only_at_onset", False),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.simulation", description="The simulated collision world.")
    commands = parser.add_subparsers(required=True)

    form = argparse.ArgumentParser(add_help=False)
    form.add_argument("--width", type=int, default=352, help="width of the pictures (default 352)")
    form.add_argument("--height", type=int, default=352, help="height of the pictures (default 352)")
    form.add_argument("--rate", type=int, default=16_000, help="sample rate, 16000 (default) or 48000")
    form.add_argument("--level", choices=LEVELS, help="one difficulty for all (default: a mixture)")
    form.add_argument("--renderer", choices=RENDERERS, default="filament", help="default filament")

    make = commands.add_parser("make", parents=[form], help="generate Sim-CS3, or go on with it")
    make.add_argument("folder", type=Path, help="folder of the data set")
    make.add_argument("--tiny", action="store_true", help=f"a small version of {sum(TINY.values())} samples")
    make.add_argument("--splits", nargs="+", metavar="SPLIT", help=f"only these of {', '.join(SPLITS)}")
    make.add_argument("--size", action="append", default=[], metavar="SPLIT=NUMBER", help="another size of a split")
    make.add_argument("--workers", type=int, default=0, help="number of processes (default: all cores)")
    make.add_argument("--only-at-onset", action="store_true", help="only the picture that the masks belong to")
    make.add_argument("--keep-clean", action="store_true", help="keep the sound without background as well")
    make.set_defaults(run=_make)

    clip = commands.add_parser("clip", parents=[form], help="generate one video clip with several collisions")
    clip.add_argument("folder", type=Path, help="folder of the clip")
    clip.add_argument("--seed", type=int, default=0)
    clip.add_argument("--seconds", type=float, default=10.0, help="10 to 60 for a clip to evaluate (default 10)")
    clip.add_argument("--fps", type=float, default=15.0, help="15 to 30 (default 15)")
    clip.set_defaults(run=_clip)

    sheet = commands.add_parser("sheet", help="draw a sheet of samples with their truth")
    sheet.add_argument("folder", type=Path, help="folder of the data set")
    sheet.add_argument("picture", type=Path, help="PNG to write")
    sheet.add_argument("--split", choices=SPLITS, default="train")
    sheet.add_argument("--count", type=int, default=24)
    sheet.add_argument("--pairs", action="store_true", help="both samples of each scene side by side")
    sheet.set_defaults(run=_sheet)

    check = commands.add_parser("check", help="check labels on disk against pictures, physics and sound")
    check.add_argument("folder", type=Path, help="folder of the data set")
    check.add_argument("--splits", nargs="+", metavar="SPLIT", help=f"only these of {', '.join(SPLITS)}")
    check.add_argument("--samples", type=int, default=500, help="how many, spread over the splits (default 500)")
    check.add_argument("--workers", type=int, default=0, help="number of processes (default: all cores)")
    check.set_defaults(run=_check)
    return parser


if __name__ == "__main__":
    sys.exit(main())
