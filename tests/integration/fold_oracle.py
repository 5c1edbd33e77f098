"""What the fold should have made of a log: the rules of bars again, as plainly as possible, in Decimals.

Nothing is incremental here: a bar is computed anew from the list of its trades each time that it is published.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from itertools import pairwise
from typing import Any

from app.intervals import duration_ns
from app.settings import Settings
from tests.unit.agents.kernel.log_returns import sum_of_squares

Fields = dict[str, Any]
EXACT = Context(prec=100)
CONTIGUOUS = {"binance", "kraken", "coinbase"}
"""Venues that number an instrument's trades without a hole."""
COMPUTED = (
    "open", "high", "low", "close", "volume", "buy_volume", "sell_volume", "notional", "squared_returns", "trade_count",
    "missing", "first_trade_id", "last_trade_id", "first_offset", "last_offset", "state", "revision", "seq",
    "partition",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class BarKey:
    """One window of one instrument."""

    venue: str
    instrument: str
    interval: str
    start_ns: int


@dataclass
class Accepted:
    """A trade that was counted, as it stands now, and where it was in the log."""

    fields: Fields
    offset: int
    is_cancelled: bool = False
    corrected_at: int | None = None
    """The offset of the newest record that made it what it is."""
    corrections: list[Fields] = field(default_factory=list)
    """All that were ever taken: one of them that comes again, however late, says nothing new."""

    @property
    def order(self) -> tuple[int, int]:
        """By the venue's own sequence, else by event time and offset."""
        sequence = self.fields["trade_seq"]
        return (self.fields["event_time_ns"], self.offset) if sequence is None else (sequence, 0)


@dataclass
class Window:
    """The trades of a window and how often it was revised, once it is final."""

    trades: list[Accepted] = field(default_factory=list)
    """All that were ever counted, cancelled ones too."""
    is_final: bool = False
    revision: int = 0
    missing: int = 0


@dataclass
class Instrument:
    """What is known of one instrument."""

    ids: dict[str, Accepted] = field(default_factory=dict)
    newest_ns: int | None = None
    windows: dict[tuple[str, int], Window] = field(default_factory=dict)
    forming: dict[tuple[str, int], Window] = field(default_factory=dict)
    """Those of the windows that are not final."""
    numbers: list[tuple[int, int]] = field(default_factory=list)
    """Ids in order, each with its event time."""
    gaps: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """By the id before it: how many are missing, and the first and last time that its two neighbours span."""

    def came(self, number: int, event_ns: int) -> bool:
        """Take an id; whether that changed a gap."""
        place = bisect(self.numbers, (number, event_ns))
        self.numbers.insert(place, (number, event_ns))
        before = dict(self.gaps)
        for low, high in pairwise(self.numbers[max(0, place - 1) : place + 2]):
            self.gaps.pop(low[0], None)
            if high[0] - low[0] > 1:
                self.gaps[low[0]] = (high[0] - low[0] - 1, min(low[1], high[1]), max(low[1], high[1]))
        return self.gaps != before

    def missing(self, start_ns: int, end_ns: int) -> int:
        """Ids missing from a window."""
        return sum(
            count for count, first_ns, last_ns in self.gaps.values() if first_ns < end_ns and last_ns >= start_ns
        )


class PartitionOracle:
    """Folds one partition's records in the order of their offsets; `published` has every version of every bar."""

    def __init__(self, settings: Settings, partition: int) -> None:
        self._settings = settings
        self._partition = partition
        self._windows = {name: lengths_ns(name) for name in settings.intervals}
        self._instruments: dict[tuple[str, str], Instrument] = defaultdict(Instrument)
        self._clocks: dict[str, int] = {}
        self.published: dict[BarKey, list[Fields]] = defaultdict(list)
        self.late: list[int] = []
        self.duplicates: list[int] = []
        self.corrected: list[int] = []
        self.dead: list[int] = []

    def clock(self, offset: int, fields: Fields) -> None:
        """A venue's time has come so far."""
        venue = fields["venue"]
        self._clocks[venue] = max(self._clocks.get(venue, fields["time_ns"]), fields["time_ns"])
        for name in [name for name in self._instruments if name[0] == venue]:
            self._finalise(name, offset)

    def trade(self, offset: int, fields: Fields) -> None:
        """A trade that can be read, or a correction or cancellation of one."""
        name = (fields["venue"], fields["instrument"])
        instrument = self._instruments[name]
        watermark = self._watermark(name)
        if self._is_late(fields["event_time_ns"], watermark):
            self.late.append(offset)
        elif fields["action"] != "trade":
            self._correct(name, offset, fields)
        elif fields["trade_id"] in instrument.ids:
            self.duplicates.append(offset)
        else:
            self._accept(name, watermark, Accepted(fields, offset))

    def forming(self) -> dict[BarKey, Fields]:
        """The bars that are not final yet."""
        return {
            BarKey(*name, interval, start): self._bar(name[0], window)
            for name, instrument in self._instruments.items()
            for (interval, start), window in instrument.forming.items()
        }

    def _is_late(self, event_ns: int, watermark: int | None) -> bool:
        base = event_ns - event_ns % next(iter(self._windows.values()))[0]
        return watermark is not None and base < watermark - self._settings.horizon_ns

    def _correct(self, name: tuple[str, str], offset: int, fields: Fields) -> None:
        """A correction or cancellation; with the id and the time of its trade, as those of most venues."""
        is_cancel = fields["action"] == "cancel"
        trade = self._instruments[name].ids.get(fields["refers_to"])
        if trade is None:
            self.dead.append(offset)
        elif fields in trade.corrections:
            self.duplicates.append(offset)
        elif trade.is_cancelled:
            (self.duplicates if is_cancel else self.dead).append(offset)
        elif not is_cancel and _told(trade.fields) == _told(fields):
            trade.corrections.append(fields)
            self.duplicates.append(offset)
        else:
            trade.corrections.append(fields)
            trade.is_cancelled, trade.corrected_at = is_cancel, offset
            trade.fields = trade.fields if is_cancel else fields
            self.corrected.append(offset)
            for key in self._windows_of(fields["event_time_ns"]):
                self._revise(name, *key, offset)

    def _windows_of(self, event_ns: int) -> list[tuple[str, int]]:
        return [(interval, start) for interval in self._windows for start in self._starts(interval, event_ns)]

    def _revise(self, name: tuple[str, str], interval: str, start_ns: int, offset: int) -> None:
        window = self._instruments[name].windows[interval, start_ns]
        if window.is_final:
            window.revision += 1
            self._publish(name, interval, start_ns, offset)

    def _accept(self, name: tuple[str, str], watermark: int | None, trade: Accepted) -> None:
        instrument = self._instruments[name]
        event_ns = trade.fields["event_time_ns"]
        instrument.ids[trade.fields["trade_id"]] = trade
        changed = set()
        for interval, start in self._windows_of(event_ns):
            window = instrument.windows.get((interval, start))
            if window is None:
                end = start + self._windows[interval][0]
                window = Window(is_final=self._is_past(end, watermark), missing=instrument.missing(start, end))
                instrument.windows[interval, start] = window
                if not window.is_final:
                    instrument.forming[interval, start] = window
            window.trades.append(trade)
            changed.add((interval, start))
        trade_id = trade.fields["trade_id"]
        if name[0] in CONTIGUOUS and trade_id.isdecimal() and instrument.came(int(trade_id), event_ns):
            changed |= self._count_missing(instrument, watermark)
        for interval, start in changed:
            self._revise(name, interval, start, trade.offset)
        instrument.newest_ns = max(instrument.newest_ns or event_ns, event_ns)
        self._finalise(name, trade.offset)

    def _count_missing(self, instrument: Instrument, watermark: int | None) -> set[tuple[str, int]]:
        """Count again in every bar that is still kept; those of which another number is missing now."""
        changed = set()
        for (interval, start), window in instrument.windows.items():
            missing = instrument.missing(start, start + self._windows[interval][0])
            if missing != window.missing and not self._is_gone(interval, start, watermark):
                window.missing = missing
                changed.add((interval, start))
        return changed

    def _is_gone(self, interval: str, start_ns: int, watermark: int | None) -> bool:
        """A bar is kept until no bar that sums it up may change any more, or is still to be summed up."""
        if watermark is None:
            return False
        until_ns = start_ns + self._windows[interval][0] + self._settings.horizon_ns
        for name, (length, hop) in self._windows.items():
            if self._part_of(name) == interval:
                after_ns = max(self._settings.horizon_ns, self._settings.grace_ns if hop < length else 0)
                until_ns = max(until_ns, self._starts(name, start_ns)[-1] + length + after_ns)
        return until_ns <= watermark

    def _part_of(self, interval: str) -> str | None:
        """The largest finer interval whose windows an interval's are made of."""
        plain = {name: length for name, (length, hop) in self._windows.items() if hop == length and name != interval}
        hop = self._windows[interval][1]
        return max((name for name in plain if hop % plain[name] == 0), key=plain.__getitem__, default=None)

    def _starts(self, interval: str, time_ns: int) -> range:
        """Of the windows that a time is in."""
        length, hop = self._windows[interval]
        last = time_ns - time_ns % hop
        return range(last - length + hop, last + 1, hop)

    def _finalise(self, name: tuple[str, str], offset: int) -> None:
        watermark = self._watermark(name)
        forming = self._instruments[name].forming
        past = [key for key in forming if self._is_past(key[1] + self._windows[key[0]][0], watermark)]
        for interval, start in past:
            forming.pop((interval, start)).is_final = True
            self._publish(name, interval, start, offset)

    def _publish(self, name: tuple[str, str], interval: str, start_ns: int, offset: int) -> None:
        window = self._instruments[name].windows[interval, start_ns]
        self.published[BarKey(*name, interval, start_ns)].append(
            {
                **self._bar(name[0], window),
                "state": "revised" if window.revision else "final",
                "revision": window.revision,
                "seq": offset,
                "partition": self._partition,
            }
        )

    def _base_closes(self, trades: Iterable[Accepted]) -> list[Decimal]:
        """The close of each base bar, by time."""
        length = next(iter(self._windows.values()))[0]
        in_order = sorted(trades, key=lambda trade: trade.order)
        closes = {trade.fields["event_time_ns"] // length: trade.fields["price"] for trade in in_order}
        return [closes[number] for number in sorted(closes)]

    def _watermark(self, name: tuple[str, str]) -> int | None:
        newest = self._instruments[name].newest_ns
        own = [] if newest is None else [newest - self._settings.out_of_order_ns]
        clock = [self._clocks[name[0]]] if name[0] in self._clocks else []
        return max(own + clock, default=None)

    def _is_past(self, end_ns: int, watermark: int | None) -> bool:
        return watermark is not None and end_ns + self._settings.grace_ns <= watermark

    def _bar(self, venue: str, window: Window) -> Fields:
        trades = sorted((trade for trade in window.trades if not trade.is_cancelled), key=lambda trade: trade.order)
        prices = [trade.fields["price"] for trade in trades] or [Decimal(0)]
        ids = [trade.fields["trade_id"] for trade in trades] or [""]
        volume = notional = Decimal(0)
        sides = {"buy": Decimal(0), "sell": Decimal(0), "unknown": Decimal(0)}
        for trade in trades:
            volume = EXACT.add(volume, trade.fields["size"])
            sides[trade.fields["aggressor"]] = EXACT.add(sides[trade.fields["aggressor"]], trade.fields["size"])
            notional = EXACT.add(notional, EXACT.multiply(trade.fields["price"], trade.fields["size"]))
        return {
            "open": prices[0],
            "high": max(prices),
            "low": min(prices),
            "close": prices[-1],
            "volume": volume,
            "buy_volume": sides["buy"],
            "sell_volume": sides["sell"],
            "notional": notional,
            "squared_returns": sum_of_squares(self._base_closes(trades)),
            "trade_count": len(trades),
            "missing": window.missing if venue in CONTIGUOUS else None,
            "first_trade_id": ids[0],
            "last_trade_id": ids[-1],
            "first_offset": min(trade.offset for trade in window.trades),
            "last_offset": max(max(trade.offset, trade.corrected_at or 0) for trade in window.trades),
        }


def _told(trade: Fields) -> tuple[Decimal, Decimal, str]:
    """What a correction may change in a bar."""
    return trade["price"], trade["size"], trade["aggressor"]


def lengths_ns(interval: str) -> tuple[int, int]:
    """Length of a window, and what lies between the starts of two."""
    length, _, hop = interval.partition("/")
    return duration_ns(length), duration_ns(hop or length)


def key_of(bar: Mapping[str, Any]) -> BarKey:
    """The window of a published bar."""
    return BarKey(bar["venue"], bar["instrument"], bar["interval"], bar["start_ns"])


def computed(bar: Mapping[str, Any]) -> Fields:
    """The part of a published bar that the oracle has as well."""
    return {name: bar[name] for name in COMPUTED}


def differences(bars: Iterable[Mapping[str, Any]], expected: Iterable[PartitionOracle]) -> list[str]:
    """A line for each bar that is lost, doubled, out of order, or has another value than it should.

    A flush may leave a bar's intermediate versions out: what was published must be some of the versions that there
    were, each once, in their order, and the last of them must be there.
    """
    published: dict[BarKey, list[Fields]] = defaultdict(list)
    for bar in bars:
        published[key_of(bar)].append(computed(bar))
    wanted = {key: versions for oracle in expected for key, versions in oracle.published.items()}
    return [
        f"{key}: published {published.get(key)}, expected {wanted.get(key)}"
        for key in sorted(published.keys() | wanted.keys())
        if not _is_right(published.get(key, []), wanted.get(key, []))
    ]


def _is_right(published: list[Fields], wanted: list[Fields]) -> bool:
    if not published or not wanted or published[-1] != wanted[-1]:
        return False
    remaining = iter(wanted)
    return all(version in remaining for version in published)
