"""The view: for each series a bounded ring of its newest bars, and who wants to hear of changes.

Only the event loop's thread touches it, so that a snapshot and a subscription are one step: no update is missed or
told twice between them.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from app.bars import Bar, Instrument, SeriesKey, encode
from app.partitions import Partition, Position

RING_BARS = 500
EVER_NS = -(2**63)
NEVER_NS = 2**63
"""No bar starts before that."""
MAX_SERIES = 20_000
"""Of those that have bars, and of those that are awaited: bars of a series beyond it are counted and left out."""

NOWHERE: Final[Mapping[SeriesKey, Position]] = MappingProxyType({})


class BarListener(Protocol):
    """Who hears of every new version of a series' bars."""

    def bar_changed(self, key: SeriesKey, start_ns: int, message: str) -> None:
        """Take one update, already encoded; must not wait."""


class Series:
    """The newest `depth` bars of a series, each in its newest version.

    One that begins late lacks what its partition had before. It holds no bar older than the first that it sees become
    final: between that one and a revision of an older one, or what was stored, others may be missing.
    """

    def __init__(self, key: SeriesKey, depth: int, *, begins_late: bool = False) -> None:
        self.key = key
        self._since_ns = None if begins_late else EVER_NS
        """From where on no bar is missing; None while that is not known."""
        self.read_up_to: Position | None = None
        """Before which every final or revised bar of it was read; None where none was."""
        self.listeners: set[BarListener] = set()
        self._depth = depth
        self._bars: dict[int, Bar] = {}
        self._starts: list[int] = []
        names = encode({"channel": key.channel, **key._asdict()})[1:-1]
        self._update_head = f'{{"type":"update",{names},"bar":'
        self._snapshot_head = f'{{"type":"snapshot",{names},"bars":['

    @property
    def has_begun(self) -> bool:
        """Whether no bar is missing between its oldest one and its newest."""
        return self._since_ns is not None

    @property
    def is_full(self) -> bool:
        """Whether a further bar pushes out the oldest one."""
        return len(self._starts) >= self._depth

    @property
    def newest_committed_ns(self) -> int | None:
        """Start of the newest bar that is final or revised: those before it came before it."""
        return next((start_ns for start_ns in reversed(self._starts) if self._bars[start_ns].order.committed), None)

    @property
    def oldest_ns(self) -> int | None:
        """Start of the oldest bar."""
        return self._starts[0] if self._starts else None

    @property
    def newest_ns(self) -> int | None:
        """Start of the newest bar."""
        return self._starts[-1] if self._starts else None

    def offer(self, bar: Bar) -> bool:
        """Keep the bar where it is newer than the version known; whether listeners should hear of it.

        A revision of a bar older than the ring is passed on and not kept.
        """
        if self._since_ns is None and bar.order.is_first:
            self._since_ns = bar.start_ns
            self._drop(start_ns for start_ns in self._starts if start_ns < bar.start_ns)
        known = self._bars.get(bar.start_ns)
        if known is not None:
            if bar.order <= known.order:
                return False
            self._bars[bar.start_ns] = bar
            return True
        if self._is_too_old(bar):
            return bar.order.committed
        if self.is_full:
            del self._bars[self._starts.pop(0)]
        self._bars[bar.start_ns] = bar
        insort(self._starts, bar.start_ns)
        return True

    def begin_late(self) -> None:
        """Drop what is held but for forming bars: what comes next does not follow on it."""
        self._since_ns = None
        self._drop(start_ns for start_ns, bar in self._bars.items() if bar.order.committed)

    def between(self, start_ns: int | None, end_ns: int | None, limit: int) -> list[Bar]:
        """The newest `limit` bars that start in [start_ns, end_ns), oldest first."""
        first = 0 if start_ns is None else bisect_left(self._starts, start_ns)
        last = len(self._starts) if end_ns is None else bisect_left(self._starts, end_ns)
        return [self._bars[start] for start in self._starts[max(first, last - limit) : last]]

    def since(self, start_ns: int, *, newest_first: bool = False) -> Iterator[Bar]:
        """The bars that start at that time or later, one by one for who needs few of them."""
        first, end = bisect_left(self._starts, start_ns), len(self._starts)
        places = range(end - 1, first - 1, -1) if newest_first else range(first, end)
        return (self._bars[self._starts[place]] for place in places)

    def snapshot(self) -> str:
        """The snapshot message: every bar of the ring, oldest first."""
        return self._snapshot_head + ",".join(self._bars[start].text for start in self._starts) + "]}"

    def tell(self, bar: Bar) -> None:
        """Send one update to every listener, encoded once."""
        message = f"{self._update_head}{bar.text}}}"
        for listener in self.listeners:
            listener.bar_changed(self.key, bar.start_ns, message)

    def _is_too_old(self, bar: Bar) -> bool:
        if self._since_ns is None:
            return bar.order.committed
        return bar.start_ns < self._since_ns or (self.is_full and bar.start_ns < self._starts[0])

    def _drop(self, starts: Iterable[int]) -> None:
        for start_ns in tuple(starts):
            del self._bars[start_ns]
        self._starts = sorted(self._bars)


class BarView:
    """Every series, by key. A series begins with its first bar, and has its place from then on."""

    def __init__(self, *, depth: int = RING_BARS, max_series: int = MAX_SERIES) -> None:
        self.depth = depth
        self.left_out = 0
        """Bars of series beyond the bound."""
        self._max_series = max_series
        self._series: dict[SeriesKey, Series] = {}
        self._awaited: dict[SeriesKey, Series] = {}
        """Those that had no bar yet and have listeners: they take no place from those that have some."""
        self._instruments: dict[Instrument, None] = {}
        self._late: set[Partition] = set()

    def begin_late(self, partition: Partition) -> None:
        """Say that what comes next of a partition does not follow on what came of it: some in between is not read."""
        self._late.add(partition)
        for series in (*self._series.values(), *self._awaited.values()):
            if partition.has(series.key):
                series.begin_late()

    def apply(self, bars: Iterable[tuple[SeriesKey, Bar]], read: Mapping[SeriesKey, Position] = NOWHERE) -> None:
        """Take bars in their log's order and tell the listeners of each that is news.

        `read` is how far the log was read of those series of which bars are final or revised.
        """
        for key, bar in bars:
            series = self._series.get(key) or self._begin(key)
            if series is None:
                self.left_out += 1
            elif series.offer(bar) and series.listeners:
                series.tell(bar)
        for key, position in read.items():
            if (held := self._series.get(key)) is not None:
                held.read_up_to = position

    def series(self, key: SeriesKey) -> Series | None:
        """A series, or None while it had no bar, or beyond the bound."""
        return self._series.get(key)

    def all_series(self) -> Iterator[Series]:
        """Every series, those of aggregates among them."""
        return iter(self._series.values())

    def instruments(self) -> Iterator[Instrument]:
        """Every instrument that has bars, those of series beyond the bound too."""
        return iter(self._instruments)

    @property
    def instrument_count(self) -> int:
        """How many those are."""
        return len(self._instruments)

    def newest_ns(self, interval: str) -> int | None:
        """Start of the newest bar of an interval, over all instruments."""
        series = (series for key, series in self._series.items() if key[2:] == (interval, "bars"))
        return max((one.newest_ns for one in series if one.newest_ns is not None), default=None)

    def knows(self, instrument: Instrument) -> bool:
        """Whether the instrument is one of those."""
        return instrument in self._instruments

    def subscribe(self, key: SeriesKey, listener: BarListener) -> str | None:
        """Begin to tell a listener of a series' changes; the snapshot message they follow on, None beyond the bound."""
        series = self._series.get(key) or self._awaited.get(key) or self._await(key)
        if series is None:
            return None
        series.listeners.add(listener)
        return series.snapshot()

    def unsubscribe(self, key: SeriesKey, listener: BarListener) -> None:
        """Stop telling the listener of this series."""
        series = self._series.get(key) or self._awaited.get(key)
        if series is None:
            return
        series.listeners.discard(listener)
        if not series.listeners:
            self._awaited.pop(key, None)

    @property
    def _is_full(self) -> bool:
        return len(self._series) >= self._max_series

    def _begin(self, key: SeriesKey) -> Series | None:
        """Give a series its place: one that is awaited has it also where there is no room, since it was promised."""
        self._instruments[Instrument(key.venue, key.instrument)] = None
        series = self._awaited.pop(key, None)
        if series is None and not self._is_full:
            series = self._made(key)
        if series is not None:
            self._series[key] = series
        return series

    def _await(self, key: SeriesKey) -> Series | None:
        if self._is_full or len(self._awaited) >= self._max_series:
            return None
        series = self._awaited[key] = self._made(key)
        return series

    def _made(self, key: SeriesKey) -> Series:
        return Series(key, self.depth, begins_late=any(partition.has(key) for partition in self._late))
