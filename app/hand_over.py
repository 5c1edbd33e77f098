"""From a thread that reads to the event loop that applies, in order."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Final

MAX_UNDELIVERED: Final = 16
"""Batches handed over that the event loop has not taken yet; the thread waits at this bound."""


class HandOver:
    """Has the event loop do what a thread hands it, until it is closed; behind that it does nothing more of it."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        """`call_soon` may be called from any thread, and returns before the event loop does what it is given."""
        self._call_soon = call_soon
        self._room = threading.Semaphore(MAX_UNDELIVERED)
        self._closed = threading.Event()

    def put(self, apply: Callable[[], None]) -> None:
        """Have a batch applied. Waits while so many are not applied yet."""
        self._room.acquire()
        if self._closed.is_set():
            self._room.release()
        else:
            self._call_soon(partial(self._apply, apply))

    def tell(self, what: Callable[[], None]) -> None:
        """Have something small done behind all that was put, without a wait."""
        if not self._closed.is_set():
            self._call_soon(what)

    def close(self) -> None:
        """Drop what the thread hands over from now on, and let it go where it waits."""
        self._closed.set()
        self._room.release()

    def _apply(self, apply: Callable[[], None]) -> None:
        try:
            apply()
        finally:
            self._room.release()
