"""Trades and bars as the Python peers of `make bench-stream` read and make them: plain integers, as few as will do.

Imported by the peers' own Python, which has their requirements and none of livetape's.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import fastavro

from app.units import MILLISECOND_NS

WIRE_HEADER_BYTES = 5
PRICE_UNIT = 10**16  # of 10^-18: a price is a count of 1/100
SIZE_UNIT = 10**14  # a size is a count of 1/10,000


@dataclass(frozen=True)
class PeerJob:
    """What an engine is to do; sent to it as JSON."""

    bootstrap: str
    application_id: str
    input_topic: str
    outputs: dict[str, str]
    """Topic by interval length in milliseconds."""
    trades: int
    end_ms: int
    """Event time from which on there are no trades."""
    trade_schema_id: int
    schemas_dir: str
    state_dir: str


class PeerTrade(NamedTuple):
    """What a bar needs of a trade, and its event time in milliseconds."""

    seq: int
    price: int
    size: int
    time_ms: int


PeerBar = list[int]
"""First seq, last seq, open, high, low, close, volume, notional, trade count; as Bar.java has them."""


class TradeReader:
    """Reads values of the topic of trades."""

    def __init__(self, job: PeerJob) -> None:
        self._header = b"\0" + job.trade_schema_id.to_bytes(4, "big")
        self._trade, self._clock = (_schema(job, name) for name in ("trade", "clock"))

    def read(self, value: bytes) -> PeerTrade | None:
        """The trade, or None for a record of another schema (a clock)."""
        if not value.startswith(self._header):
            return None
        trade: Any = fastavro.schemaless_reader(BytesIO(value[WIRE_HEADER_BYTES:]), self._trade, None)
        return PeerTrade(
            trade["trade_seq"],
            int.from_bytes(trade["price"], "big") // PRICE_UNIT,
            int.from_bytes(trade["size"], "big") // SIZE_UNIT,
            trade["event_time_ns"] // MILLISECOND_NS,
        )

    def clock_ms(self, value: bytes) -> int:
        """The time of a clock in milliseconds."""
        clock: Any = fastavro.schemaless_reader(BytesIO(value[WIRE_HEADER_BYTES:]), self._clock, None)
        time_ns: int = clock["time_ns"]
        return time_ns // MILLISECOND_NS


class Progress:
    """Tells the benchmark on standard output how far the engine is.

    RUNNING with the first trade, and DONE when all are aggregated, before they are committed: that favours the engine.
    """

    def __init__(self, trades: int) -> None:
        self._trades = self._left = trades

    def aggregated(self) -> bool:
        """To be called once for every trade; whether it was the last."""
        if self._left == self._trades:
            print("RUNNING", flush=True)
        self._left -= 1
        if self._left == 0:
            print("DONE", flush=True)
        return self._left == 0


def job_from_command_line() -> PeerJob:
    """The job in the first argument."""
    return PeerJob(**json.loads(sys.argv[1]))


def first_bar(trade: Sequence[int]) -> PeerBar:
    """The bar of one trade."""
    seq, price, size, _ = trade
    return [seq, seq, price, price, price, price, size, price * size, 1]


def add(bar: PeerBar, trade: Sequence[int]) -> PeerBar:
    """The bar with one trade more; the given one is changed."""
    seq, price, size, _ = trade
    if seq < bar[0]:
        bar[0], bar[2] = seq, price
    if seq > bar[1]:
        bar[1], bar[5] = seq, price
    if price > bar[3]:
        bar[3] = price
    elif price < bar[4]:
        bar[4] = price
    bar[6] += size
    bar[7] += price * size
    bar[8] += 1
    return bar


def _schema(job: PeerJob, name: str) -> Any:  # noqa: ANN401 - fastavro's own
    return fastavro.parse_schema(_plain(json.loads(Path(job.schemas_dir, f"{name}.avsc").read_text())))


def _plain(node: Any) -> Any:  # noqa: ANN401 - a schema is any JSON
    """The schema with decimals as bytes and times as integers."""
    if isinstance(node, dict):
        return {name: _plain(value) for name, value in node.items() if name != "logicalType"}
    return [_plain(value) for value in node] if isinstance(node, list) else node
