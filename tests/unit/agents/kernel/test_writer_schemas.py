"""Records are read by the schema that wrote them: its fields may be more, fewer by defaults, or in another order."""

import json
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from agents.kernel import IncompatibleSchema, WriterSchemas
from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.partition_kit import (
    CLOCK_ID,
    SECOND,
    Partition,
    a_clock,
    a_trade,
    avro,
    new_fold,
    read_bar,
    records_of,
    schema_text,
    trade_fields,
    value_of,
    wire,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

RULES = Rules((("1m", 60 * SECOND),), out_of_order_ns=0, grace_ns=0, horizon_ns=900 * SECOND, max_ahead_ns=SECOND)
NEW_ID = 77
SKIPPED = [
    ("null", None),
    ("boolean", True),
    ("int", -5),
    ("long", 2**62),
    ("float", 1.5),
    ("double", 2.5),
    ("bytes", b"\1\2"),
    ("string", "text"),
    ({"type": "fixed", "name": "Four", "size": 4}, b"abcd"),
    ({"type": "enum", "name": "Letter", "symbols": ["a", "b"]}, "b"),
    ({"type": "array", "items": {"type": "array", "items": "long"}}, [[1, 2], [], [3]]),
    ({"type": "map", "values": ["null", "string"]}, {"a": None, "b": "c"}),
    ({"type": "record", "name": "Pair", "fields": [{"name": "x", "type": "int"}]}, {"x": 1}),
    (["null", "long", "string"], "branch"),
]


def trade_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text("trade"))
    return schema


def closes(schema: dict[str, Any], **more: object) -> list[Decimal]:
    """Closes of the bars that come of one trade of 12.5 written by a schema, and a clock that ends its minute."""
    schemas = WriterSchemas()
    schemas.add(NEW_ID, json.dumps(schema))
    schemas.add(CLOCK_ID, schema_text("clock"))
    partition = Partition(RULES)
    partition._fold = new_fold(RULES, schemas)
    trade = a_trade(0, 1, "12.5")
    fields = {**trade_fields(trade), "price": trade.price, "size": trade.size, **more}
    value = wire(NEW_ID, avro(fastavro.parse_schema(schema), fields))
    partition.fold(record_batch(0, [KafkaRecord(b"key", value), *records_of([a_clock(1, 61)])]))
    partition.flush()
    assert partition.dead == []
    return [read_bar(key, bar).close for key, bar in partition.bars]


@pytest.mark.parametrize(("kind", "value"), SKIPPED, ids=lambda part: str(part)[:30])
def test_a_field_that_the_fold_does_not_know_is_passed_over_wherever_it_is(kind: object, value: object) -> None:
    for place in (0, 5, len(trade_schema()["fields"])):
        schema = trade_schema()
        schema["fields"].insert(place, {"name": "added", "type": kind})
        assert closes(schema, added=value) == [Decimal("12.5")]


def test_a_reason_that_has_half_a_character_is_told_in_a_dead_letter() -> None:
    schemas = WriterSchemas()
    fold = new_fold(RULES, schemas)
    schemas.refuse(NEW_ID, "a\ud800 is no trade")
    assert fold.fold(record_batch(0, [KafkaRecord(b"key", wire(NEW_ID, b""))]), [], 0).dead == 1
    assert [reason for *_, reason in fold.take_flush().dead] == ["a\\ud800 is no trade"]


def test_a_refused_id_can_be_met_anew_and_one_that_has_a_plan_stays() -> None:
    schemas = WriterSchemas()
    fold = new_fold(RULES, schemas)
    sets = [
        record_batch(offset, [KafkaRecord(b"key", wire(NEW_ID, value_of(a_trade(offset, offset))[5:]))])
        for offset in range(3)
    ]
    assert fold.fold(sets[0], [], 0).needs_schema == NEW_ID
    schemas.refuse(NEW_ID, "unknown")
    assert fold.fold(sets[0], [], 0).dead == 1
    schemas.add(NEW_ID, schema_text("trade"))
    assert fold.fold(sets[1], [], 1).dead == 1
    schemas.forget(NEW_ID)
    assert fold.fold(sets[2], [], 2).needs_schema == NEW_ID
    schemas.add(NEW_ID, schema_text("trade"))
    schemas.forget(NEW_ID)
    assert fold.fold(sets[2], [], 2).trades == 1


def test_fields_in_another_order_are_found() -> None:
    schema = trade_schema()
    schema["fields"].reverse()
    assert closes(schema) == [Decimal("12.5")]


@pytest.mark.parametrize("gone", ["trade_seq", "action", "conditions", "source", "aggressor", "bridge_session"])
def test_a_field_with_a_default_may_be_missing(gone: str) -> None:
    schema = trade_schema()
    schema["fields"] = [part for part in schema["fields"] if part["name"] != gone]
    assert closes(schema) == [Decimal("12.5")]


def test_actions_are_told_by_their_names_in_the_writers_order() -> None:
    schema = trade_schema()
    action = next(part for part in schema["fields"] if part["name"] == "action")
    action["type"]["symbols"] = ["cancel", "trade", "correct"]
    assert closes(schema, action="trade") == [Decimal("12.5")]


@pytest.mark.parametrize(
    "gone", ["venue", "instrument", "trade_id", "price", "size", "event_time_ns", "receive_time_ns"]
)
def test_a_schema_without_a_field_that_the_fold_needs_is_refused_by_its_name(gone: str) -> None:
    schema = trade_schema()
    schema["fields"] = [part for part in schema["fields"] if part["name"] != gone]
    with pytest.raises(IncompatibleSchema, match=f"livetape.Trade has no field {gone}"):
        WriterSchemas().add(NEW_ID, json.dumps(schema))


def test_a_price_of_another_scale_is_refused() -> None:
    schema = trade_schema()
    next(part for part in schema["fields"] if part["name"] == "price")["type"]["scale"] = 8
    with pytest.raises(IncompatibleSchema, match=r"field price of livetape\.Trade is no decimal of scale 18"):
        WriterSchemas().add(NEW_ID, json.dumps(schema))


@pytest.mark.parametrize("other", ['"string"', '{"type": "record", "name": "Weather", "fields": []}', "{"])
def test_what_is_no_trade_and_no_clock_is_refused(other: str) -> None:
    with pytest.raises(IncompatibleSchema):
        WriterSchemas().add(NEW_ID, other)


def test_the_fold_stops_before_a_record_of_an_unknown_schema_and_goes_on_when_it_is_told() -> None:
    schemas = WriterSchemas()
    fold = new_fold(RULES, schemas)
    records = records_of([a_trade(0, 1), a_trade(1, 2)])
    assert fold.fold(record_batch(0, records), [], 0).needs_schema == 11
    assert fold.fold(record_batch(0, records), [], 0).next_offset == 0
    schemas.refuse(11, "nobody knows it")
    outcome = fold.fold(record_batch(0, records), [], 0)
    assert (outcome.needs_schema, outcome.dead, outcome.next_offset) == (None, 2, 2)
    assert {reason for *_, reason in fold.take_flush().dead} == {"nobody knows it"}
