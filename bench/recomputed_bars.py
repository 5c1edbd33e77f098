"""The bars of a benchmark's trades, recomputed trade by trade in `Decimal`: what no engine had a hand in."""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro

from app.intervals import duration_ns
from bench.bars import BarKey, BarValues
from bench.trades_topic import TradesSpec, trades

_WIRE_HEADER_BYTES = 5
_DIGITS = 80  # notional has 36 places


def recompute(spec: TradesSpec, intervals: tuple[str, ...], schemas_dir: Path) -> dict[BarKey, BarValues]:
    """Every bar of the trades of `spec`, which are in order."""
    schema = fastavro.schema.load_schema(str(schemas_dir / "trade.avsc"))
    lengths = {interval: duration_ns(interval) for interval in intervals}
    bars: dict[BarKey, BarValues] = {}
    with localcontext(prec=_DIGITS):
        for event_time_ns, _, value in trades(spec, 0, schemas_dir):
            trade: Any = fastavro.schemaless_reader(BytesIO(value[_WIRE_HEADER_BYTES:]), schema, None)
            for interval, length_ns in lengths.items():
                key = BarKey(interval, trade["instrument"], event_time_ns - event_time_ns % length_ns)
                bars[key] = _with_trade(bars.get(key), trade)
    return bars


def _with_trade(bar: BarValues | None, trade: Mapping[str, Decimal]) -> BarValues:
    price, size = trade["price"], trade["size"]
    if bar is None:
        return BarValues(price, price, price, price, size, price * size, 1)
    return BarValues(
        open=bar.open,
        high=max(bar.high, price),
        low=min(bar.low, price),
        close=price,
        volume=bar.volume + size,
        notional=bar.notional + price * size,
        trade_count=bar.trade_count + 1,
    )
