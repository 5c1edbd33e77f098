"""Trades and clocks as bytes, and a partition whose process may die at any time."""

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeAlias

import fastavro

from agents.kernel import (
    Flush,
    FoldConfig,
    PackedBatch,
    PartitionFold,
    VenueRules,
    WriterSchemas,
    read_records,
)
from tests.unit.agents.kernel.bar_oracle import EXACT, Clock, Correction, Event, Published, Rules, Trade, Window
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

Json: TypeAlias = Any
Changelog: TypeAlias = list[tuple[bytes, bytes | None]]

SCHEMAS: Final = Path(__file__).parents[4] / "schemas"
TRADE_ID, CLOCK_ID, BAR_ID, LIVE_ID = 11, 12, 13, 14
EPOCH: Final = "topic-id-0"
SECOND: Final = 1_000_000_000
UNREADABLE: Final = b"\0\0\0\0\x0b\xff"
NOON: Final = 1_700_049_600 * SECOND  # a whole hour, so windows of every test's intervals begin there


COUNTS: Final = ("records", "trades", "duplicates", "late", "dead", "clocks", "corrections", "finals", "revisions")


def schema_text(name: str) -> str:
    return (SCHEMAS / f"{name}.avsc").read_text()


@cache
def parsed(name: str) -> Json:
    return fastavro.parse_schema(json.loads(schema_text(name)))


def wire(schema_id: int, body: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def avro(schema: Json, record: Json) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, schema, record)
    return out.getvalue()


def long(number: int) -> bytes:
    """A number in Avro's encoding, as in the state's keys and values."""
    out = BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


def longs(data: bytes) -> list[int]:
    """Such numbers, one behind the other."""
    body, found = BytesIO(data), []
    while body.tell() < len(data):
        number = fastavro.schemaless_reader(body, "long", None)
        assert isinstance(number, int)
        found.append(number)
    return found


def numbers_behind(prefix: bytes, changelog: Changelog) -> list[tuple[list[int], list[int] | None]]:
    """Of each record whose key begins so the numbers behind that, and those of its value; none of a tombstone."""
    return [
        (longs(key.removeprefix(prefix)), None if value is None else longs(value[1:]))
        for key, value in changelog
        if key.startswith(prefix)
    ]


@cache
def with_plain_bytes(name: str) -> Json:
    """The schema without its logical types, to write decimals that no Decimal could be."""

    def strip(node: Json) -> Json:
        if isinstance(node, dict):
            return {key: strip(value) for key, value in node.items() if key != "logicalType"}
        return [strip(part) for part in node] if isinstance(node, list) else node

    return fastavro.parse_schema(strip(json.loads(schema_text(name))))


def decimal_bytes(amount: Decimal) -> bytes:
    unscaled = int(EXACT.scaleb(amount, 18))
    return unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)


def trade_fields(trade: Trade) -> dict[str, Json]:
    return {
        "venue": trade.venue,
        "instrument": trade.instrument,
        "trade_id": trade.trade_id,
        "trade_seq": trade.trade_seq,
        "price": decimal_bytes(trade.price),
        "size": decimal_bytes(trade.size),
        "aggressor": trade.aggressor,
        "event_time_ns": trade.event_time_ns,
        "receive_time_ns": trade.receive_time_ns,
        "conditions": ["@", "T"] if trade.offset % 3 == 0 else [],  # of no meaning, but read in another way than none
    }


def trade_value(trade: Trade, **changed: Json) -> bytes:
    return wire(TRADE_ID, avro(with_plain_bytes("trade"), trade_fields(trade) | changed))


def correction_value(event: Correction) -> bytes:
    """A cancellation carries no amounts worth reading."""
    by = event.by or Trade(
        event.offset,
        event.venue,
        event.instrument,
        "",
        None,
        Decimal(0),
        Decimal(0),
        event.event_time_ns,
        event.event_time_ns,
    )
    return trade_value(by, action="correct" if event.by else "cancel", refers_to=event.refers_to)


def value_of(event: Event) -> bytes:
    match event:
        case Trade():
            return trade_value(event)
        case Correction():
            return correction_value(event)
        case Clock():
            return wire(CLOCK_ID, avro(parsed("clock"), {"venue": event.venue, "time_ns": event.time_ns}))
        case _:
            return UNREADABLE


def records_of(events: Sequence[Event]) -> list[KafkaRecord]:
    return [KafkaRecord(b"key", value_of(event)) for event in events]


def a_trade(offset: int, seconds: float, price: str = "10", size: str = "1", trade_id: str = "") -> Trade:
    """A trade `seconds` after noon, received at once."""
    time_ns = NOON + int(seconds * SECOND)
    return Trade(
        offset, "binance", "BTC-USDT", trade_id or str(offset), None, Decimal(price), Decimal(size), time_ns, time_ns
    )


def a_clock(offset: int, seconds: float, venue: str = "binance") -> Clock:
    return Clock(offset, venue, NOON + int(seconds * SECOND))


def new_schemas() -> WriterSchemas:
    schemas = WriterSchemas()
    schemas.add(TRADE_ID, schema_text("trade"))
    schemas.add(CLOCK_ID, schema_text("clock"))
    return schemas


def fold_config(rules: Rules) -> FoldConfig:
    return FoldConfig(
        intervals=[*((name, length, length) for name, length in rules.intervals), *rules.hopping],
        out_of_order_ns=rules.out_of_order_ns,
        grace_ns=rules.grace_ns,
        horizon_ns=rules.horizon_ns,
        max_ahead_ns=rules.max_ahead_ns,
        venues={
            venue: VenueRules(has_contiguous_ids=venue in rules.contiguous, conditions=rules.conditions.get(venue, {}))
            for venue in {*rules.contiguous, *rules.conditions}
        },
        sessions=rules.sessions,
    )


def new_fold(rules: Rules, schemas: WriterSchemas | None = None) -> PartitionFold:
    return PartitionFold(
        fold_config(rules),
        schemas or new_schemas(),
        bar_schema_id=BAR_ID,
        live_schema_id=LIVE_ID,
        partition=3,
        epoch=EPOCH,
        generation=2,
    )


def records_in(batches: Sequence[PackedBatch]) -> list[tuple[bytes, bytes | None]]:
    """Key and value of each record of batches."""
    read = [read_records(batch.marked(7, 0, 0, 0)) for batch in batches]
    assert [damaged for _, damaged in read if damaged] == []
    return [(record.key or b"", record.value) for records, _ in read for record in records]


def bars_in(flush: Flush) -> list[tuple[bytes, bytes]]:
    """Key and value of each bar of a flush; no bar is ever a tombstone."""
    records = records_in([*flush.bars, *flush.bars_1s])
    return [(key, value) for key, value in records if value is not None]


def live_in(fold: PartitionFold) -> dict[bytes, bytes]:
    """What `bars.live` would show of every instrument with a forming bar, by key."""
    return {key: value for key, value in records_in(fold.live_all()) if value is not None}


def compacted(changelog: list[tuple[bytes, bytes | None]]) -> list[tuple[bytes, bytes | None]]:
    """What compaction leaves at the least: the last record of each key, where it stood."""
    last = {key: place for place, (key, _) in enumerate(changelog)}
    return [record for place, record in enumerate(changelog) if last[record[0]] == place]


def rotten(record_set: bytes) -> bytes:
    """The same after its last bit has turned: its end can still be told."""
    return record_set[:-1] + bytes([record_set[-1] ^ 1])


class Partition:
    """The fold of one partition and the topics it writes to: `changelog`, `bars`, `late`, `dead`."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._fold = self._new_fold()
        self.next_offset = 0
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.bars: list[tuple[bytes, bytes]] = []
        self.late: list[int] = []
        self.dead: list[int] = []
        self.rereads: list[tuple[int, int]] = []
        self._log: dict[int, bytes] = {}
        self._standby = self._new_fold()
        self._followed = 0

    def fold(self, record_set: bytes, *, is_history_gone: bool = False) -> Counter[str]:
        """Fold a record set, with what it needs of the log so far; the counts of what was made of its records."""
        self._log[self.next_offset] = record_set
        counts: Counter[str] = Counter()
        while True:
            outcome = self._fold.fold(record_set, [], self.next_offset)
            assert outcome.corrupt == ""
            self.next_offset = outcome.next_offset
            counts.update({name: getattr(outcome, name) for name in COUNTS})
            if outcome.needs_history is None:
                return counts
            self.rereads.append((outcome.needs_history, outcome.next_offset))
            if is_history_gone:
                self._fold.history_is_gone()
                continue
            for first_offset in sorted(self._log):
                assert self._fold.reread(self._log[first_offset], []) is None

    def rot(self, first_offset: int) -> None:
        """Turn the last bit of a record set of the log that was folded from this offset on."""
        self._log[first_offset] = rotten(self._log[first_offset])

    def flush(self) -> Flush:
        flush = self._fold.take_flush()
        self.changelog += records_in(flush.changelog)
        self.bars += bars_in(flush)
        self.late += [offset for _, _, offset, _ in flush.late]
        self.dead += [offset for _, _, offset, _ in flush.dead]
        return flush

    def take(self, *events: Event) -> None:
        """Fold the next events of the log, and flush."""
        self.fold(record_batch(events[0].offset, records_of(events)))
        self.flush()

    def _new_fold(self) -> PartitionFold:
        return new_fold(self._rules)

    def live_all(self) -> dict[bytes, bytes]:
        return live_in(self._fold)

    def follow(self) -> None:
        """Let a standby take what came to the changelog since it last did."""
        records = [KafkaRecord(key, value) for key, value in self.changelog[self._followed :]]
        if records:
            self._standby.restore(record_batch(self._followed, records), [], self._followed)
        self._followed = len(self.changelog)

    def crash_and_take_over(self) -> None:
        """Lose what was not flushed and go on with the standby, another one beginning."""
        self.follow()
        self._go_on(self._standby)
        self._standby, self._followed = self._new_fold(), 0

    def crash_and_restore(self, *, is_compacted: bool) -> None:
        """Lose what was not flushed and come back from the changelog, whole or with only the last of each key."""
        restored = self._new_fold()
        records = compacted(self.changelog) if is_compacted else self.changelog
        if records:
            restored.restore(record_batch(0, [KafkaRecord(key, value) for key, value in records]), [], 0)
        self._go_on(restored)

    def come_back(self, rules: Rules, *, is_compacted: bool = True) -> None:
        """Crash, and come back configured otherwise."""
        self._rules = rules
        self.crash_and_restore(is_compacted=is_compacted)

    def _go_on(self, restored: PartitionFold) -> None:
        self._fold = restored
        progress = restored.restored()
        self.next_offset = progress.next_offset if progress else 0
        self._log = {first: record_set for first, record_set in self._log.items() if first < self.next_offset}


def read_bar(key: bytes, value: bytes) -> Published:
    """A published bar, after a look at what every one of them must carry."""
    assert value[:5] == wire(BAR_ID, b"")
    body = BytesIO(value[5:])
    bar: Json = fastavro.schemaless_reader(body, parsed("bar"), None)
    assert body.read() == b""
    window = Window(bar.pop("venue"), bar.pop("instrument"), bar.pop("interval"), bar.pop("start_ns"))
    assert key.decode() == f"{window.venue}:{window.instrument}:{window.interval}:{window.start_ns}"
    origin = {name: bar.pop(name) for name in ("epoch", "generation", "partition")}
    assert origin == {"epoch": EPOCH, "generation": 2, "partition": 3}
    return Published(window, **bar)


def read_live(value: bytes) -> dict[Window, Json]:
    """The forming bars of a `bars.live` record."""
    assert value[:5] == wire(LIVE_ID, b"")
    live: Json = fastavro.schemaless_reader(BytesIO(value[5:]), parsed("live"), None)
    return {Window(live["venue"], live["instrument"], bar["interval"], bar["start_ns"]): bar for bar in live["bars"]}
