"""What the fold takes the sink takes, and what one refuses the other refuses: bars and SQL are of the same trades."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import fastavro
import pytest

from agents.kernel import QUOTES, IncompatibleSchema, PartitionFold, WriterSchemas
from app.records import BadRecord, RecordReader, without_logical_types
from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.partition_kit import (
    SCHEMAS,
    SECOND,
    a_trade,
    new_fold,
    schema_text,
    trade_fields,
    wire,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

Json = Any
Change = Callable[[Json], Json]
NEW_ID: Final = 77
RULES: Final = Rules(
    (("1m", 60 * SECOND),), out_of_order_ns=0, grace_ns=0, horizon_ns=900 * SECOND, max_ahead_ns=SECOND
)
JAVAS: Final = {"type": "string", "avro.java.string": "String"}
MARKS: Final = {"__fastavro_parsed": True, "__named_schemas": {}}
DECIMAL: Final = {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18}


def field(schema: Json, name: str) -> Json:
    return next(part for part in schema["fields"] if part["name"] == name)


def with_type(name: str, kind: Json) -> Change:
    def change(schema: Json) -> None:
        field(schema, name)["type"] = kind
        field(schema, name).pop("default", None)

    return change


def nullable(name: str, *, is_first: bool = True) -> Change:
    def change(schema: Json) -> None:
        kind = field(schema, name)["type"]
        with_type(name, ["null", kind] if is_first else [kind, "null"])(schema)

    return change


def without(*names: str) -> Change:
    def change(schema: Json) -> None:
        schema["fields"] = [part for part in schema["fields"] if part["name"] not in names]

    return change


def with_symbol(name: str) -> Change:
    return lambda schema: field(schema, name)["type"]["symbols"].insert(0, "other")


def named(name: str, **more: str) -> Change:
    def change(schema: Json) -> None:
        del schema["namespace"]
        schema.update(name=name, **more)

    return change


def added(kind: Json, place: int = 0, **more: Json) -> Change:
    return lambda schema: schema["fields"].insert(place, {"name": "added", "type": kind, **more})


def wrapped(schema: Json) -> Json:
    """As Java's tools write it where strings are to be of its class `String`."""
    if isinstance(schema, dict):
        return {key: wrapped(part) if key in {"type", "items", "fields"} else part for key, part in schema.items()}
    if isinstance(schema, list):
        return [wrapped(part) for part in schema]
    return JAVAS if schema == "string" else schema


def sides_by_name(schema: Json) -> None:
    """The aggressor's type is told by another field before it."""
    kind = field(schema, "aggressor")["type"]
    field(schema, "aggressor")["type"] = "Aggressor"
    schema["fields"].insert(0, {"name": "added", "type": kind})


def renamed_sides(schema: Json) -> None:
    field(schema, "aggressor")["type"]["name"] = "Side"


def doubled(schema: Json) -> None:
    schema["fields"].append({"name": "venue", "type": "string"})


def marked_as_read(schema: Json) -> None:
    """By a library for which what has its marks is checked already."""
    sides_by_name(schema)
    schema.update(MARKS)


def marked_and_bare(schema: Json) -> None:
    del schema["fields"]
    schema.update(MARKS)


def with_alias(schema: Json) -> None:
    field(schema, "trade_seq").update(name="order", aliases=["trade_seq"])


def needed_by_an_alias(schema: Json) -> None:
    field(schema, "trade_id").update(name="id", aliases=["trade_id"])


TAKEN: Final[dict[str, Change]] = {
    "as it is": lambda schema: schema,
    "strings of Java": lambda schema: schema.update(fields=wrapped(schema["fields"])),
    "one more source": with_symbol("source"),
    "one more aggressor": with_symbol("aggressor"),
    "no aggressor": without("aggressor"),
    "none of what has a default": without("trade_seq", "action", "conditions", "source", "bridge_session"),
    "the whole name in one": named("livetape.Trade"),
    "a namespace that the name overrules": named("livetape.Trade", namespace="other"),
    "in another order": lambda schema: schema["fields"].reverse(),
    "a type by its name": sides_by_name,
    "a type by its name, marked as read": marked_as_read,
    "an alias for what has a default": with_alias,
    "always with an order": with_type("trade_seq", "long"),
    "never with an order": with_type("trade_seq", "null"),
    "an order of other unions": with_type("trade_seq", ["int", "long", "null"]),
    "int for long": with_type("bridge_sequence", "int"),
    "bytes for text": with_type("venue", "bytes"),
    "texts of bytes": with_type("conditions", {"type": "array", "items": "bytes"}),
    "a union of one": with_type("instrument", ["string"]),
    "a field more": added({"type": "map", "values": ["null", "string"]}),
    "an amount that nobody knows": added({"type": "bytes", "logicalType": "decimal", "precision": 1, "scale": 9}),
}
NULLABLE: Final[dict[str, Change]] = {
    "conditions": nullable("conditions"),
    "aggressor": nullable("aggressor"),
    "action": nullable("action", is_first=False),
    "source": nullable("source"),
    "bridge_sequence": nullable("bridge_sequence"),
    "bridge_session": nullable("bridge_session", is_first=False),
    "venue": nullable("venue"),
    "price": nullable("price"),
}
"""Fields that are never null in ours."""
REFUSED: Final[dict[str, Change]] = {
    "one more action": with_symbol("action"),
    "a venue that is null": with_type("venue", "null"),
    "a venue that may be null alone": with_type("venue", ["null"]),
    "a name without a namespace": named("Trade"),
    "a foreign namespace": named("Trade", namespace="other"),
    "no venue": without("venue"),
    "no price": without("price"),
    "another alias for what is needed": needed_by_an_alias,
    "an enum of another name": renamed_sides,
    "a field twice": doubled,
    "text for a number": with_type("bridge_sequence", "string"),
    "a number for text": with_type("bridge_session", "long"),
    "an order that may be text": with_type("trade_seq", ["null", "long", "string"]),
    "texts that may be null": with_type("conditions", {"type": "array", "items": ["null", "string"]}),
    "texts of a union of one": with_type("conditions", {"type": "array", "items": ["string"]}),
    "one text for many": with_type("conditions", "string"),
    "a float as a time": with_type("event_time_ns", "double"),
    "a price of another scale": with_type("price", {**DECIMAL, "scale": 8}),
    "a price that may be of another scale": with_type("price", [DECIMAL, {**DECIMAL, "scale": 8}]),
    "a price that may be text": with_type("price", [DECIMAL, "string"]),
    "a price in text that is called a decimal": with_type("price", {**DECIMAL, "type": "string"}),
    "a price of no scale": with_type("price", "bytes"),
    "a price that only pretends": with_type("price", {"type": "bytes", "decimal_scale": 18}),
    "a price of a scale that is no number": with_type("price", {**DECIMAL, "scale": []}),
    "no fields, marked as read": marked_and_bare,
    "a field with no name": lambda schema: schema["fields"].append({"name": [], "type": "null"}),
    "unions in unions": with_type("trade_seq", ["null", ["long"]]),
    "an error": lambda schema: schema.update(type="error"),
    "a type that nobody knows": added("livetape.Nothing"),
}


def changed(change: Change) -> Json:
    schema = json.loads(schema_text("trade"))
    change(schema)
    return schema


def fields_for(schema: Json) -> Json:
    """A trade's fields, as far as this schema has them otherwise than trade.avsc."""
    told = {part["name"]: part["type"] for part in schema["fields"]}
    fields = {
        **trade_fields(a_trade(0, 1)),
        "action": "trade",
        "source": "live",
        "conditions": ["@"],
        "refers_to": None,
    }
    fields |= {"bridge_session": "s", "bridge_sequence": 5, "added": {} if "added" in told else None}
    if told.get("trade_seq") == "long":
        fields["trade_seq"] = 7
    if told.get("venue") == "bytes":
        fields["venue"] = b"binance"
    if told.get("conditions") == {"type": "array", "items": "bytes"}:
        fields["conditions"] = [b"@"]
    if told.get("aggressor") == "Aggressor":
        fields["added"] = "buy"
    if isinstance(told.get("added"), dict) and told["added"]["type"] == "bytes":
        fields["added"] = b"\1"
    for name in ("source", "aggressor"):
        if "other" in symbols_of(told.get(name)):
            fields[name] = "other"
    return fields


def symbols_of(kind: Json) -> list[str]:
    return kind["symbols"] if isinstance(kind, dict) else []


def written(schema: Json, fields: Json) -> bytes:
    body = BytesIO()
    plain = without_logical_types({key: part for key, part in schema.items() if key not in MARKS})
    fastavro.schemaless_writer(body, fastavro.parse_schema(plain), fields)
    return wire(NEW_ID, body.getvalue())


def folding(schema: Json) -> PartitionFold:
    schemas = WriterSchemas()
    schemas.add(NEW_ID, json.dumps(schema))
    return new_fold(RULES, schemas)


@pytest.mark.parametrize("change", [*TAKEN.values(), *NULLABLE.values()], ids=[*TAKEN, *NULLABLE])
def test_both_take_it(change: Change) -> None:
    schema = changed(change)
    value = written(schema, fields_for(schema))
    assert folding(schema).fold(record_batch(0, [KafkaRecord(b"key", value)]), [], 0).trades == 1
    name, fields = RecordReader(SCHEMAS, lambda _id: json.dumps(schema)).read(value)
    assert (name, fields["venue"], fields["instrument"]) == ("livetape.Trade", "binance", "BTC-USDT")
    assert fields["source"] == "live"


@pytest.mark.parametrize("name", NULLABLE)
def test_both_refuse_a_record_that_has_null_where_ours_has_none(name: str) -> None:
    schema = changed(NULLABLE[name])
    value = written(schema, fields_for(schema) | {name: None})
    fold = folding(schema)
    assert fold.fold(record_batch(0, [KafkaRecord(b"key", value)]), [], 0).trades == 0
    assert [reason for *_, reason in fold.take_flush().dead] == ["a field is null that must not be"]
    with pytest.raises(BadRecord):
        RecordReader(SCHEMAS, lambda _id: json.dumps(schema)).read(value)


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_both_refuse_it_for_the_same_reason(change: Change) -> None:
    text = json.dumps(changed(change))
    with pytest.raises(IncompatibleSchema) as of_fold:
        WriterSchemas().add(NEW_ID, text)
    with pytest.raises(BadRecord) as of_sink:
        RecordReader(SCHEMAS, lambda _id: text).read(wire(NEW_ID, b""))
    name, is_other_name, _ = str(of_fold.value).partition(" is neither of ")
    reason = f" is {name}, expected one of" if is_other_name else str(of_fold.value).removeprefix("the schema")
    assert reason in str(of_sink.value)


@pytest.mark.parametrize(("kind", "records"), [("clock", ["livetape.Clock"]), ("quote", QUOTES)])
def test_both_refuse_other_inputs_alike(kind: str, records: list[str]) -> None:
    schema = json.loads(schema_text(kind))
    with_type("bridge_sequence", "string")(schema)
    with pytest.raises(IncompatibleSchema, match="field bridge_sequence of livetape"):
        WriterSchemas(records).add(NEW_ID, json.dumps(schema))
    with pytest.raises(BadRecord, match="field bridge_sequence of livetape"):
        RecordReader(SCHEMAS, lambda _id: json.dumps(schema)).read(wire(NEW_ID, b""))
