"""Keeps the parts of a run alive, and ends all of them together."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cli.console import broken, fail
from local import process
from local.errors import LocalError
from local.process import Child, Command

POLL_S = 0.25
RESTART_DELAYS_S = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""How long to wait before each restart of what ends by itself; the last before all further ones."""
RESTARTS = 3
"""After how many of one part a run is given up."""
HEALTHY_AFTER_S = 60.0
"""What ran this long has its earlier ends forgotten."""


class PartFailed(Exception):
    """A part or server does not do its work; the message has the end of its log."""


@dataclass(frozen=True)
class Part:
    """One process of a run; `is_ready` tells whether it does its work, a source brings records into the system."""

    name: str
    command: Command
    log: Path
    is_ready: Callable[[], bool] = lambda: True
    is_source: bool = False


class Supervisor:
    """Starts parts, restarts what ends by itself, stops all parts. Use it from the main thread only.

    A run `for_good` is never given up: what is wrong is told, and all else goes on.
    """

    def __init__(self, *, for_good: bool = False) -> None:
        self._restarts = None if for_good else RESTARTS
        self._parts: list[tuple[Part, _Kept]] = []
        self._servers: list[_Kept] = []

    def start(self, part: Part) -> None:
        """Start a part and keep it running from now on."""
        start = partial(process.spawn, part.command, part.log, detached=False)
        self._parts.append((part, _Kept(part.name, part.log, start(), start)))

    def keep(self, name: str, log: Path, child: Child, start: Callable[[], Child]) -> None:
        """Keep a server running that runs already; who started it stops it too."""
        self._servers.append(_Kept(name, log, child, start))

    @contextmanager
    def tolerating(self) -> Iterator[None]:
        """A block whose failure ends a run, unless that is for good: then it is told."""
        try:
            yield
        except PartFailed as error:
            if self._restarts is not None:
                raise
            fail(str(error))

    def wait_ready(self, name: str, timeout_s: float) -> None:
        """Wait until a part does its work, watching all parts meanwhile.

        Raises:
            PartFailed: it, or another part, could not be kept running, or it was not ready in time.
        """
        part = next(part for part, _ in self._parts if part.name == name)
        self.wait_until(part.is_ready, timeout_s, f"{name} was not ready", part.log)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float, otherwise: str, log: Path) -> None:
        """Wait for a condition, watching all parts; raise PartFailed with the end of `log` when time is up."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.watch()
            if time.monotonic() > deadline:
                raise PartFailed(f"{otherwise} after {timeout_s:.0f} s\n{process.tail(log)}\nThe whole log: {log}")
            time.sleep(POLL_S)

    def watch(self) -> None:
        """Restart what ended by itself.

        Raises:
            PartFailed: it ended too often.
        """
        for kept in (*self._servers, *(kept for _, kept in self._parts)):
            kept.watch(self._restarts)

    def run(self, seconds: float | None) -> None:
        """Watch all for the given time or for ever."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            self.watch()
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop the sources first, so that what is under way is still written, then all the rest at once."""
        for part, kept in self._parts:
            if part.is_source:
                kept.child.stop()
        rest = [kept.child for part, kept in self._parts if not part.is_source]
        for child in rest:
            child.ask_to_stop()
        for child in rest:
            child.finish()
        self._parts.clear()


class _Kept:
    """A process that is started again when it ends by itself."""

    def __init__(self, name: str, log: Path, child: Child, start: Callable[[], Child]) -> None:
        self._name = name
        self._log = log
        self.child = child
        self._start = start
        self._began = time.monotonic()
        self._restart_at: float | None = None
        self._ends = 0

    def watch(self, restarts: int | None) -> None:
        """Start it again once its time has come; PartFailed when it has ended more often than it may."""
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._start_again(restarts)
        elif not self.child.is_alive():
            self.child.wait(0)  # so that its number is free again
            self._ended("ended by itself", restarts)
        elif now - self._began > HEALTHY_AFTER_S:
            self._ends = 0

    def _start_again(self, restarts: int | None) -> None:
        try:
            self.child = self._start()
        except (LocalError, OSError) as error:  # a taken port, a full disk
            self._ended(f"cannot be started: {error}", restarts)
        else:
            self._began = time.monotonic()
            self._restart_at = None

    def _ended(self, why: str, restarts: int | None) -> None:
        self._ends += 1
        tail = process.tail(self._log)
        if restarts is not None and self._ends > restarts:
            raise PartFailed(f"{self._name} ended {self._ends} times\n{tail}\nThe whole log: {self._log}")
        delay_s = RESTART_DELAYS_S[min(self._ends, len(RESTART_DELAYS_S)) - 1]
        broken(self._name, f"{why}; started again in {delay_s:g} s")
        fail(f"the end of its log\n{tail}")
        self._restart_at = time.monotonic() + delay_s
