"""How the commands of all packages end where something is wrong: with one line, not with a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def one_line_errors(
    who: str = "error",
    *,
    status: int,
    kinds: tuple[type[Exception], ...] = (ValueError, OSError),
    interrupted: str = "",
) -> Iterator[None]:
    """Ends a command of typer with one line where its input is bad.

    Args:
        who: What the line begins with.
        status: Exit status.
        kinds: Exceptions that are the user's concern; all others keep their traceback.
        interrupted: What to say at Ctrl-C, which ends with status 130; empty: what typer says.

    Raises:
        typer.Exit: in place of these exceptions.
    """
    try:
        yield
    except kinds as error:
        typer.echo(f"{who}: {error}", err=True)
        raise typer.Exit(status) from None
    except KeyboardInterrupt:
        if not interrupted:
            raise
        typer.echo(f"{who}: {interrupted}", err=True)
        raise typer.Exit(130) from None
