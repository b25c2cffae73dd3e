"""How many publishers of a topic are alive: the middleware remembers one that was killed for 20 s."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

_FRESH_S = 1.0
"""One that has sent before and sends nothing for this long, while another one does, is taken for dead."""
_NEW_S = 1.5
"""One that has not sent yet counts after this long: by then a predecessor that was killed has fallen silent."""


class Senders:
    """Tells publishers that send from those that no longer do.

    Args:
        monotonic: Clock, seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen_s: dict[bytes, float] = {}
        self._sent_s: dict[bytes, float] = {}

    def note(self, publisher: bytes | None) -> None:
        """A message came from this publisher; None where the middleware does not say from which."""
        if publisher is not None:
            self._sent_s[publisher] = self._monotonic()

    def num_alive(self, publishers: Collection[bytes]) -> int:
        """How many of the publishers that the graph has at present may mix their messages; call it often."""
        now_s = self._monotonic()
        self._seen_s = {publisher: self._seen_s.get(publisher, now_s) for publisher in publishers}
        self._sent_s = {publisher: sent_s for publisher, sent_s in self._sent_s.items() if publisher in self._seen_s}
        known = [publisher for publisher in publishers if now_s - self._seen_s[publisher] >= _NEW_S]
        silent = [publisher for publisher in known if now_s - self._sent_s.get(publisher, now_s) >= _FRESH_S]
        is_any_heard = any(now_s - sent_s < _FRESH_S for sent_s in self._sent_s.values())
        return len(known) - len(silent) if is_any_heard else len(known)
