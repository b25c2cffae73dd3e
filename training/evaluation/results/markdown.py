"""Tables and shares as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from cs3_model.metrics import Estimate


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """A Markdown table whose columns after the first are numbers."""
    rule = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines))


def percent(estimate: Estimate) -> str:
    """A share as percent, with its interval."""
    return f"{100 * estimate.mean:.2f} ({100 * estimate.low:.1f}-{100 * estimate.high:.1f})"
