"""``cs3 weights``: what presets need to download, getting it, and checking it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from huggingface_hub.utils import logging as hub_logging

from cs3_model.command_errors import one_line_errors
from cs3_model.hints import cs3_command
from cs3_model.weights import WEIGHTS, WeightFile, fetch, find_weights, stored_path, verify
from cs3_model.weights.registry import FOUNDATION
from cs3_model.weights.store import remove

app = typer.Typer(help="Weight files: list, fetch, verify, check.", no_args_is_help=True, add_completion=False)

_Names = Annotated[list[str] | None, typer.Argument(help="Weights by name.", metavar="[NAME]...", show_default=False)]


@app.command("list")
def list_weights() -> None:
    """List all weights: name, size, licence, where they are or where they come from."""
    rows = [("name", "MB", "licence", "hash", "stored at, or source")]
    for weights in WEIGHTS.values():
        where = stored_path(weights) or weights.source
        hash_kind = "published" if weights.sha256 else "of first download"
        rows.append((weights.name, str(weights.megabytes), weights.licence, hash_kind, str(where)))
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    for row in rows:
        typer.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)), row[-1]]))


@app.command("fetch")
def fetch_weights(
    names: _Names = None,
    again: Annotated[bool, typer.Option("--again", help="Replace what is stored, and forget its hash.")] = False,
    mirror: Annotated[
        str, typer.Option(metavar="URL", help="A folder of your own server that holds the files by their names.")
    ] = "",
) -> None:
    """Download weights; without a NAME, what the preset `foundation` needs. Interrupted downloads go on."""
    hub_logging.set_verbosity_error()  # its warnings would repeat what is said below

    def get(weights: WeightFile) -> str:
        if again:
            remove(weights)
        return str(fetch(weights, mirror=mirror))

    _for_each(names or FOUNDATION, get)


@app.command("verify")
def verify_weights(names: _Names = None) -> None:
    """Check stored weights against their hashes; without a NAME, all that are stored."""
    stored = [name for name, weights in WEIGHTS.items() if stored_path(weights)]
    if not names and not stored:
        typer.echo(f"no weights are stored; run: {cs3_command('weights fetch')}", err=True)
        raise typer.Exit(1)
    _for_each(names or stored, lambda weights: f"sha256 {verify(weights)}")


@app.command("check")
def check_weights(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    hands_image: Annotated[
        Path | None, typer.Option(help="Image of Hands23's own demo; with --hands-result it is compared.")
    ] = None,
    hands_result: Annotated[
        Path | None, typer.Option(help="The result.json that its authors published for it.")
    ] = None,
) -> None:
    """Check that the stored weights of `foundation` see and hear: one line per check, after one that says where.

    The text can be pasted into a report. Exit code 1: one failed.
    """
    missing = [name for name in FOUNDATION if stored_path(WEIGHTS[name]) is None]
    if missing:
        command = cs3_command("weights fetch")
        typer.echo(f"error: not on this machine: {', '.join(missing)}; run: {command}", err=True)
        raise typer.Exit(2)
    from cs3_model.cli.weights_check import foundation_checks, machine_line

    with one_line_errors(status=2, kinds=(ValueError,)):
        checks = foundation_checks(device, hands_image, hands_result)
        typer.echo(machine_line(device))
        failed = False
        for result in checks:
            typer.echo(str(result))
            failed |= not result.passed
    if failed:
        raise typer.Exit(1)


@app.command("import-acl")
def import_acl_weights(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Param_best.pth as ACL-SSL publishes it.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A .safetensors file to write.")],
) -> None:
    """Convert the published weights of ACL-SSL, the paper's CLIPSound, into `audio_weights` of a preset.

    Their licence is not stated: ask the authors before using them for anything but research of your own.
    """
    from cs3_model.weights.acl import import_acl

    with one_line_errors(status=1):
        import_acl(source, target)
    typer.echo(f"wrote {target}: name it in audio_weights of a preset, beside parts.audio_visual: clipseg")


def _for_each(names: Sequence[str], act: Callable[[WeightFile], str]) -> None:
    """Prints one line for each, goes on after a failure, and exits with 1 if there was one, 2 for an unknown name."""
    with one_line_errors(status=2, kinds=(ValueError,)):
        chosen = find_weights(names)
    failed = False
    for weights in chosen:
        try:
            typer.echo(f"{weights.name}: {act(weights)}")
        except ValueError as error:
            typer.echo(f"error: {error}", err=True)
            failed = True
    if failed:
        raise typer.Exit(1)
