"""The command line ``cs3``: one module per command, collected here.

Commands import PyTorch only when they run, so that help and `cs3 onsets` answer at once.
"""

from __future__ import annotations

import typer

from cs3_model.cli import hands23, onsets, ros_commands, segment, training_commands, weights

app = typer.Typer(
    name="cs3",
    help="Find which objects collided, from sound and image.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("onsets")(onsets.onsets)
app.command("segment")(segment.segment)
app.command("hands23-compare")(hands23.hands23_compare)
app.add_typer(weights.app, name="weights")
training_commands.add_commands(app)
ros_commands.add_commands(app)


def main() -> None:
    """Entry point of the console script ``cs3``."""
    app(prog_name="cs3")
