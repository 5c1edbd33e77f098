"""Keeps the parts of a run alive, and ends all of them together."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cli.console import broken, fail
from local import process
from local.process import Child, Command

POLL_S = 0.25
RESTART_DELAYS_S = (0.5, 1.0, 2.0)
"""How long to wait before each restart of a part that ends by itself; after the last the run is given up."""
RESTARTS = len(RESTART_DELAYS_S)
HEALTHY_AFTER_S = 60.0
"""A part that ran this long has its earlier ends forgotten."""


class PartFailed(Exception):
    """A part cannot be kept running; the message has the end of its log."""


@dataclass(frozen=True)
class Part:
    """One process of a run; `is_ready` tells whether it does its work, a source brings records into the system."""

    name: str
    command: Command
    log: Path
    is_ready: Callable[[], bool] = lambda: True
    is_source: bool = False


class Supervisor:
    """Starts parts, restarts one that ends by itself, stops all. Use it from the main thread only."""

    def __init__(self) -> None:
        self._parts: list[_Running] = []

    def start(self, part: Part) -> None:
        """Start a part and keep it running from now on."""
        self._parts.append(_Running(part))

    def wait_ready(self, name: str, timeout_s: float) -> None:
        """Wait until a part does its work, watching all parts meanwhile.

        Raises:
            PartFailed: it, or another part, could not be kept running, or it was not ready in time.
        """
        part = next(running.part for running in self._parts if running.part.name == name)
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
            PartFailed: a part ended too often.
        """
        for running in self._parts:
            running.watch()

    def run(self, seconds: float | None, also: Callable[[], None]) -> None:
        """Watch all parts, and call `also` as often, for the given time or for ever."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            self.watch()
            also()
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop the sources first, so that what is under way is still written, then all the rest at once."""
        children = {running.child: running.part.is_source for running in self._parts}
        for child, is_source in children.items():
            if is_source:
                child.stop()
        rest = [child for child, is_source in children.items() if not is_source]
        for child in rest:
            child.ask_to_stop()
        for child in rest:
            child.finish()
        self._parts.clear()


class _Running:
    """A part and its current process."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._ends = 0
        self._start()

    def _start(self) -> None:
        self._began = time.monotonic()
        self._restart_at: float | None = None
        self.child: Child = process.spawn(self.part.command, self.part.log, detached=False)

    def watch(self) -> None:
        now = time.monotonic()
        if self._restart_at is not None:
            if now >= self._restart_at:
                self._start()
        elif not self.child.is_alive():
            self._ended(now)
        elif now - self._began > HEALTHY_AFTER_S:
            self._ends = 0

    def _ended(self, now: float) -> None:
        self._ends += 1
        tail = process.tail(self.part.log)
        if self._ends > RESTARTS:
            raise PartFailed(f"{self.part.name} ended {self._ends} times\n{tail}\nThe whole log: {self.part.log}")
        broken(self.part.name, f"ended by itself; restart {self._ends} of {RESTARTS}")
        fail(f"the end of its log\n{tail}")
        self._restart_at = now + RESTART_DELAYS_S[self._ends - 1]
