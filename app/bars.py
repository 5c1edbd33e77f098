"""A bar as the view keeps it: which series, which version, and its JSON."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from app.amounts import NOTIONAL_SCALE, PRICE_SCALE, plain, unscaled, vwap

encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""JSON text of a value, without spaces."""
PRICES = ("open", "high", "low", "close", "volume")
COPIED = ("trade_count", "missing", "state", "revision", "seq", "epoch", "first_trade_id", "last_trade_id")


class Instrument(NamedTuple):
    """What is traded where, by canonical names."""

    venue: str
    instrument: str


class SeriesKey(NamedTuple):
    """The bars of one interval of one instrument."""

    venue: str
    instrument: str
    interval: str


class Order(NamedTuple):
    """Which of two versions of one bar is newer: the greater. A reset outranks all that was before it."""

    generation: int
    seq: int
    committed: bool
    """A final or revised bar, which beats a forming one at the same seq."""
    revision: int


class Bar:
    """One version of one bar; its JSON is made when first asked for."""

    __slots__ = ("_fields", "_text", "order", "start_ns")

    def __init__(self, start_ns: int, order: Order, fields: Mapping[str, Any]) -> None:
        self.start_ns = start_ns
        self.order = order
        self._fields: Mapping[str, Any] | None = fields
        self._text = ""

    @classmethod
    def committed(cls, fields: Mapping[str, Any]) -> Self:
        """A final or revised bar from the fields of a `livetape.Bar`; decimals are the raw bytes."""
        order = Order(fields["generation"], fields["seq"], committed=True, revision=fields["revision"])
        bar = cls(fields["start_ns"], order, fields)
        _ = bar.text  # kept for long, and the text is a quarter of the fields
        return bar

    @classmethod
    def forming(cls, live: Mapping[str, Any], fields: Mapping[str, Any]) -> Self:
        """A forming bar from a `livetape.Live` and one of its bars; decimals are the raw bytes."""
        order = Order(live["generation"], fields["seq"], committed=False, revision=0)
        envelope = {name: live[name] for name in ("venue", "instrument", "epoch")}
        return cls(fields["start_ns"], order, {**fields, **envelope, "state": "forming", "revision": 0})

    @property
    def text(self) -> str:
        """The bar as JSON; prices are decimal text, times nanoseconds as text."""
        if self._fields is not None:
            self._text = encode(as_json(self._fields))
            self._fields = None
        return self._text


def as_json(fields: Mapping[str, Any]) -> dict[str, str | int | None]:
    """The JSON object of a bar; `fields` has decimals as Avro's raw bytes."""
    volume, notional = unscaled(fields["volume"]), unscaled(fields["notional"])
    average = vwap(notional, volume)
    return {
        "venue": fields["venue"],
        "instrument": fields["instrument"],
        "interval": fields["interval"],
        "start_ns": str(fields["start_ns"]),
        **{name: plain(unscaled(fields[name]), PRICE_SCALE) for name in PRICES},
        "notional": plain(notional, NOTIONAL_SCALE),
        "vwap": None if average is None else plain(average, PRICE_SCALE),
        **{name: fields[name] for name in COPIED},
    }
