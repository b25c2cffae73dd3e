"""One line on a terminal that says how far a command is; silent where no one watches."""

from __future__ import annotations

import sys
import time

_REFRESH_S = 0.1
_BAR_WIDTH = 30


class ProgressLine:
    """A bar over `total_s` seconds of material, redrawn in place on stderr if that is a terminal."""

    def __init__(self, total_s: float) -> None:
        self._total_s = max(total_s, 1e-9)
        self._next_redraw = 0.0
        self._visible = sys.stderr.isatty()

    def show(self, done_s: float, note: str) -> None:
        """Redraws the line, at most ten times a second."""
        if not self._visible or time.monotonic() < self._next_redraw:
            return
        self._next_redraw = time.monotonic() + _REFRESH_S
        filled = round(_BAR_WIDTH * min(max(done_s / self._total_s, 0.0), 1.0))
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        print(f"\r[{bar}] {done_s:6.1f} / {self._total_s:.1f} s  {note}\x1b[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Removes the line, so that other output starts at the left edge."""
        if self._visible:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
