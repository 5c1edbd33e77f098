"""What the tests of trades that did not come share."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from app.settings import Settings
from app.units import MINUTE_NS, SECOND_NS
from replay.trade import SimulatedTrade
from replay.venues import VenueName
from tests.integration.bridge_kit import Record, read_topic
from tests.integration.bridge_run import BTC, trade

BINANCE = VenueName.BINANCE
UNNUMBERED = (VenueName.BITSTAMP, VenueName.BYBIT)
OFTEN = 500


def some(first: int, last: int, instrument: str = BTC) -> list[SimulatedTrade]:
    return [trade(number, instrument) for number in range(first, last + 1)]


def recent(first: int, last: int) -> list[SimulatedTrade]:
    """Trades of the last minute: a bridge that was away for longer than a day fetches none."""
    now_ns = time.time_ns() // SECOND_NS * SECOND_NS
    return [replace(one, event_time_ns=now_ns - MINUTE_NS + one.trade_id) for one in some(first, last)]


def trade_of_now(number: int) -> SimulatedTrade:
    return replace(trade(number), event_time_ns=time.time_ns())


async def written(settings: Settings, venue: VenueName = BINANCE) -> list[Record]:
    """The venue's trades, each instrument's in the order of the log."""
    records = await asyncio.to_thread(read_topic, settings)
    return [record for record in records if record.kind == "Trade" and record.fields["venue"] == venue]


async def gaps(settings: Settings) -> list[Record]:
    return await asyncio.to_thread(read_topic, settings, "gaps")


def sources(records: Iterable[Record]) -> dict[int, str]:
    return {int(record.fields["trade_id"]): record.fields["source"] for record in records}


def positions_of(venue: VenueName, settings: Settings) -> Path:
    """Where the bridge keeps how far it is with a venue."""
    return settings.home / "positions" / settings.namespace / f"{venue}.positions"


async def assert_no_trade_is_behind_a_clock(settings: Settings) -> None:
    """No partition has a trade that is older than a clock before it."""
    clocks: defaultdict[int, int] = defaultdict(int)
    for record in await asyncio.to_thread(read_topic, settings):
        if record.kind == "Clock":
            clocks[record.partition] = record.fields["time_ns"]
        else:
            assert record.fields["event_time_ns"] >= clocks[record.partition], record
