"""The time that a simulated market lives in: the wall's, a fixed one that tests move, or history that catches up."""

import asyncio
import time
from typing import Final, Protocol

from app.units import SECOND_NS

_STEP_S: Final = 0.002
"""How often a market looks at a running clock: far below what a chart or a latency bound can tell."""


class MarketClock(Protocol):
    """What a market asks of its clock. Times are ns UTC."""

    def now_ns(self) -> int:
        """The market's time."""

    async def tick(self) -> None:
        """Come back when the time may have moved on."""


class WallClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """The wall's time."""
        return time.time_ns()

    async def tick(self) -> None:
        """Wait two milliseconds."""
        await asyncio.sleep(_STEP_S)


class HistoryClock:
    """Starts some time ago and runs fast until it meets the wall clock; from then on it is the wall clock."""

    CATCH_UP_S: Final = 3
    """About how long the history takes, however long it is."""

    def __init__(self, history_ns: int) -> None:
        self._start_ns = time.time_ns() - history_ns
        self._speed = max(2, history_ns // (self.CATCH_UP_S * SECOND_NS))
        self._began_ns: int | None = None

    def now_ns(self) -> int:
        """The market's time; the history begins to run with the first call."""
        steady_ns = time.monotonic_ns()
        if self._began_ns is None:
            self._began_ns = steady_ns
        return min(time.time_ns(), self._start_ns + (steady_ns - self._began_ns) * self._speed)

    async def tick(self) -> None:
        """Wait two milliseconds of the wall's time."""
        await asyncio.sleep(_STEP_S)


class SteppedClock:
    """Stands still until a test moves it."""

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns
        self._moved = asyncio.Event()

    def now_ns(self) -> int:
        """The time it was moved to last."""
        return self._now_ns

    def advance(self, by_ns: int) -> None:
        """Move on and let the market see it."""
        self._now_ns += by_ns
        self._moved.set()

    async def tick(self) -> None:
        """Wait for the next move."""
        await self._moved.wait()
        self._moved.clear()
