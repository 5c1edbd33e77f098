"""Whether trades across the ends of minutes explain in what bars differ from candles of fills.

A trade of such a venue's stream sums up fills of one price that follow each other, and has the time of the first. So at
most one lies across the end of a minute: the last of its bar, at the bar's close. Its rest is in the next candle: that
opens at this price, which its high and low take in, and has more volume by what this one has less. Closes are the same.
Over minutes on end nothing is lost: the rests that come and go add up to what each candle has over its bar.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from agents.reconciliation.minutes import Amounts, Bar, Pair, Why
from app.units import MINUTE_NS

MOST_MINUTES: Final = 15
"""On end, each with a trade across its end, that are looked at on either side of a minute."""
EXPLAINED: Final = frozenset({Why.NO_BAR, Why.OPEN, Why.HIGH, Why.LOW, Why.VOLUME})
"""What such trades can be the reason of."""


class Cut(IntEnum):
    """Whether they explain a minute; where there are several ways to see it, the first of these counts."""

    YES = 0
    NOT_YET = 1
    """It hangs on a minute that is to come."""
    UNKNOWN = 2
    """It hangs on a minute that cannot be told: without a candle, or with trades missing."""
    NO = 3


class _Rest(NamedTuple):
    """What of a bar's last trade is in the next minute."""

    price: int
    size: int


_NO_REST: Final = _Rest(0, 0)


class Reach(NamedTuple):
    """How far an instrument's bars and candles have come."""

    folded_ns: int
    """The fold has made all bars before it."""
    newest_candle_ns: int
    """Candles of earlier minutes come no more."""


def cut(pairs: Mapping[int, Pair | None], at_ns: int, reach: Reach) -> Cut:
    """Whether there are minutes on end, this one among them, whose candles are their bars with trades cut by minutes.

    `pairs` are what has come of an instrument's minutes by their starts.
    """
    pair = pairs.get(at_ns)
    if pair is None or pair.candle is None or not _has_prices(pair.bar, pair.candle.amounts):
        return Cut.NO
    found = []
    for first_ns in range(at_ns, at_ns - MOST_MINUTES * MINUTE_NS, -MINUTE_NS):
        found.append(_carried(pairs, first_ns, at_ns, reach))
        before = _before(pairs, first_ns)
        if before is not Cut.YES:
            found.append(before)
            break
    return min(found)


def _has_prices(bar: Bar | None, candle: Amounts) -> bool:
    """Whether a candle has the prices of its bar behind the one that it opens at."""
    return _opened(bar, candle.open)._replace(volume=candle.volume) == candle


def _before(pairs: Mapping[int, Pair | None], start_ns: int) -> Cut:
    """Whether a trade may lie across the beginning of a minute, by its candle's open and the close before it."""
    pair, before = pairs.get(start_ns), pairs.get(start_ns - MINUTE_NS)
    bar = None if before is None else before.bar
    if pair is None or pair.candle is None or (bar is not None and bar.amounts.close != pair.candle.amounts.open):
        return Cut.NO
    if before is None or before.candle is None:
        is_equal = pair.bar is not None and pair.bar.amounts == pair.candle.amounts
        return Cut.NO if is_equal else Cut.UNKNOWN
    return Cut.NO if bar is None else Cut.YES


def _carried(pairs: Mapping[int, Pair | None], first_ns: int, at_ns: int, reach: Reach) -> Cut:
    """Whether minutes from the first one to this or a later one are explained, with nothing from or for others."""
    rest = _NO_REST
    for start_ns in range(first_ns, at_ns + MOST_MINUTES * MINUTE_NS, MINUTE_NS):
        pair = pairs.get(start_ns)
        if pair is None or pair.candle is None:
            return Cut.NOT_YET if start_ns > reach.newest_candle_ns else Cut.UNKNOWN
        if pair.bar is None and start_ns >= reach.folded_ns:
            return Cut.NOT_YET
        if pair.bar is not None and pair.bar.missing and start_ns != at_ns:
            return Cut.UNKNOWN
        behind = _rest_behind(pair.bar, pair.candle.amounts, rest)
        if behind is None:
            return Cut.NO
        if start_ns >= at_ns and not behind.size:
            return Cut.YES
        rest = behind
    return Cut.NO


def _rest_behind(bar: Bar | None, candle: Amounts, before: _Rest) -> _Rest | None:
    """What of a bar's last trade its candle leaves to the next minute; nothing where they differ in more than that."""
    if bar is None and not before.size and not candle.volume:
        return _NO_REST
    expected = _opened(bar, before.price) if before.size or bar is None else bar.amounts
    left = expected.volume + before.size - candle.volume
    is_begun_here = left < expected.volume or not left
    is_whole = left >= 0 and is_begun_here and expected._replace(volume=candle.volume) == candle
    return _Rest(expected.close, left) if is_whole else None


def _opened(bar: Bar | None, price: int) -> Amounts:
    """A bar with a price before all others, or that price alone."""
    return Amounts(price, price, price, price, 0) if bar is None else bar.amounts.opened_at(price)
