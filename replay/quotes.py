"""The quotes of a seeded market: before each of its trades, the best bid and ask that the trade met."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from replay.trade import SimulatedTrade, decimal_text

TICK: Final = Decimal("0.01")
SIZE_PLACES: Final = 5
LONGEST_STANDING_NS: Final = 20_000_000
_WIDEST_TICKS: Final = 5
_MOST_SLIPPED_TICKS: Final = 2


@dataclass(frozen=True, slots=True)
class SimulatedQuote:
    """A best bid and ask; `quote_seq` numbers the quotes of the instrument from 1. Amounts are decimal text."""

    instrument: str
    quote_seq: int
    bid_price: str
    bid_size: str
    ask_price: str
    ask_size: str
    event_time_ns: int

    def left_at(self, unit_ns: int) -> int:
        """When the match was that left the book so, in units of so many ns: the quote stands from behind that."""
        return (self.event_time_ns - 1) // unit_ns


def quoted(trades: Iterable[SimulatedTrade], seed: int) -> Iterator[SimulatedTrade | SimulatedQuote]:
    """The trades, each behind the quote it met: a buyer paid the ask or more, a seller took the bid or less.

    A quote of an instrument is behind its trade before, which left it, unless the next trade is of the same time.
    """
    chance = random.Random(f"quotes {seed}")  # noqa: S311 - no secret, and the same quotes in every run
    counts: Counter[str] = Counter()
    left: dict[str, int] = {}
    for trade in trades:
        counts[trade.instrument] += 1
        width = TICK * chance.randint(1, _WIDEST_TICKS)
        slipped = TICK * chance.randint(0, _MOST_SLIPPED_TICKS)
        time_ns, left_ns = trade.event_time_ns, left.get(trade.instrument, 0)
        price = Decimal(trade.price)
        bid = price - slipped - width if trade.aggressor == "buy" else price + slipped
        yield SimulatedQuote(
            instrument=trade.instrument,
            quote_seq=counts[trade.instrument],
            bid_price=str(max(TICK, bid)),
            bid_size=decimal_text(chance.randrange(1, 200_000), SIZE_PLACES),
            ask_price=str(max(TICK, bid) + width),
            ask_size=decimal_text(chance.randrange(1, 200_000), SIZE_PLACES),
            event_time_ns=min(max(left_ns, time_ns - chance.randrange(LONGEST_STANDING_NS)), time_ns),
        )
        left[trade.instrument] = time_ns + 1
        yield trade
