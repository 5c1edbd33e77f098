"""What the bars of a partition must be, computed anew from the list of its records and in no clever way.

Every bar is a function of the accepted trades in its window; no partial sum is kept. Amounts are Decimals, times are
nanoseconds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal
from itertools import pairwise

from tests.unit.agents.kernel.log_returns import sum_of_squares

EXACT = Context(prec=200)
MAX_UNSCALED_VOLUME = Decimal(10) ** 38
MAX_UNSCALED_NOTIONAL = Decimal(10) ** 76
ID_BUCKET_NS = 60_000_000_000
COUNTED_ANEW_NS = 60_000_000_000
LONG_AGO = -(10**30)


Span = tuple[int, int]
"""The time from a start to an end, which is not in it."""


@dataclass(frozen=True)
class Rules:
    """Intervals are (name, length), finest first."""

    intervals: tuple[tuple[str, int], ...]
    out_of_order_ns: int
    grace_ns: int
    horizon_ns: int
    max_ahead_ns: int
    contiguous: frozenset[str] = frozenset()
    """Venues that number an instrument's trades without a hole."""
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """By venue and trade condition code: what such a trade counts for."""
    hopping: tuple[tuple[str, int, int], ...] = ()
    """Name, length, and what lies between the starts of two windows."""
    sessions: Mapping[tuple[str, str], Mapping[str, tuple[Span, ...]]] = field(default_factory=dict)
    """By venue and instrument, or no instrument for all others of the venue: the windows of each name."""

    def spans(self, venue: str, instrument: str, time_ns: int) -> dict[str, list[Span]]:
        """By interval: the windows that a time is in."""
        found = {name: [_span(time_ns // length * length, length)] for name, length in self.intervals}
        for name, length, hop in self.hopping:
            last = time_ns // hop * hop
            found[name] = [_span(start, length) for start in range(last - length + hop, last + 1, hop)]
        for name, windows in self.sessions_of(venue, instrument).items():
            found[name] = [(start, end) for start, end in windows if start <= time_ns < end]
        return found

    def sessions_of(self, venue: str, instrument: str) -> Mapping[str, tuple[Span, ...]]:
        return self.sessions.get((venue, instrument), self.sessions.get((venue, ""), {}))

    def end_ns(self, window: "Window") -> int:
        spans = self.spans(window.venue, window.instrument, window.start_ns)[window.interval]
        return next(end for start, end in spans if start == window.start_ns)

    def part_of(self, name: str, venue: str, instrument: str) -> str | None:
        """The largest finer interval whose windows an interval's are made of."""
        sessions = self.sessions_of(venue, instrument)
        plain = {other: length for other, length in self.intervals if other not in sessions}
        hopping = {other: (length, hop) for other, length, hop in self.hopping}
        edges = [edge for span in sessions.get(name, ()) for edge in span] or hopping.get(name) or [plain[name]]
        finer = [other for other, length in plain.items() if other != name and not any(edge % length for edge in edges)]
        return max(finer, key=plain.__getitem__, default=None)


def _span(start_ns: int, length_ns: int) -> Span:
    return start_ns, start_ns + length_ns


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
    own_order: tuple[int, int, int] | None = None
    """Of a trade in another's place that has no number of its own: the other's, but for the time."""
    aggressor: str = "buy"
    count: int = 0
    """How often its venue had begun to count anew; known once it is accepted."""

    @property
    def order(self) -> tuple[int, int, int]:
        if self.own_order is not None:
            return self.own_order
        return self.count, self.event_time_ns if self.trade_seq is None else self.trade_seq, self.offset


@dataclass(frozen=True)
class Correction:
    """What a record that corrects or cancels says: the trade that is to stand in another's place, or none."""

    offset: int
    venue: str
    instrument: str
    refers_to: str
    by: Trade | None
    event_time_ns: int


@dataclass(frozen=True)
class Clock:
    offset: int
    venue: str
    time_ns: int


@dataclass(frozen=True)
class Unreadable:
    """A record that nobody can read as a trade or a clock."""

    offset: int


Event = Trade | Correction | Clock | Unreadable


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
    buy_volume: Decimal | None
    sell_volume: Decimal | None
    notional: Decimal
    squared_returns: Decimal | None
    trade_count: int
    seq: int
    first_offset: int
    last_offset: int
    first_trade_id: str
    last_trade_id: str
    missing: int | None


@dataclass
class Entry:
    """An accepted trade as it stands now, None when it was cancelled, and what the records that made it so said."""

    original: Trade
    now: Trade | None
    touches: list[tuple[int, int]]
    """When each record that made it so says that it was, or was before, and the record's offset."""
    ids: dict[str, int]
    """When each of the ids by which it is known was."""
    moved: dict[str, int] = field(default_factory=dict)
    """The latest time that it was moved to while it was known by an id."""


@dataclass
class Numbering:
    """The numbers that came since a venue began to count, and when each of them was."""

    times: dict[int, int] = field(default_factory=dict)
    newest_ns: int = LONG_AGO
    """The latest time that one of their trades ever had."""

    def learn(self, number: int, time_ns: int) -> None:
        self.times.setdefault(number, time_ns)
        self.newest_ns = max(self.newest_ns, time_ns)

    def is_much_older(self, time_ns: int) -> bool:
        return time_ns > self.newest_ns + COUNTED_ANEW_NS


@dataclass
class Tape:
    """The records so far, and what was made of each: offsets by fate, and the publications in order."""

    rules: Rules
    accepted: list[Trade] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    corrected: list[int] = field(default_factory=list)
    carried_out: set[Correction] = field(default_factory=set)
    """What the corrections that found their trade said, wherever in the log."""
    clocks: dict[str, int] = field(default_factory=dict)
    dead: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    revisions: dict[Window, int] = field(default_factory=lambda: defaultdict(int))
    published: list[Published] = field(default_factory=list)
    finals: set[Window] = field(default_factory=set)
    missing: dict[Window, int] = field(default_factory=dict)
    numberings: dict[tuple[str, str], list[Numbering]] = field(default_factory=lambda: defaultdict(list))
    """By venue and instrument: one each time that the venue began to count."""

    def take_all(self, events: Iterable[Event]) -> "Tape":
        for event in events:
            self.take(event)
        return self

    def take(self, event: Event) -> None:
        match event:
            case Trade():
                self._take_trade(event)
            case Correction():
                self._take_correction(event)
            case Clock():
                self.clocks[event.venue] = max(event.time_ns, self.clocks.get(event.venue, event.time_ns))
                self._finalise(event.offset)
            case Unreadable():
                self.dead.append(event.offset)

    def watermark(self, venue: str, instrument: str) -> int | None:
        times = [
            time_ns - self.rules.out_of_order_ns
            for entry in self._entries_of(venue, instrument)
            for time_ns, _ in entry.touches
        ]
        if venue in self.clocks:
            times.append(self.clocks[venue])
        return max(times, default=None)

    def last_published(self) -> dict[Window, Published]:
        return {bar.window: bar for bar in self.published}

    def forming(self) -> dict[Window, list[Entry]]:
        """Windows that are not final yet, and what was ever in them."""
        windows: dict[Window, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            for window in self._windows_of(entry):
                if not self._is_over(window, self.watermark(window.venue, window.instrument)):
                    windows[window].append(entry)
        return dict(windows)

    def offsets(self, window: Window) -> list[int]:
        """Of all records that said something of a trade in the window."""
        end_ns = self.rules.end_ns(window)
        return [
            offset
            for entry in self._entries_of(window.venue, window.instrument)
            for time_ns, offset in entry.touches
            if window.start_ns <= time_ns < end_ns
        ]

    def bar(self, window: Window, seq: int) -> Published:
        trades = sorted(self._trades_in(window), key=lambda trade: trade.order)
        revision = self.revisions[window]
        offsets = self.offsets(window)
        return Published(
            window,
            "revised" if revision else "final",
            revision,
            open=trades[0].price if trades else Decimal(0),
            high=max((trade.price for trade in trades), default=Decimal(0)),
            low=min((trade.price for trade in trades), default=Decimal(0)),
            close=trades[-1].price if trades else Decimal(0),
            volume=total(trade.size for trade in trades),
            buy_volume=total(trade.size for trade in trades if trade.aggressor == "buy"),
            sell_volume=total(trade.size for trade in trades if trade.aggressor == "sell"),
            notional=total(EXACT.multiply(trade.price, trade.size) for trade in trades),
            squared_returns=sum_of_squares(self._base_closes(trades)),
            trade_count=len(trades),
            seq=seq,
            first_offset=min(offsets),
            last_offset=max(offsets),
            first_trade_id=trades[0].trade_id if trades else "",
            last_trade_id=trades[-1].trade_id if trades else "",
            missing=self.missing.get(window, 0) if window.venue in self.rules.contiguous else None,
        )

    def _base_closes(self, trades: Iterable[Trade]) -> list[Decimal]:
        """The close of each base bar by time, of trades in their order."""
        base_length = self.rules.intervals[0][1]
        closes = {trade.event_time_ns // base_length: trade.price for trade in trades}
        return [closes[number] for number in sorted(closes)]

    def _take_trade(self, trade: Trade) -> None:
        watermark = self.watermark(trade.venue, trade.instrument)
        if self._is_dead(trade):
            self.dead.append(trade.offset)
            return
        if self._is_late(trade.event_time_ns, watermark):
            self.late.append(trade.offset)
        elif self._is_known(trade, watermark):
            self.duplicates.append(trade.offset)
        elif self._overflows(trade):
            self.dead.append(trade.offset)
        else:
            self.accepted.append(trade)
            time_ns = trade.event_time_ns
            counted = replace(trade, count=self._count_of(trade))
            self.entries.append(Entry(trade, counted, [(time_ns, trade.offset)], {trade.trade_id: time_ns}))
            self._learn(trade)
            self._revise(set(self._windows(trade)), trade, watermark)
            self._finalise(trade.offset)

    def _take_correction(self, correction: Correction) -> None:
        watermark = self.watermark(correction.venue, correction.instrument)
        by = correction.by
        entry = self._remembered(correction, watermark)
        if by is not None and self._is_dead(by):
            self.dead.append(correction.offset)
        elif entry is None:
            is_late = self._has_forgotten(correction.venue) or self._is_late(correction.event_time_ns, watermark)
            (self.late if is_late else self.dead).append(correction.offset)
        elif self._is_late(min(entry.touches[-1][0], by.event_time_ns if by else entry.touches[-1][0]), watermark):
            self.late.append(correction.offset)
        elif _anywhere(correction) in self.carried_out:
            self.duplicates.append(correction.offset)
        elif by is not None and self._is_known(by, watermark) and by.trade_id not in entry.ids:
            self.dead.append(correction.offset)
        elif entry.now is None:
            (self.dead if by else self.duplicates).append(correction.offset)
        else:
            self._correct(entry, correction, watermark)

    def _correct(self, entry: Entry, correction: Correction, watermark: int | None) -> None:
        before, by = entry.now, correction.by
        assert before is not None
        if by is not None:
            self.carried_out.add(_anywhere(correction))
        if by is not None and _told(before) == _told(by):
            self.duplicates.append(correction.offset)
            self._learn_name(entry, by)
            return
        changed = set(self._windows(before))
        entry.now = by and _in_place_of(before, by)
        entry.touches.append((before.event_time_ns, correction.offset))
        if by is not None:
            changed |= set(self._windows(by))
            self._learn_name(entry, by)
            if by.event_time_ns > before.event_time_ns:
                self._learn_move(entry, by.event_time_ns)
            entry.touches.append((by.event_time_ns, entry.original.offset))
            entry.touches.append((by.event_time_ns, correction.offset))
        self.corrected.append(correction.offset)
        self._revise(changed, correction, watermark)
        self._finalise(correction.offset)

    def _learn_name(self, entry: Entry, by: Trade) -> None:
        if by.trade_id not in entry.ids:
            self._learn(by)
        entry.ids.setdefault(by.trade_id, by.event_time_ns)

    def _remembered(self, correction: Correction, watermark: int | None) -> Entry | None:
        return next(
            (
                entry
                for entry in self._entries_of(correction.venue, correction.instrument)
                if self._is_remembered(entry, correction.refers_to, watermark)
            ),
            None,
        )

    def _is_dead(self, trade: Trade) -> bool:
        is_ahead = trade.event_time_ns > trade.receive_time_ns + self.rules.max_ahead_ns
        return trade.price <= 0 or trade.size <= 0 or is_ahead

    def _is_late(self, event_time_ns: int, watermark: int | None) -> bool:
        base_length = self.rules.intervals[0][1]
        base_start = event_time_ns // base_length * base_length
        return watermark is not None and base_start < watermark - self.rules.horizon_ns

    def _learn(self, trade: Trade) -> None:
        if trade.venue not in self.rules.contiguous:
            return
        numbering = self._numbering_of(trade)
        if not numbering.times:
            self.numberings[trade.venue, trade.instrument].append(numbering)
        numbering.learn(int(trade.trade_id), trade.event_time_ns)

    def _learn_move(self, entry: Entry, time_ns: int) -> None:
        """A trade that is known by these ids was moved to a later time."""
        entry.moved = {known: max(time_ns, entry.moved.get(known, LONG_AGO)) for known in entry.ids}
        numberings = self.numberings[entry.original.venue, entry.original.instrument]
        for number in (int(known) for known in entry.ids if numberings):
            newest = next(numbering for numbering in reversed(numberings) if number in numbering.times)
            newest.learn(number, time_ns)

    def _count_of(self, trade: Trade) -> int:
        """Which of its venue's counts a trade is to be numbered in."""
        if trade.venue not in self.rules.contiguous:
            return 0
        numberings, numbering = self.numberings[trade.venue, trade.instrument], self._numbering_of(trade)
        return next((at for at, each in enumerate(numberings) if each is numbering), len(numberings))

    def _numbering_of(self, trade: Trade) -> Numbering:
        """The numbers that a trade's is one of: new ones where it is much newer than all, and yet not the highest."""
        numberings, time_ns = self.numberings[trade.venue, trade.instrument], trade.event_time_ns
        if not numberings:
            return Numbering()
        if int(trade.trade_id) < max(numberings[-1].times) and numberings[-1].is_much_older(time_ns):
            return Numbering()
        for before, after in reversed(list(pairwise(numberings))):
            if before.is_much_older(time_ns) or time_ns >= after.times[min(after.times)]:
                return after
        return numberings[0]

    def _is_known(self, trade: Trade, watermark: int | None) -> bool:
        if trade.venue in self.rules.contiguous:
            return int(trade.trade_id) in self._numbering_of(trade).times
        return any(
            self._is_remembered(entry, trade.trade_id, watermark)
            for entry in self._entries_of(trade.venue, trade.instrument)
        )

    def _is_remembered(self, entry: Entry, trade_id: str, watermark: int | None) -> bool:
        """An id is remembered as long as another trade of its minute could be accepted."""
        if trade_id not in entry.ids:
            return False
        if entry.original.venue in self.rules.contiguous:
            return True
        last_ns = max(entry.ids[trade_id], entry.moved.get(trade_id, LONG_AGO))
        forgotten_ns = (last_ns // ID_BUCKET_NS + 1) * ID_BUCKET_NS + self.rules.horizon_ns
        return watermark is not None and watermark < forgotten_ns

    def _has_forgotten(self, venue: str) -> bool:
        """Whether a minute's ids of some instrument were: nobody knows then what a correction of none refers to."""
        return any(
            (time_ns // ID_BUCKET_NS + 1) * ID_BUCKET_NS + self.rules.horizon_ns
            <= (self.watermark(venue, entry.original.instrument) or LONG_AGO)
            for entry in self.entries
            if entry.original.venue == venue
            for time_ns in entry.ids.values()
        )

    def _overflows(self, trade: Trade) -> bool:
        for window in self._windows(trade):
            trades = [*self._trades_in(window), trade]
            volume = total(each.size for each in trades)
            notional = total(EXACT.multiply(each.price, each.size) for each in trades)
            if EXACT.scaleb(volume, 18) >= MAX_UNSCALED_VOLUME or EXACT.scaleb(notional, 36) >= MAX_UNSCALED_NOTIONAL:
                return True
        return False

    def _revise(self, changed: set[Window], by: Trade | Correction, watermark: int | None) -> None:
        """Publish the final windows that a record changed, by a trade or by ids that it shows to be missing or not."""
        for window in self.finals | changed:
            if (window.venue, window.instrument) != (by.venue, by.instrument) or self._is_gone(window, watermark):
                continue
            missing = self._missing(window)
            if (window in changed or missing != self.missing.get(window, 0)) and self._is_over(window, watermark):
                self.missing[window] = missing
                self.finals.add(window)
                self.revisions[window] += 1
                self.published.append(self.bar(window, by.offset))

    def _finalise(self, offset: int) -> None:
        for window in sorted({window for entry in self.entries for window in self._windows_of(entry)} - self.finals):
            self.missing[window] = self._missing(window)
            if self._is_over(window, self.watermark(window.venue, window.instrument)):
                self.finals.add(window)
                self.published.append(self.bar(window, offset))

    def _missing(self, window: Window) -> int:
        """Ids between neighbours of those that came, where the two are on both sides of the window or in it."""
        if window.venue not in self.rules.contiguous:
            return 0
        end_ns = self.rules.end_ns(window)
        return sum(
            after - before - 1
            for numbering in self.numberings[window.venue, window.instrument]
            for (before, before_ns), (after, after_ns) in pairwise(sorted(numbering.times.items()))
            if min(before_ns, after_ns) < end_ns and max(before_ns, after_ns) >= window.start_ns
        )

    def _is_gone(self, window: Window, watermark: int | None) -> bool:
        """A bar is kept until no bar that it is a part of may change any more, or is still to be summed up."""
        if watermark is None:
            return False
        rules = self.rules
        until = [rules.end_ns(window) + rules.horizon_ns]
        for name, spans in rules.spans(window.venue, window.instrument, window.start_ns).items():
            if rules.part_of(name, window.venue, window.instrument) == window.interval:
                is_hopping = any(name == other for other, _, _ in rules.hopping)
                after_ns = max(rules.horizon_ns, rules.grace_ns) if is_hopping else rules.horizon_ns
                until += [end + after_ns for _, end in spans]
        return max(until) <= watermark

    def _is_over(self, window: Window, watermark: int | None) -> bool:
        return watermark is not None and self.rules.end_ns(window) + self.rules.grace_ns <= watermark

    def _windows(self, trade: Trade) -> list[Window]:
        spans = self.rules.spans(trade.venue, trade.instrument, trade.event_time_ns)
        return [Window(trade.venue, trade.instrument, name, start) for name in spans for start, _ in spans[name]]

    def _windows_of(self, entry: Entry) -> set[Window]:
        """All windows that it was ever in."""
        first = entry.original
        return {
            window for time_ns, _ in entry.touches for window in self._windows(replace(first, event_time_ns=time_ns))
        }

    def _entries_of(self, venue: str, instrument: str) -> list[Entry]:
        return [
            entry for entry in self.entries if (entry.original.venue, entry.original.instrument) == (venue, instrument)
        ]

    def _trades_in(self, window: Window) -> list[Trade]:
        end_ns = self.rules.end_ns(window)
        return [
            entry.now
            for entry in self._entries_of(window.venue, window.instrument)
            if entry.now and window.start_ns <= entry.now.event_time_ns < end_ns
        ]


def _in_place_of(before: Trade, by: Trade) -> Trade:
    """A trade that stands for another: where it has no number of its own it has the other's, if that had one."""
    if by.trade_seq is not None:
        return replace(by, count=before.count)
    place = by.event_time_ns if before.trade_seq is None else before.trade_seq
    own_order = (before.count, place, before.order[-1])
    return replace(by, trade_seq=before.trade_seq, own_order=own_order, count=before.count)


def _anywhere(correction: Correction) -> Correction:
    """What a record says, wherever in the log it is."""
    return replace(correction, offset=0, by=correction.by and replace(correction.by, offset=0))


def _told(trade: Trade) -> tuple[Decimal, Decimal, int, str]:
    """What a correction may change in a bar."""
    return trade.price, trade.size, trade.event_time_ns, trade.aggressor


def total(amounts: Iterable[Decimal]) -> Decimal:
    """An exact sum, however many digits it has."""
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result
