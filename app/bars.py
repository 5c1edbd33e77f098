"""A bar as the view keeps it: which series, which version, and its JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from app.amounts import (
    MOST_BYTES,
    NOTIONAL_SCALE,
    PRICE_SCALE,
    RETURNS_SCALE,
    from_decimal,
    order_flow_imbalance,
    plain,
    realised_volatility,
    unscaled,
    vwap,
)

encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""JSON text of a value, without spaces."""
SCALES = {
    **dict.fromkeys(("open", "high", "low", "close", "volume", "buy_volume", "sell_volume"), PRICE_SCALE),
    "notional": NOTIONAL_SCALE,
    "squared_returns": RETURNS_SCALE,
}
"""Decimal places of each amount of a bar."""
COPIED = ("trade_count", "missing", "state", "revision", "seq", "first_trade_id", "last_trade_id")


class Instrument(NamedTuple):
    """What is traded where, by canonical names."""

    venue: str
    instrument: str


class SeriesKey(NamedTuple):
    """The bars of one interval of one instrument, or the windows of an aggregate, which have a channel of their own."""

    venue: str
    instrument: str
    interval: str
    channel: str = "bars"

    @property
    def topic(self) -> str:
        """The topic that has the committed ones, without namespace."""
        return "bars.1s" if (self.channel, self.interval) == ("bars", "1s") else self.channel


class Order(NamedTuple):
    """Which of two versions of one bar is newer: the greater. A reset outranks all that was before it."""

    generation: int
    seq: int
    committed: bool
    """A final or revised bar, which beats a forming one at the same seq."""
    revision: int

    @property
    def is_first(self) -> bool:
        """Whether it is the first committed version: those of a series come in the order of their windows."""
        return self.committed and self.revision == 0


class Bar:
    """One version of one bar; its JSON is made when first asked for."""

    __slots__ = ("_fields", "_text", "order", "start_ns")

    def __init__(self, start_ns: int, order: Order, *, fields: Mapping[str, Any] | None = None, text: str = "") -> None:
        self.start_ns = start_ns
        self.order = order
        self._fields = fields
        self._text = text

    @classmethod
    def committed(cls, fields: Mapping[str, Any]) -> Self:
        """A final or revised bar from the fields of a `livetape.Bar`; amounts are Avro's raw bytes.

        Its text is made at once: it is kept for long, and is a quarter of the fields.

        Raises:
            ValueError: an amount is longer than any bar's, or a sum of squares is negative.
        """
        _check(fields)
        return cls(fields["start_ns"], _committed_order(fields), text=encode(as_json(fields, _from_avro(fields))))

    @classmethod
    def stored(cls, row: Mapping[str, Any]) -> Self:
        """A final or revised bar from a row of the table `bar`; amounts are Decimals."""
        return cls(row["start_ns"], _committed_order(row), text=encode(as_json(row, _from_decimals(row))))

    @classmethod
    def forming(cls, live: Mapping[str, Any], fields: Mapping[str, Any]) -> Self:
        """A forming bar from a `livetape.Live` and one of its bars; amounts are Avro's raw bytes.

        Its text is made when it is asked for, so that what could not be written is refused here.

        Raises:
            ValueError: an amount is longer than any bar's, or a sum of squares is negative.
        """
        _check(fields)
        order = Order(live["generation"], fields["seq"], committed=False, revision=0)
        envelope = {name: live[name] for name in ("venue", "instrument", "epoch", "generation")}
        return cls(fields["start_ns"], order, fields={**fields, **envelope, "state": "forming", "revision": 0})

    @property
    def text(self) -> str:
        """The bar as JSON."""
        if self._fields is not None:
            self._text = encode(as_json(self._fields, _from_avro(self._fields)))
            self._fields = None
        return self._text


KeyedBars = Sequence[tuple[SeriesKey, Bar]]
"""Bars of any series, in their log's order."""


def as_json(fields: Mapping[str, Any], amounts: Mapping[str, int | None]) -> dict[str, str | int | None]:
    """The JSON object of a bar: amounts as decimal text, times as nanoseconds in text."""
    imbalance = order_flow_imbalance(amounts["buy_volume"], amounts["sell_volume"])
    return {
        "venue": fields["venue"],
        "instrument": fields["instrument"],
        "interval": fields["interval"],
        "start_ns": str(fields["start_ns"]),
        **{name: _text(amounts[name], scale) for name, scale in SCALES.items()},
        "vwap": _text(vwap(amounts["notional"], amounts["volume"]), PRICE_SCALE),
        "order_flow_imbalance": _text(imbalance, PRICE_SCALE),
        "realised_volatility": _text(realised_volatility(amounts["squared_returns"]), PRICE_SCALE),
        **{name: fields[name] for name in COPIED},
        "epoch": f"{fields['epoch']}.{fields['generation']}",
    }


def _check(fields: Mapping[str, Any]) -> None:
    if any(fields[name] is not None and len(fields[name]) > MOST_BYTES for name in SCALES):
        raise ValueError(f"an amount has more than {MOST_BYTES} bytes")
    if fields["squared_returns"] is not None and unscaled(fields["squared_returns"]) < 0:
        raise ValueError("a sum of squared returns is negative")


def _committed_order(fields: Mapping[str, Any]) -> Order:
    return Order(fields["generation"], fields["seq"], committed=True, revision=fields["revision"])


def _text(value: int | None, scale: int) -> str | None:
    return None if value is None else plain(value, scale)


def _from_avro(fields: Mapping[str, Any]) -> dict[str, int | None]:
    return {name: None if fields[name] is None else unscaled(fields[name]) for name in SCALES}


def _from_decimals(row: Mapping[str, Any]) -> dict[str, int | None]:
    return {name: None if row[name] is None else from_decimal(row[name], scale) for name, scale in SCALES.items()}
