"""What the bars of a partition must be, computed anew from the list of its records and in no clever way.

Every bar is a function of the accepted trades in its window; no partial sum is kept. Amounts are Decimals, times are
nanoseconds.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal

EXACT = Context(prec=200)
MAX_UNSCALED_VOLUME = Decimal(10) ** 38
MAX_UNSCALED_NOTIONAL = Decimal(10) ** 76
ID_BUCKET_NS = 60_000_000_000


@dataclass(frozen=True)
class Rules:
    """Intervals are (name, length), finest first."""

    intervals: tuple[tuple[str, int], ...]
    out_of_order_ns: int
    grace_ns: int
    horizon_ns: int
    max_ahead_ns: int


@dataclass(frozen=True)
class Trade:
    offset: int
    venue: str
    instrument: str
    trade_id: str
    trade_seq: int | None
    price: Decimal
    size: Decimal
    event_time_ns: int
    receive_time_ns: int

    @property
    def order(self) -> tuple[int, int]:
        if self.trade_seq is not None:
            return self.trade_seq, 0
        return self.event_time_ns, self.offset


@dataclass(frozen=True)
class Clock:
    offset: int
    venue: str
    time_ns: int


@dataclass(frozen=True)
class Unreadable:
    """A record that nobody can read as a trade or a clock."""

    offset: int


Event = Trade | Clock | Unreadable


@dataclass(frozen=True, order=True)
class Window:
    venue: str
    instrument: str
    interval: str
    start_ns: int


@dataclass(frozen=True)
class Published:
    """One publication of a bar; named as the fields of bar.avsc."""

    window: Window
    state: str
    revision: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    notional: Decimal
    trade_count: int
    seq: int
    first_offset: int
    last_offset: int
    first_trade_id: str
    last_trade_id: str


@dataclass
class Tape:
    """The records so far, and what was made of each: offsets by fate, and the publications in order."""

    rules: Rules
    accepted: list[Trade] = field(default_factory=list)
    clocks: dict[str, int] = field(default_factory=dict)
    dead: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    revisions: dict[Window, int] = field(default_factory=lambda: defaultdict(int))
    published: list[Published] = field(default_factory=list)
    finals: set[Window] = field(default_factory=set)

    def take_all(self, events: Iterable[Event]) -> "Tape":
        for event in events:
            self.take(event)
        return self

    def take(self, event: Event) -> None:
        match event:
            case Trade():
                self._take_trade(event)
            case Clock():
                self.clocks[event.venue] = max(event.time_ns, self.clocks.get(event.venue, event.time_ns))
                self._finalise(event.offset)
            case Unreadable():
                self.dead.append(event.offset)

    def watermark(self, venue: str, instrument: str) -> int | None:
        times = [trade.event_time_ns - self.rules.out_of_order_ns for trade in self._trades_of(venue, instrument)]
        if venue in self.clocks:
            times.append(self.clocks[venue])
        return max(times, default=None)

    def last_published(self) -> dict[Window, Published]:
        return {bar.window: bar for bar in self.published}

    def forming(self) -> dict[Window, list[Trade]]:
        """Windows that are not final yet, and their trades."""
        windows: dict[Window, list[Trade]] = defaultdict(list)
        for trade in self.accepted:
            for window in self._windows(trade):
                if not self._is_over(window, self.watermark(trade.venue, trade.instrument)):
                    windows[window].append(trade)
        return dict(windows)

    def bar(self, window: Window, seq: int) -> Published:
        trades = sorted(self._trades_in(window), key=lambda trade: trade.order)
        revision = self.revisions[window]
        return Published(
            window,
            "revised" if revision else "final",
            revision,
            open=trades[0].price,
            high=max(trade.price for trade in trades),
            low=min(trade.price for trade in trades),
            close=trades[-1].price,
            volume=total(trade.size for trade in trades),
            notional=total(EXACT.multiply(trade.price, trade.size) for trade in trades),
            trade_count=len(trades),
            seq=seq,
            first_offset=min(trade.offset for trade in trades),
            last_offset=max(trade.offset for trade in trades),
            first_trade_id=trades[0].trade_id,
            last_trade_id=trades[-1].trade_id,
        )

    def _take_trade(self, trade: Trade) -> None:
        watermark = self.watermark(trade.venue, trade.instrument)
        if self._is_dead(trade):
            self.dead.append(trade.offset)
        elif self._is_late(trade, watermark):
            self.late.append(trade.offset)
        elif self._is_duplicate(trade, watermark):
            self.duplicates.append(trade.offset)
        elif self._overflows(trade):
            self.dead.append(trade.offset)
        else:
            self.accepted.append(trade)
            self._revise(trade, watermark)
            self._finalise(trade.offset)

    def _is_dead(self, trade: Trade) -> bool:
        is_ahead = trade.event_time_ns > trade.receive_time_ns + self.rules.max_ahead_ns
        return trade.price <= 0 or trade.size <= 0 or is_ahead

    def _is_late(self, trade: Trade, watermark: int | None) -> bool:
        base_length = self.rules.intervals[0][1]
        base_start = trade.event_time_ns // base_length * base_length
        return watermark is not None and base_start < watermark - self.rules.horizon_ns

    def _is_duplicate(self, trade: Trade, watermark: int | None) -> bool:
        """An id is remembered as long as another trade of its minute could be accepted."""
        return any(
            earlier.trade_id == trade.trade_id
            and watermark is not None
            and (earlier.event_time_ns // ID_BUCKET_NS + 1) * ID_BUCKET_NS > watermark - self.rules.horizon_ns
            for earlier in self._trades_of(trade.venue, trade.instrument)
        )

    def _overflows(self, trade: Trade) -> bool:
        for window in self._windows(trade):
            trades = [*self._trades_in(window), trade]
            volume = total(each.size for each in trades)
            notional = total(EXACT.multiply(each.price, each.size) for each in trades)
            if EXACT.scaleb(volume, 18) >= MAX_UNSCALED_VOLUME or EXACT.scaleb(notional, 36) >= MAX_UNSCALED_NOTIONAL:
                return True
        return False

    def _revise(self, trade: Trade, watermark: int | None) -> None:
        for window in self._windows(trade):
            if self._is_over(window, watermark):
                self.finals.add(window)
                self.revisions[window] += 1
                self.published.append(self.bar(window, trade.offset))

    def _finalise(self, offset: int) -> None:
        for window in sorted({window for trade in self.accepted for window in self._windows(trade)} - self.finals):
            if self._is_over(window, self.watermark(window.venue, window.instrument)):
                self.finals.add(window)
                self.published.append(self.bar(window, offset))

    def _is_over(self, window: Window, watermark: int | None) -> bool:
        end = window.start_ns + dict(self.rules.intervals)[window.interval]
        return watermark is not None and end + self.rules.grace_ns <= watermark

    def _windows(self, trade: Trade) -> list[Window]:
        return [
            Window(trade.venue, trade.instrument, name, trade.event_time_ns // length * length)
            for name, length in self.rules.intervals
        ]

    def _trades_of(self, venue: str, instrument: str) -> list[Trade]:
        return [trade for trade in self.accepted if (trade.venue, trade.instrument) == (venue, instrument)]

    def _trades_in(self, window: Window) -> list[Trade]:
        return [
            trade
            for trade in self._trades_of(window.venue, window.instrument)
            if 0 <= trade.event_time_ns - window.start_ns < dict(self.rules.intervals)[window.interval]
        ]


def total(amounts: Iterable[Decimal]) -> Decimal:
    """An exact sum, however many digits it has."""
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result
