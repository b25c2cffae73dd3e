"""The command line ``cs3``: one module per command, collected here."""

from __future__ import annotations

import typer

from cs3_model.cli import segment, weights

app = typer.Typer(
    name="cs3",
    help="Find which objects collided, from sound and image.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("segment")(segment.segment)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """The console script."""
    app(prog_name="cs3")
