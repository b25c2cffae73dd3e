"""Whether the device still does its work, or hangs."""

from __future__ import annotations


class DeviceWatch:
    """Tells for how long the device has been at one piece of work.

    Time is counted in polls: a machine that was suspended does not look like a device that hangs.

    Args:
        period_s: Time between two polls, seconds.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._work: int | None = None
        self._num_polls = 0

    def poll(self, work: int | None) -> float:
        """Returns for how long the same work has gone on, seconds.

        Args:
            work: Number of the piece in progress, as `PerceptionWorker.work_in_progress`; None while there is none.
        """
        is_same = work is not None and work == self._work
        self._num_polls = self._num_polls + 1 if is_same else 0
        self._work = work
        return self._num_polls * self._period_s
