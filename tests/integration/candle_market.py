"""A market of some minutes for tests of candles, and what its minutes are by plain Decimals."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from decimal import Decimal
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from app.settings import Settings
from app.units import MINUTE_NS, SECOND_NS
from replay.market import MarketSpec, trades
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName
from tests.integration.bridge_kit import Bridge
from tests.integration.bridge_run import BTC, ETH, START_NS

if TYPE_CHECKING:
    from replay.exchange import Exchange

INSTRUMENTS = (BTC, ETH)
FIRST_NS = START_NS // MINUTE_NS * MINUTE_NS + MINUTE_NS
"""The first whole minute of the market."""
WHOLE_MINUTES = 4
END_NS = FIRST_NS + WHOLE_MINUTES * MINUTE_NS + 30 * SECOND_NS


class Minute(NamedTuple):
    """A minute of an instrument as its trades make it."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int | None

    def opened_at(self, price: Decimal) -> "Minute":
        """The same with a price before all others."""
        return self._replace(open=price, high=max(self.high, price), low=min(self.low, price))


class MinutesMarket:
    """Trades of whole minutes, behind some seconds that tell the bridge what time it is."""

    def __init__(self, venue: VenueName) -> None:
        spec = MarketSpec(INSTRUMENTS, rate=4, seed=5, resolution_ns=PROTOCOLS[venue].resolution_ns)
        self.trades = list(takewhile(lambda trade: trade.event_time_ns < END_NS, trades(spec, START_NS)))
        self.venue = venue
        self.exchange: Exchange | None = None
        self.before: dict[int, Callable[[], None]] = {}
        """What happens before the first trade at or after a time in ns."""
        self._goes_on = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        assert self.exchange is not None
        await self.exchange.heard(INSTRUMENTS)
        for trade in self.trades:
            if trade.event_time_ns >= START_NS + 10 * SECOND_NS:
                await self._goes_on.wait()
            for time_ns in [at for at in self.before if at <= trade.event_time_ns]:
                self.before.pop(time_ns)()
            yield trade

    async def play(self, bridge: Bridge) -> None:
        """Let all of it be played once the bridge knows from when on it reads every trade."""
        await bridge.says(f"{self.venue}: its candles of 2 instruments are asked for from 2023-11-14T22:14:00Z on")
        self._goes_on.set()

    def lose(self, count: int) -> None:
        """Have the exchange leave out the next trades, on its stream and in its history."""
        assert self.exchange is not None
        self.exchange.faults.lose(count)

    @property
    def minutes(self) -> dict[tuple[str, int], Minute]:
        """The whole minutes by instrument and start, the last ones of which the venue's clock is well behind."""
        told = summed(self.trades)
        if self.venue is VenueName.BYBIT:
            told = {
                (name, at): one.opened_at(told.get((name, at - MINUTE_NS), one).close)
                for (name, at), one in told.items()
            }
        return {key: minute for key, minute in told.items() if is_whole(key[1])}


def is_whole(start_ns: int) -> bool:
    """Whether a minute is all of it in the market, and over."""
    return FIRST_NS <= start_ns < FIRST_NS + WHOLE_MINUTES * MINUTE_NS


def summed(of: Iterable[SimulatedTrade]) -> dict[tuple[str, int], Minute]:
    """Minutes by instrument and start."""
    within: defaultdict[tuple[str, int], list[SimulatedTrade]] = defaultdict(list)
    for trade in of:
        within[trade.instrument, trade.event_time_ns // MINUTE_NS * MINUTE_NS].append(trade)
    return {key: _minute(its) for key, its in within.items()}


def _minute(its: list[SimulatedTrade]) -> Minute:
    prices = [Decimal(trade.price) for trade in its]
    volume = sum((Decimal(trade.size) for trade in its), Decimal(0))
    return Minute(prices[0], max(prices), min(prices), prices[-1], volume, len(its))


def with_candles(settings: Settings, **changes: Any) -> Settings:
    """The settings of a bridge of a test's own that reads the venues' candles."""
    file = settings.venues_file
    file.write_text(file.read_text().replace("# candles:", "candles:"))
    return settings.model_copy(update=changes)
