"""Top movers: instruments ranked by how much their price changed over the last interval of event time.

The change is that of the newest price against the first one traded within the interval, which ends with the venue's
newest bar and is made of the finest bars that the view holds so many of. An instrument of which the view has not read
all bars of it, as where its venue stands still, is left out. All clients wait while a ranking reads the view, so
that it is good for whoever asks until /ws tells the next one.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from operator import neg
from time import monotonic
from typing import Final, NamedTuple

from app.amounts import PRICE_SCALE, divided, plain, unscaled_text
from app.bars import Bar, SeriesKey, encode
from app.catalogue import Code, RequestRefused
from app.intervals import read_interval
from app.partitions import Partition
from app.status import Status
from app.views import EVER_NS, NEVER_NS, BarListener, BarView

CHANNEL = "movers"
PUBLISHED = 20
"""How many of them /ws tells."""
PERIOD_S = 1.0
"""How often /ws tells, where something changed, and how long a ranking is good for."""


class Direction(StrEnum):
    """Which come first."""

    BOTH = "both"
    UP = "up"
    DOWN = "down"


_SIZES: Final[Mapping[Direction, Callable[[int], int]]] = {
    Direction.BOTH: abs,
    Direction.UP: int,
    Direction.DOWN: neg,
}


class Mover(NamedTuple):
    """An instrument's way through the interval; amounts in 10^-18."""

    key: SeriesKey
    start_ns: int
    open: int
    close: int
    change: int

    def as_json(self) -> dict[str, str]:
        """Amounts as decimal text; `change` is a fraction, 0.01 is one per cent."""
        amounts = {name: plain(getattr(self, name), PRICE_SCALE) for name in ("open", "close", "change")}
        return {
            "venue": self.key.venue,
            "instrument": self.key.instrument,
            "start_ns": str(self.start_ns),
            **amounts,
        }


class _Ranking:
    """The movers of an interval at one time, in the order of each direction that was asked for."""

    def __init__(self, movers: Iterable[Mover], until_s: float) -> None:
        self.until_s = until_s
        """How long it is good for."""
        self._movers = tuple(movers)
        self._ordered: dict[Direction, list[Mover]] = {}

    def first(self, direction: Direction, limit: int) -> list[Mover]:
        """The first so many; of equal ones by name."""
        if direction not in self._ordered:
            size = _SIZES[direction]
            self._ordered[direction] = sorted(self._movers, key=lambda mover: (-size(mover.change), mover.key))
        return self._ordered[direction][:limit]


class Movers:
    """Ranks the view's instruments, and tells listeners of changes in the ranking."""

    def __init__(self, view: BarView, status: Status, intervals: Sequence[str]) -> None:
        self._view = view
        self._status = status
        read = map(read_interval, intervals)
        self._lengths = {each.name: each.length_ns for each in read if each.hop_ns == each.length_ns}
        self._listeners: dict[str, set[BarListener]] = {name: set() for name in self._lengths}
        self._told: dict[str, str] = {}
        self._rankings: dict[str, _Ranking] = {}

    def check_interval(self, interval: str) -> None:
        """Raise RequestRefused where there is no such interval, or its windows overlap."""
        if interval not in self._lengths:
            reason = f"{interval!r} is no interval of movers; these are {', '.join(self._lengths)}"
            raise RequestRefused(Code.UNKNOWN_INTERVAL, reason)

    def check_whole(self, interval: str) -> None:
        """Raise RequestRefused while the interval reaches back to bars that the view did not read."""
        part = self._part(interval)
        newest_ns = self._view.newest_ns(part)
        topic = SeriesKey("", "", part).topic
        whole_from_ns = self._whole_from(part, (late for late in self._status.now.unread if late.topic == topic))
        if newest_ns is not None and newest_ns - self._reach_ns(interval, part) < whole_from_ns:
            reason = f"the last {interval} begins before the bars that were there to be read: ask again later"
            raise RequestRefused(Code.NO_DATABASE, reason)

    def ranked(self, interval: str, direction: Direction, limit: int) -> list[Mover]:
        """The first so many; of equal ones by name.

        Raises:
            RequestRefused: there is no such interval, or its windows overlap.
        """
        self.check_interval(interval)
        return self._ranking(interval).first(direction, limit)

    def subscribe(self, interval: str, listener: BarListener) -> str:
        """Begin to tell a listener; the message that says how it stands. Raises RequestRefused."""
        message = self._message(interval)
        self._told.pop(interval, None)  # who listens already may have heard another one last
        self._listeners[interval].add(listener)
        return message

    def unsubscribe(self, interval: str, listener: BarListener) -> None:
        """Stop telling the listener of this interval."""
        self._listeners[interval].discard(listener)

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await asyncio.sleep(PERIOD_S)
            for interval, listeners in self._listeners.items():
                if listeners:
                    self._tell(interval)
                    await asyncio.sleep(0)  # others' turn: of thousands of instruments each ranking takes long

    def _tell(self, interval: str) -> None:
        message = self._message(interval)
        if message != self._told.get(interval):
            self._told[interval] = message
            for listener in self._listeners[interval]:
                listener.bar_changed(movers_key(interval), 0, message)

    def _message(self, interval: str) -> str:
        movers = [mover.as_json() for mover in self.ranked(interval, Direction.BOTH, PUBLISHED)]
        return encode({"type": "movers", "channel": CHANNEL, "interval": interval, "movers": movers})

    def _ranking(self, interval: str) -> _Ranking:
        now_s = monotonic()
        ranking = self._rankings.get(interval)
        if ranking is None or now_s >= ranking.until_s:
            ranking = self._rankings[interval] = _Ranking(self._all(interval), now_s + PERIOD_S)
        return ranking

    def _all(self, interval: str) -> list[Mover]:
        part = self._part(interval)
        series = [one for one in self._view.all_series() if one.key.channel == "bars" and one.key.interval == part]
        newest: dict[str, int] = {}
        for one in series:
            if one.newest_ns is not None:
                newest[one.key.venue] = max(newest.get(one.key.venue, one.newest_ns), one.newest_ns)
        reach_ns = self._reach_ns(interval, part)
        begins = {venue: newest_ns - reach_ns for venue, newest_ns in newest.items()}
        movers = []
        for one in series:
            begin_ns = begins.get(one.key.venue, EVER_NS)
            if begin_ns < self._whole_from(part, (late for late in self._status.now.unread if late.has(one.key))):
                continue
            first, last = _price(one.since(begin_ns), "open"), _price(one.since(begin_ns, newest_first=True), "close")
            if first is not None and last is not None:
                movers.append(_mover(one.key, *first, last[1]))
        return movers

    def _whole_from(self, part: str, late: Iterable[Partition]) -> int:
        """From where on the view lacks no bar of partitions that it began to read late."""
        begins = self._status.now.begins
        return max((begins.get((partition, part), NEVER_NS) for partition in late), default=EVER_NS)

    def _reach_ns(self, interval: str, part: str) -> int:
        """How far before the newest bar the first one of the interval starts."""
        return self._lengths[interval] - self._lengths[part]

    def _part(self, interval: str) -> str:
        """The finest interval whose ring reaches as far back."""
        length_ns = self._lengths[interval]
        fit = (
            name
            for name, part_ns in self._lengths.items()
            if length_ns % part_ns == 0 and length_ns // part_ns <= self._view.depth
        )
        return next(fit, interval)


def movers_key(interval: str) -> SeriesKey:
    """Under what a ranking waits in an outbox: the newest takes the place of one that was not sent."""
    return SeriesKey("", "", interval, CHANNEL)


def _price(bars: Iterable[Bar], name: str) -> tuple[int, int] | None:
    """Start and price of the first of these bars that has one: a bar whose trades were all cancelled has none."""
    prices = ((bar.start_ns, unscaled_text(json.loads(bar.text)[name], PRICE_SCALE)) for bar in bars)
    return next(((start_ns, price) for start_ns, price in prices if price), None)


def _mover(key: SeriesKey, start_ns: int, opened: int, closed: int) -> Mover:
    change = divided((closed - opened) * 10**PRICE_SCALE, opened)
    return Mover(key, start_ns, opened, closed, change)
