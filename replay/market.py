"""A seeded market: the same seed, instruments and rate make the same trades at the same times after its start.

Their ids are of the start too: a market that begins again later has others, as an exchange gives no id twice.
"""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from app.units import MILLISECOND_NS, SECOND_NS
from replay.market_clock import MarketClock
from replay.quotes import SimulatedQuote, quoted
from replay.trade import SimulatedTrade, decimal_text

PRICE_PLACES: Final = 2
SIZE_PLACES: Final = 5
_LOWEST_TICKS: Final = 100
_ID_STEP_NS: Final = 1_000
"""Ids of an instrument are seldom taken faster than one a microsecond: a market that begins with its start in
microseconds has them above those of all that began before it."""


@dataclass(frozen=True)
class MarketSpec:
    """What is traded: `rate` is trades a second over all instruments, the first of them the busiest."""

    instruments: Sequence[str]
    rate: int
    seed: int
    resolution_ns: int = MILLISECOND_NS


def trades(spec: MarketSpec, start_ns: int) -> Iterator[SimulatedTrade]:
    """The market's trades without end, in event-time order, from its start on.

    Ids of an instrument have no holes, and are above those that a market had which began earlier.
    """
    chance = random.Random(f"{spec.seed}")  # noqa: S311 - no secret, and the same market in every run
    weights = list(accumulate(1 / rank for rank in range(1, len(spec.instruments) + 1)))
    every = range(len(spec.instruments))
    ticks = [chance.randrange(10_000, 10_000_000) for _ in every]
    ids = [start_ns // _ID_STEP_NS + chance.randrange(1, 1_000_000) for _ in every]
    mean_gap_ns = SECOND_NS // spec.rate
    time_ns = start_ns
    while True:
        time_ns += chance.randrange(0, 2 * mean_gap_ns + 1)
        which = chance.choices(every, cum_weights=weights)[0]
        widest_step = ticks[which] // 20_000 + 1
        ticks[which] = max(_LOWEST_TICKS, ticks[which] + chance.randint(-widest_step, widest_step))
        ids[which] += 1
        yield SimulatedTrade(
            instrument=spec.instruments[which],
            trade_id=ids[which],
            price=decimal_text(ticks[which], PRICE_PLACES),
            size=decimal_text(chance.randrange(1, 200_000), SIZE_PLACES),
            aggressor="buy" if chance.randrange(2) else "sell",
            event_time_ns=time_ns // spec.resolution_ns * spec.resolution_ns,
        )


class Market:
    """A market on a clock: trades come when their time has come."""

    def __init__(self, spec: MarketSpec, clock: MarketClock) -> None:
        self._spec = spec
        self._clock = clock

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade | SimulatedQuote]:
        """The trades, each behind the quote that it met, and none before its time."""
        for item in quoted(trades(self._spec, self._clock.now_ns()), self._spec.seed):
            while item.event_time_ns > self._clock.now_ns():
                await self._clock.tick()
            yield item
