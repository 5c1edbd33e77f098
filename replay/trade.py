"""A trade of a simulated exchange, exact: prices and sizes are decimal text, as a venue would write them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from app.units import SECOND_NS

Side = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class SimulatedTrade:
    """One trade. `aggressor` is the side that took liquidity; `instrument` is canonical (BTC-USDT)."""

    instrument: str
    trade_id: int
    price: str
    size: str
    aggressor: Side
    event_time_ns: int


@dataclass(frozen=True, slots=True)
class TapeEntry:
    """A trade of a packet feed, or the cancellation of the one with the same id, whose amounts are 0."""

    instrument: str
    trade_id: int
    price: str
    size: str
    aggressor: Side | Literal["unknown"]
    event_time_ns: int
    action: Literal["trade", "cancel"] = "trade"
    conditions: tuple[str, ...] = ()


def decimal_text(units: int, places: int) -> str:
    """A count of 10^-places as decimal text, with integers alone: `decimal_text(1205, 2)` is `12.05`."""
    digits = str(units).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def rfc3339(time_ns: int) -> str:
    """A time in UTC with nine decimals, without passing through a float."""
    seconds, below_ns = divmod(time_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{below_ns:09d}Z"
