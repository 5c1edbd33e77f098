"""The Avro schema of an aggregate's records: where and which window, the user's fields, and how it stands."""

import json
from typing import Any, Final

from app.aggregates.declaration import Amount, Declared, Field, Float, Integer, Kind, Text

Json = dict[str, Any]
_STATE_DOC: Final = (
    "final while nothing has changed it since it became final, revised once a late trade has: that may be so when it "
    "is first published. No unit."
)
_REVISION_DOC: Final = (
    "How many records have changed it since it became final. What comes between two flushes is published once, so that "
    "numbers may be left out, 0 too. No unit."
)


def avro_schema(aggregate: Declared) -> Json:
    """The schema; a user's field has its value of no trade as default, so that a new field is a compatible change."""
    state = {"type": "enum", "name": f"{aggregate.name}_state", "symbols": ["final", "revised"]}
    time = {"type": "long", "logicalType": "timestamp-nanos"}
    return {
        "type": "record",
        "name": aggregate.name,
        "namespace": "livetape.aggregates",
        "doc": f"{aggregate.doc} Topic `{aggregate.topic}`, key venue:instrument:interval:start_ns.".strip(),
        "fields": [
            _part("venue", "string", "Lower-case name of the venue, e.g. binance. No unit."),
            _part("instrument", "string", "Canonical name, BASE-QUOTE, e.g. BTC-USDT. No unit."),
            _part("interval", "string", "Length of the window, e.g. 1m."),
            _part("start_ns", time, "Start of the window, included, in nanoseconds since 1970-01-01T00:00:00Z."),
            _part("state", state, _STATE_DOC),
            _part("revision", "int", _REVISION_DOC),
            _part("trade_count", "long", "Number of trades."),
            *map(_users, aggregate.fields),
            _part(
                "seq", "long", "Offset in `trades` of the last record that changed or finalised the window. No unit."
            ),
            _part("epoch", "string", "Identity of the log that it was folded from. No unit."),
            _part("generation", "int", "How often the state was reset. No unit."),
            _part("partition", "int", "Partition of `trades` that it was folded from. No unit."),
        ],
    }


def schema_text(aggregate: Declared) -> str:
    """The schema as JSON text."""
    return json.dumps(avro_schema(aggregate), ensure_ascii=False)


def field_types(schema: Json) -> dict[str, str]:
    """What each field of a schema is, be it null or not: `decimal` whatever its places, else Avro's own type."""
    return {field["name"]: _named(field["type"]) for field in schema["fields"]}


def _named(kind: Any) -> str:  # noqa: ANN401 - a type is any JSON
    if isinstance(kind, list):
        return " or ".join(_named(each) for each in kind if each != "null")
    return str(kind.get("logicalType", kind["type"])) if isinstance(kind, dict) else str(kind)


def amount_bytes(value: int) -> bytes:
    """An Avro decimal: two's complement, big-endian, as short as it goes."""
    return value.to_bytes((8 + (value + (value < 0)).bit_length()) // 8, "big", signed=True)


def _part(name: str, kind: Any, doc: str) -> Json:  # noqa: ANN401 - a type is any JSON
    return {"name": name, "type": kind, "doc": doc}


def _users(field: Field) -> Json:
    kind: Any = _type(field.kind)
    default = amount_bytes(field.default).decode("latin-1") if _is_amount(field) else field.default
    if field.is_nullable:
        kind = ["null", kind] if field.default is None else [kind, "null"]
    return {**_part(field.name, kind, field.kind.doc), "default": default}


def _is_amount(field: Field) -> bool:
    return isinstance(field.kind, Amount) and field.default is not None


def _type(kind: Kind) -> Any:  # noqa: ANN401 - as above
    match kind:
        case Integer():
            return "long"
        case Amount(precision=precision, scale=scale):
            return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
        case Text():
            return "string"
        case Float():
            return "double"
