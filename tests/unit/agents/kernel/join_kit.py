"""Trades and quotes as bytes, and a join whose process may die at any time."""

from collections.abc import Sequence
from io import BytesIO
from itertools import groupby
from typing import Any, Final

import fastavro

from agents.kernel import QUOTES, JoinConfig, JoinFlush, JoinProgress, QuoteJoin, WriterSchemas
from tests.unit.agents.kernel.bar_oracle import Clock
from tests.unit.agents.kernel.join_oracle import Fields, JoinRules, Log, Quote, QuoteEvent, Tick, TradeEvent
from tests.unit.agents.kernel.partition_kit import (
    CLOCK_ID,
    TRADE_ID,
    avro,
    compacted,
    decimal_bytes,
    new_schemas,
    parsed,
    records_in,
    schema_text,
    wire,
    with_plain_bytes,
)
from tests.unit.agents.kernel.record_sets import LOG_APPEND_TIME, KafkaRecord, record_batch

QUOTE_ID, JOINED_ID = 15, 16
TRADES_EPOCH, QUOTES_EPOCH = "trades-id", "quotes-id"
PARTITION: Final = 3


def trade_value(tick: Tick) -> bytes:
    fields = {
        "venue": tick.venue,
        "instrument": tick.instrument,
        "trade_id": tick.trade_id,
        "price": decimal_bytes(tick.price),
        "size": decimal_bytes(tick.size),
        "aggressor": tick.aggressor,
        "event_time_ns": tick.event_time_ns,
        "receive_time_ns": tick.receive_time_ns,
        "action": tick.action,
        "refers_to": tick.refers_to,
    }
    return wire(TRADE_ID, avro(with_plain_bytes("trade"), fields))


def quote_value(quote: Quote) -> bytes:
    sides: dict[str, Any] = {}
    for name, side in (("bid", quote.bid), ("ask", quote.ask)):
        sides[f"{name}_price"], sides[f"{name}_size"] = (None, None) if side is None else map(decimal_bytes, side)
    fields = {
        "venue": quote.venue,
        "instrument": quote.instrument,
        "quote_seq": quote.quote_seq,
        "event_time_ns": quote.event_time_ns,
        "receive_time_ns": quote.receive_time_ns,
        **sides,
    }
    return wire(QUOTE_ID, avro(with_plain_bytes("quote"), fields))


def value_of(event: TradeEvent | QuoteEvent) -> bytes:
    match event:
        case Tick():
            return trade_value(event)
        case Quote():
            return quote_value(event)
        case Clock():
            return wire(CLOCK_ID, avro(parsed("clock"), {"venue": event.venue, "time_ns": event.time_ns}))
        case _:
            return wire(CLOCK_ID, b"\xff")


def batch_of(events: Sequence[TradeEvent | QuoteEvent], codec: int, appended_ms: int | None = None) -> bytes:
    """One batch of events with consecutive offsets."""
    records = [KafkaRecord(b"key", value_of(event)) for event in events]
    flags = 0 if appended_ms is None else LOG_APPEND_TIME
    return record_batch(events[0].offset, records, codec=codec, flags=flags, base_timestamp_ms=appended_ms or 0)


def batches_of(log: Log, first: int, count: int, codec: int) -> bytes:
    """A batch for all records, or one for those that their log took at each time."""
    events = log.events[first : first + count]
    if not log.times_ms:
        return batch_of(events, codec)
    by_time = groupby(events, key=lambda event: log.appended_ms(event.offset))
    return b"".join(batch_of(list(taken), codec, appended_ms) for appended_ms, taken in by_time)


def new_join(rules: JoinRules, trade_schemas: WriterSchemas | None = None) -> QuoteJoin:
    quote_schemas = WriterSchemas(QUOTES)
    quote_schemas.add(QUOTE_ID, schema_text("quote"))
    quote_schemas.add(CLOCK_ID, schema_text("clock"))
    config = JoinConfig(
        base_ns=rules.base_ns,
        horizon_ns=rules.horizon_ns,
        quote_horizon_ns=rules.quote_horizon_ns,
        max_quote_age_ns=rules.max_quote_age_ns,
        max_ahead_ns=rules.max_ahead_ns,
        quoted_venues=sorted(rules.quoted),
        contiguous_venues=sorted(rules.contiguous),
    )
    return QuoteJoin(
        config,
        trade_schemas or new_schemas(),
        quote_schemas,
        joined_schema_id=JOINED_ID,
        partition=PARTITION,
        trades_epoch=TRADES_EPOCH,
        quotes_epoch=QUOTES_EPOCH,
    )


class JoinedPartition:
    """The join of one partition, its two logs, and the topics it writes to: `changelog`, `joined`, `dead`."""

    def __init__(
        self,
        rules: JoinRules,
        trades: Sequence[TradeEvent] | Log,
        quotes: Sequence[QuoteEvent] | Log,
    ) -> None:
        self._rules = rules
        self._trades = trades if isinstance(trades, Log) else Log(trades)
        self._quotes = quotes if isinstance(quotes, Log) else Log(quotes)
        self.join = new_join(rules)
        self.trades_at = 0
        self.quotes_at = 0
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.joined: list[Fields] = []
        self.dead: list[int] = []

    @property
    def kept_quotes(self) -> int:
        return self.join.kept_quotes

    def take_trades(self, count: int, codec: int) -> None:
        """The next records of `trades`, as one batch."""
        if self.trades_at < len(self._trades.events) and count:
            taken = batches_of(self._trades, self.trades_at, count, codec)
            outcome = self.join.take_trades(taken, [], self.trades_at)
            assert (outcome.corrupt, outcome.needs_schema) == ("", None)
            self.trades_at = outcome.next_offset

    def take_quotes(self, count: int, codec: int) -> None:
        """The next records of `quotes`, as one batch."""
        if self.quotes_at < len(self._quotes.events) and count:
            taken = batches_of(self._quotes, self.quotes_at, count, codec)
            outcome = self.join.take_quotes(taken, [], self.quotes_at)
            assert (outcome.corrupt, outcome.needs_schema) == ("", None)
            self.quotes_at = outcome.next_offset

    def take_all(self) -> None:
        self.take_trades(len(self._trades.events), 0)
        self.take_quotes(len(self._quotes.events), 0)
        self.flush()

    def flush(self) -> JoinFlush:
        flush = self.join.take_flush()
        self.changelog += records_in(flush.changelog)
        self.joined += [read_joined(key, value) for key, value in records_in(flush.joined)]
        self.dead += [offset for _, _, offset, _ in flush.dead]
        return flush

    def crash_and_restore(
        self,
        *,
        is_compacted: bool,
        trades_begin: int = 0,
        quotes_begin: int = 0,
        rules: JoinRules | None = None,
    ) -> JoinProgress | None:
        """Lose what was not flushed and come back from the changelog, whole or with only the last of each key.

        The logs begin at these offsets by then, and the rules may be others.
        """
        self._rules = rules or self._rules
        self.join = new_join(self._rules)
        records = compacted(self.changelog) if is_compacted else self.changelog
        if records:
            self.join.restore(record_batch(0, [KafkaRecord(key, value) for key, value in records]), [], 0)
        progress = self.join.restored(trades_begin, quotes_begin)
        self.trades_at, self.quotes_at = (
            (trades_begin, quotes_begin) if progress is None else (progress.trades_from, progress.quotes_from)
        )
        return progress


def read_joined(key: bytes, value: bytes | None) -> Fields:
    """The fields of a joined trade, after a look at what every one of them must carry."""
    assert value is not None
    assert value[:5] == wire(JOINED_ID, b"")
    body = BytesIO(value[5:])
    fields: Any = fastavro.schemaless_reader(body, parsed("joined"), None)
    assert body.read() == b""
    assert key.decode() == f"{fields['venue']}:{fields['instrument']}"
    assert (fields.pop("epoch"), fields.pop("partition")) == (TRADES_EPOCH, PARTITION)
    return fields  # type: ignore[no-any-return]  # fastavro has no types
