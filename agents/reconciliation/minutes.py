"""A minute as it was folded and as its venue tells it, and in what the two differ."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.venues import Candles


class Why(StrEnum):
    """In what a bar and its candle differ: the first that does, in this order."""

    NO_BAR = "no_bar"
    NO_CANDLE = "no_candle"
    TRADES_MISSING = "trades_missing"
    """The bar itself says that trades are missing from it."""
    CUT = "cut"
    """In nothing but what trades across the ends of minutes explain."""
    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    CLOSE = "close"
    VOLUME = "volume"
    COUNT = "count"


class Amounts(NamedTuple):
    """Prices and volume of a minute, in 10^-18 of quote and base currency."""

    open: int
    high: int
    low: int
    close: int
    volume: int

    def opened_at(self, price: int) -> "Amounts":
        """The same with a price before all others."""
        return self._replace(open=price, high=max(self.high, price), low=min(self.low, price))


@dataclass(frozen=True, slots=True)
class Bar:
    """A minute as it was folded; `missing` is how many trades are known not to have come, None where nobody knows."""

    amounts: Amounts
    trades: int
    missing: int | None = None


@dataclass(frozen=True, slots=True)
class Candle:
    """A minute as the venue tells it, some without the number of trades; `session` is the run of the bridge."""

    amounts: Amounts
    trades: int | None
    session: str


@dataclass(slots=True)
class Pair:
    """What has come of a minute; `waits` while it is to be looked at again."""

    bar: Bar | None = None
    candle: Candle | None = None
    waits: bool = False


def difference(bar: Bar | None, candle: Candle | None, kind: Candles = Candles.OF_TRADES) -> Why | None:
    """In what the two differ; nothing when they are equal, digit by digit."""
    has_bar, has_candle = bar is not None and bar.amounts.volume > 0, candle is not None and candle.amounts.volume > 0
    if bar is None or candle is None:
        return Why.NO_BAR if has_candle else Why.NO_CANDLE if has_bar else None
    if not has_bar and not has_candle:
        return None  # the prices of a minute without trades are whatever the venue likes
    expected = bar.amounts.opened_at(candle.amounts.open) if kind is Candles.FROM_LAST_CLOSE else bar.amounts
    differing = [name for name in Amounts._fields if getattr(expected, name) != getattr(candle.amounts, name)]
    if candle.trades is not None and candle.trades != bar.trades:
        differing.append("count")
    if not differing:
        return None
    return Why.TRADES_MISSING if bar.missing else Why(differing[0])
