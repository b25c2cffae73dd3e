"""Loading that takes minutes, in a thread of its own, and that can be given up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Generic, TypeVar

from rclpy.executors import Executor
from rclpy.task import Future as RosFuture

T = TypeVar("T")


class LoadingCancelledError(Exception):
    """Nobody wants any more what was being loaded."""


class Loading(Generic[T]):
    """One call in a thread of its own, which begins when the result is asked for.

    Python cannot end a thread: one that is given up goes on until its end, and its result is thrown away.

    Args:
        load: What to call.
    """

    def __init__(self, load: Callable[[], T]) -> None:
        self._loaded: Future[T] = Future()
        self._thread = threading.Thread(target=self._run, args=(load,), name="loading", daemon=True)

    def cancel(self) -> None:
        """Gives it up, if it has not ended."""
        with suppress(InvalidStateError):
            self._loaded.set_exception(LoadingCancelledError())

    def result(self) -> T:
        """Begins, and waits for the result, or raises what the call raised. Once.

        Raises:
            LoadingCancelledError: if it was given up.
        """
        self._thread.start()
        return self._loaded.result()

    def _run(self, load: Callable[[], T]) -> None:
        with suppress(InvalidStateError):  # it was given up
            try:
                self._loaded.set_result(load())
            except BaseException as error:
                self._loaded.set_exception(error)


def run_in_thread(call: Callable[[], T]) -> Future[T]:
    """Calls in a thread of its own; the future has what comes of it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="transition", daemon=True).start()
    return future


def in_executor(result: Future[T], executor: Executor) -> RosFuture[T]:
    """A future that a coroutine in the executor can await, and that follows one of another thread."""
    future: RosFuture[T] = RosFuture(executor=executor)

    def follow(done: Future[T]) -> None:
        try:
            future.set_result(done.result())
        except Exception as error:  # whatever was raised, the coroutine reports it
            future.set_exception(error)
        executor.wake()  # a waiting coroutine alone does not wake it

    result.add_done_callback(follow)
    return future
