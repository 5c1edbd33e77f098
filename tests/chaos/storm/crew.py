"""The parts of one market, each started again when it has ended, and what is to be done with them later."""

import heapq
import itertools
import time
from collections.abc import Callable
from typing import Final

from local.process import tail
from tests.chaos.storm.part import Part
from tests.chaos.storm.place import Place
from tests.chaos.storm.schedule import SINKS, VIEW, WORKERS
from tests.chaos.storm.tally import Tally

PARTS: Final = (*WORKERS, *SINKS, VIEW)
POLL_S: Final = 0.05
RESTART_S: Final = 0.5


class Crew:
    """All is done by the thread that calls `live`: the kernel ends a child with the thread that started it."""

    def __init__(self, place: Place, tally: Tally) -> None:
        self.parts = {name: Part(name, place.ways[name].settings) for name in PARTS}
        self._tally = tally
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._waiting: set[str] = set()
        """Parts that are to be started later."""

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Do something at a moment of the monotonic clock."""
        heapq.heappush(self._due, (moment, next(self._numbers), act))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something in a while."""
        self.at(time.monotonic() + seconds, act)

    def live(self) -> None:
        """Do what is due, see who has ended, and wait a little."""
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
        for part in self.parts.values():
            if not part.is_running and part.name not in self._waiting:
                self._note_end(part)
                self.start_later(part, RESTART_S)
        time.sleep(POLL_S)

    def start_later(self, part: Part, seconds: float) -> None:
        """Start a part that has ended in a while."""

        def start() -> None:
            if part.name in self._waiting:
                self._waiting.discard(part.name)
                part.start()

        self._waiting.add(part.name)
        self.later(seconds, start)

    def be_whole(self) -> None:
        """Forget what was planned; let every part run, unless it is just ending or about to die at a crash point."""
        self._due.clear()
        self._waiting.clear()
        for part in self.parts.values():
            part.thaw()
            if part.expected_end is not None:
                part.kill()
            if not part.is_running:
                part.start()

    def leave_one_worker(self) -> None:
        """End every worker in order, and start one that knows nothing."""
        first, *others = (self.parts[name] for name in WORKERS)
        for part in (first, *others):
            part.ask_to_end()
        for part in (first, *others):
            part.wait()
        self._waiting |= {part.name for part in others}
        first.start()

    def logs(self) -> str:
        """The end of each part's log."""
        return "\n".join(f"{part.log}:\n{tail(part.log)}" for part in self.parts.values())

    def close(self) -> None:
        """`kill -9` of all."""
        for part in self.parts.values():
            part.kill()

    def _note_end(self, part: Part) -> None:
        if part.expected_end is None:
            self._tally.ended[f"{part.name} with exit code {part.exit_code}"] += 1
            self._tally.say(f"{part.name} ended by itself with exit code {part.exit_code}: {part.log}")
        elif part.is_at_crash_point:
            self._tally.points[part.expected_end] += 1
