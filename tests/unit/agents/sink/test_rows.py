"""What is no row is a dead letter, whoever wrote it: no record may end the sink, or make Postgres refuse the others."""

import io
import json
from collections.abc import Mapping
from typing import Any, Final

import fastavro
import pytest

from agents.sink.rows import RowMaker, Rows
from agents.transport import RecordSet
from app.records import RecordReader, without_logical_types
from app.settings import PROJECT
from app.units import MILLISECOND_NS
from tests.unit.agents.kernel.record_sets import LOG_APPEND_TIME, KafkaRecord, record_batch

SCHEMAS: Final = PROJECT / "schemas"
WIRE_HEADER: Final = bytes(5)
AMOUNT: Final = (10**18).to_bytes(9, "big")
TRADE: Final = {
    "venue": "nasdaq",
    "instrument": "AAPL-USD",
    "trade_id": "7",
    "price": AMOUNT,
    "size": AMOUNT,
    "aggressor": "buy",
    "event_time_ns": 5,
    "receive_time_ns": 6,
}
BAR: Final = {
    **dict.fromkeys(("venue", "instrument", "interval", "first_trade_id", "last_trade_id", "epoch"), "any"),
    **dict.fromkeys(("open", "high", "low", "close", "volume", "notional"), AMOUNT),
    **dict.fromkeys(("revision", "trade_count", "seq", "first_offset", "last_offset", "generation", "partition"), 0),
    "start_ns": 0,
    "state": "final",
}


def text_of(name: str) -> str:
    return (SCHEMAS / f"{name}.avsc").read_text()


def value(schema: str, fields: Mapping[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(without_logical_types(json.loads(schema))), fields)
    return WIRE_HEADER + body.getvalue()


def rows_of(schema: str, value: bytes, *headers: tuple[str, bytes]) -> Rows:
    """Rows of one record whose schema has this text."""
    maker = RowMaker(RecordReader(SCHEMAS, lambda _id: schema), max_ahead_ns=0)
    batch = record_batch(0, [KafkaRecord(b"key", value, headers)])
    return maker.rows(RecordSet("live.trades", 3, batch, 0, 1), 0, "the topic's id")


@pytest.mark.parametrize("action", ["trade", "correct"])
@pytest.mark.parametrize(("flags", "ahead_ms", "is_refused"), [
    (LOG_APPEND_TIME, 86_400_000, False),
    (LOG_APPEND_TIME, 86_400_001, True),
    (0, 86_400_001, False),
])  # fmt: skip
def test_a_trade_more_than_a_day_ahead_of_the_log_is_a_dead_letter_where_the_log_tells_its_time(
    action: str, flags: int, ahead_ms: int, *, is_refused: bool
) -> None:
    appended_ms = 1_700_000_000_000
    times = dict.fromkeys(("event_time_ns", "receive_time_ns"), (appended_ms + ahead_ms) * MILLISECOND_NS)
    trade = value(text_of("trade"), {**TRADE, **times, "action": action, "refers_to": "6"})
    batch = record_batch(0, [KafkaRecord(b"key", trade)], flags=flags, base_timestamp_ms=appended_ms)
    maker = RowMaker(RecordReader(SCHEMAS, lambda _id: text_of("trade")), max_ahead_ns=0)
    rows = maker.rows(RecordSet("live.trades", 3, batch, 0, 1), 0, "the topic's id")
    reasons = ["event time is more than a day ahead of when the record came to the log"] if is_refused else []
    assert [reason for *_, reason, _, _ in rows.of.pop("dead_letter", [])] == reasons
    assert bool(rows.of) is not is_refused


def test_a_record_of_another_kind_of_schema_is_a_dead_letter_with_its_bytes() -> None:
    rows = rows_of('syntax = "proto3"; message Trade { string venue = 1; }', WIRE_HEADER + b"\n\x03abc")
    ((topic, partition, offset, epoch, reason, key, kept),) = rows.of.pop("dead_letter")
    assert (topic, partition, offset, epoch) == ("live.trades", 3, 0, "the topic's id")
    assert (key, kept) == (b"key", WIRE_HEADER + b"\n\x03abc")
    assert reason.startswith("schema id 0 is no Avro schema")
    assert not rows.of


def test_what_a_foreign_schema_calls_itself_is_told_as_far_as_postgres_stores_it() -> None:
    ((*_, reason, _, _),) = rows_of(json.dumps({"type": "record", "name": "a\0b\ud800"}), WIRE_HEADER).of["dead_letter"]
    assert "is a\\0b\\ud800" in reason


def test_a_record_is_stored_though_a_header_of_it_has_a_name_that_is_no_text() -> None:
    rows = rows_of(text_of("trade"), value(text_of("trade"), TRADE), ("\udcff", b"1"))
    assert [table for table, of in rows.of.items() if of] == ["trade"]


@pytest.mark.parametrize("action", ["correct", "cancel"])
def test_a_correction_of_an_id_that_no_index_takes_is_a_dead_letter(action: str) -> None:
    fields = TRADE | {"action": action, "refers_to": "x" * 501}
    ((*_, reason, _, _),) = rows_of(text_of("trade"), value(text_of("trade"), fields)).of["dead_letter"]
    assert reason == "refers_to is longer than 500 bytes, which Postgres does not index"


@pytest.mark.parametrize("name", ["venue", "instrument", "trade_id"])
@pytest.mark.parametrize("text", ["", "A 1", "ü", "x" * 257])
def test_a_trade_that_the_fold_refuses_for_a_name_is_no_row(name: str, text: str) -> None:
    ((*_, reason, _, _),) = rows_of(text_of("trade"), value(text_of("trade"), TRADE | {name: text})).of["dead_letter"]
    assert reason.startswith(f"{name} is no name")


def test_a_correction_that_refers_to_nothing_is_stored() -> None:
    fields = TRADE | {"action": "cancel", "refers_to": None}
    rows = rows_of(text_of("trade"), value(text_of("trade"), fields))
    assert [table for table, of in rows.of.items() if of] == ["trade_correction"]


def test_an_amount_that_cannot_be_written_down_is_a_dead_letter() -> None:
    endless = BAR | {"notional": b"\x7f" + bytes(2_000)}
    assert list(rows_of(text_of("bar"), value(text_of("bar"), BAR)).of) == ["bar"]
    ((*_, reason, _, _),) = rows_of(text_of("bar"), value(text_of("bar"), endless)).of["dead_letter"]
    assert reason.startswith("an amount is too long")
