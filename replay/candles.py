"""A simulated exchange's own candles of a minute, computed with plain Decimals from all that it traded."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice, pairwise
from typing import Final

from app.units import MINUTE_NS
from replay.trade import SimulatedTrade

MOST: Final = 2_000
"""Minutes with trades that are remembered of an instrument."""


@dataclass(frozen=True, slots=True)
class SimulatedCandle:
    """A minute: `start_ns` is its start, included; without trades its prices are the close before it."""

    start_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int

    def joined(self, price: Decimal, size: Decimal) -> "SimulatedCandle":
        """The same minute with one more trade."""
        high, low = max(self.high, price), min(self.low, price)
        return SimulatedCandle(self.start_ns, self.open, high, low, price, self.volume + size, self.trades + 1)

    def opened_at(self, price: Decimal) -> "SimulatedCandle":
        """The same minute with a price before all others."""
        return replace(self, open=price, high=max(self.high, price), low=min(self.low, price))

    def amounts(self) -> tuple[str, str, str, str, str]:
        """Open, high, low, close and volume as plain decimals."""
        prices = f"{self.open:f}", f"{self.high:f}", f"{self.low:f}", f"{self.close:f}"
        return *prices, f"{self.volume:f}"


class Candles:
    """The minutes of every instrument, of trades that come in their order."""

    def __init__(self) -> None:
        self._minutes: defaultdict[str, dict[int, SimulatedCandle]] = defaultdict(dict)

    def add(self, trade: SimulatedTrade) -> None:
        """Count a trade in its minute."""
        minutes = self._minutes[trade.instrument]
        start_ns = trade.event_time_ns // MINUTE_NS * MINUTE_NS
        price, size = Decimal(trade.price), Decimal(trade.size)
        known = minutes.get(start_ns) or SimulatedCandle(start_ns, price, price, price, price, Decimal(0), 0)
        minutes[start_ns] = known.joined(price, size)
        if len(minutes) > MOST:
            del minutes[next(iter(minutes))]

    def of(self, instrument: str, first_ns: int, last_ns: int | None = None) -> list[SimulatedCandle]:
        """The minutes with trades that begin between two times, both included, oldest first; the one under way too."""
        minutes = self._minutes[instrument].values()
        return [one for one in minutes if first_ns <= one.start_ns and (last_ns is None or one.start_ns <= last_ns)]

    def from_last_close(self, instrument: str, first_ns: int, last_ns: int | None) -> list[SimulatedCandle]:
        """The same of a venue whose minutes open at the close before them, all but the first."""
        minutes = self.of(instrument, 0, last_ns)
        linked = [after.opened_at(before.close) for before, after in pairwise(minutes)]
        return [one for one in [*minutes[:1], *linked] if one.start_ns >= first_ns]

    def filled(self, instrument: str, first_ns: int) -> list[SimulatedCandle]:
        """Every minute from a time on, those without trades among them."""
        minutes = self._minutes[instrument].values()
        return [one for one in _without_holes(minutes) if one.start_ns >= first_ns]


def newest_first(candles: list[SimulatedCandle], limit: int) -> list[SimulatedCandle]:
    """At most so many of the newest, the newest first."""
    return list(islice(reversed(candles), limit))


def _without_holes(minutes: Iterable[SimulatedCandle]) -> Iterator[SimulatedCandle]:
    before: SimulatedCandle | None = None
    for one in minutes:
        if before is not None:
            close = before.close
            for start_ns in range(before.start_ns + MINUTE_NS, one.start_ns, MINUTE_NS):
                yield SimulatedCandle(start_ns, close, close, close, close, Decimal(0), 0)
        yield one
        before = one
