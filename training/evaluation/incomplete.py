"""What commands do about samples whose files are missing or broken: they list them, and make no table."""

from __future__ import annotations

from collections.abc import Sequence

import typer

_SHOWN = 20


def refuse(
    problems: Sequence[str], what: str, allow_skipped: bool, places: Sequence[str] = (), way_out: str = ""
) -> None:
    """Lists what is wrong on standard error, and ends with exit code 1 unless that is allowed.

    Args:
        problems: One line each; nothing happens if there are none.
        what: What they are, for the first line.
        allow_skipped: Only lists.
        places: Where files were looked for.
        way_out: Which option goes on all the same, if there is one.

    Raises:
        typer.Exit: if there are problems and they are not allowed.
    """
    if not problems:
        return
    shown = [*problems[:_SHOWN], *([f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else [])]
    lines = [f"{what}: {len(problems)}", *(f"  {problem}" for problem in shown)]
    lines += [f"looked for {place}" for place in places]
    if not allow_skipped:
        lines.append(f"no table: results over fewer samples compare with nothing. {way_out}".rstrip())
    typer.echo("\n".join(lines), err=True)
    if not allow_skipped:
        raise typer.Exit(1)
