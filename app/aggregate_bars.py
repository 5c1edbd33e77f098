"""Windows of users' aggregates as the view keeps them: bars of a channel of their own, with the user's fields."""

from collections.abc import Callable, Mapping
from typing import Any

from app.aggregates import Amount, Declared
from app.amounts import plain, plain_text, unscaled
from app.bars import Bar, Order, encode

COPIED = ("trade_count", "state", "revision", "seq")
READ = ("venue", "instrument", "interval", "start_ns", "epoch", "generation", *COPIED)


def from_record(declared: Declared, fields: Mapping[str, Any]) -> Bar:
    """A window from the fields of its record; amounts are Avro's raw bytes."""
    return _bar(declared, fields, lambda value, scale: plain(unscaled(value), scale))


def from_row(declared: Declared, row: Mapping[str, Any]) -> Bar:
    """A window from a row of the aggregate's table; amounts are Decimals, whatever their places."""
    return _bar(declared, row, lambda value, _: plain_text(value))


def _bar(declared: Declared, fields: Mapping[str, Any], amount: Callable[[Any, int], str]) -> Bar:
    def shown(name: str, kind: object) -> object:
        value = fields[name]
        if value is None or not isinstance(kind, Amount):
            return value
        return amount(value, kind.scale)

    order = Order(fields["generation"], fields["seq"], committed=True, revision=fields["revision"])
    json = {
        "venue": fields["venue"],
        "instrument": fields["instrument"],
        "interval": fields["interval"],
        "start_ns": str(fields["start_ns"]),
        **{field.name: shown(field.name, field.kind) for field in declared.fields},
        **{name: fields[name] for name in COPIED},
        "epoch": f"{fields['epoch']}.{fields['generation']}",
    }
    return Bar(fields["start_ns"], order, text=encode(json))
