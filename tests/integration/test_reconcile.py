"""Simulated exchange → bridge → fold → `livetape reconcile`: bars that are what the venue's own candles say, or not."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from app.units import MILLISECOND_NS, MINUTE_NS, SECOND_NS
from local import certificates, ports
from replay.binance_usdm import BinanceUsdmProtocol
from replay.exchange import Exchange, VenueProtocol
from replay.history import History
from replay.kraken import KrakenProtocol
from replay.venues import VenueName, protocol_of
from tests import parts
from tests.integration.api_kit import LOCAL, Writer, eventually
from tests.integration.bridge_kit import bridge_settings, bridging, server_tls, venue_of
from tests.integration.bridge_run import BTC
from tests.integration.candle_market import FIRST_NS, INSTRUMENTS, MinutesMarket, with_candles

PATIENCE_MS = 2_000
MINUTES = 8
CUT_NS = FIRST_NS + 2 * MINUTE_NS
"""The end of a minute that a trade lies across."""


class Check(NamedTuple):
    """A running check of the bars."""

    part: parts.Part
    port: int

    def told(self) -> dict[tuple[str, str], float]:
        """How many minutes it has told, by result and why."""
        try:
            text = LOCAL.get(f"http://127.0.0.1:{self.port}/metrics").text
        except httpx.TransportError:
            return {}
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = families["livetape_reconcile_bars"].samples if "livetape_reconcile_bars" in families else []
        return {(one.labels["result"], one.labels["why"]): one.value for one in samples if one.name.endswith("_total")}

    async def tells(self, wanted: Mapping[tuple[str, str], float]) -> None:
        """Wait until it has told just this."""
        await asyncio.to_thread(
            eventually, lambda: self.told() == wanted, lambda: f"{self.told()}\n{self.part.printed}"
        )

    async def says(self, text: str) -> None:
        """Wait until it has printed this: other partitions may be compared before the one it is about."""
        await asyncio.to_thread(eventually, lambda: text in self.part.printed, lambda: self.part.printed)


@asynccontextmanager
async def checking(
    settings: Settings, home: Path, certs: certificates.Certificates, protocol: VenueProtocol, market: MinutesMarket
) -> AsyncIterator[Check]:
    """The whole way of a market's trades, and of the exchange's candles, to the check."""
    venue = market.venue
    (port,) = ports.free_ports(1)
    async with Exchange(protocol, market, server_tls(certs)) as exchange:
        market.exchange = exchange
        changes = {"intervals": ("1s", "1m"), "reconcile_patience_ms": PATIENCE_MS, "reconcile_metrics_port": port}
        own = bridge_settings(settings, home, **{venue: venue_of(venue, exchange, INSTRUMENTS, certs.ca)})
        here = with_candles(own, **changes)
        with bridging(here) as bridge, parts.running("worker", here), parts.running("reconcile", here) as part:
            await market.play(bridge)
            yield Check(part, port)


def write_foreign(settings: Settings) -> None:
    """Write a clock to `candles`, where none belongs."""
    writer = Writer(settings)
    writer.raw("candles", writer.value("Clock", {"venue": "binance", "time_ns": FIRST_NS}), f"binance:{BTC}")


async def test_a_record_of_another_type_is_told_and_the_check_goes_on(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    market = MinutesMarket(VenueName.BINANCE)
    market.before[FIRST_NS + MINUTE_NS] = lambda: write_foreign(settings)
    async with checking(settings, tmp_path, certs, protocol_of(market.venue, INSTRUMENTS), market) as check:
        await check.tells({("equal", ""): MINUTES})
        await check.says("livetape.Clock is neither a bar nor a candle")


@pytest.mark.parametrize("venue", [VenueName.BINANCE, VenueName.BYBIT])
async def test_bars_of_all_trades_are_equal_to_the_venues_candles(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates, venue: VenueName
) -> None:
    market = MinutesMarket(venue)
    async with checking(settings, tmp_path, certs, protocol_of(venue, INSTRUMENTS), market) as check:
        await check.tells({("equal", ""): MINUTES})


async def test_bars_that_lack_trades_which_the_history_does_not_have_either_are_told_as_such(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    market = MinutesMarket(VenueName.BINANCE)
    lost_from_ns = FIRST_NS + MINUTE_NS + 20 * SECOND_NS
    market.before[lost_from_ns] = lambda: market.lose(5)
    lost = [trade for trade in market.trades if trade.event_time_ns >= lost_from_ns][:5]
    poorer = {trade.instrument for trade in lost}
    assert lost[-1].event_time_ns < lost_from_ns + 20 * SECOND_NS
    async with checking(settings, tmp_path, certs, protocol_of(market.venue, INSTRUMENTS), market) as check:
        await check.tells({("equal", ""): MINUTES - len(poorer), ("different", "trades_missing"): len(poorer)})
        await check.says(f"binance {lost[0].instrument} at 2023-11-14T22:15:00Z: trades_missing; bar open ")


class Overstated(KrakenProtocol):
    """Kraken, whose candle of one minute has a high that nobody paid."""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        answer = super().answer(path, query, history)
        if answer is None or path != "/0/public/OHLC" or query["pair"] != "XBTUSDT":
            return answer
        told: dict[str, Any] = json.loads(answer)
        for row in told["result"]["XXBTUSDT"]:
            if row[0] * SECOND_NS == FIRST_NS + 2 * MINUTE_NS:
                row[2] = "1" + row[2]
        return json.dumps(told)


class Cutting(BinanceUsdmProtocol):
    """Binance's futures, whose last trade of a minute has fills of the next one."""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        answer = super().answer(path, query, history)
        if answer is None or path != "/fapi/v1/klines" or query["symbol"] != "BTCUSDT":
            return answer
        rows: list[list[Any]] = json.loads(answer)
        last = next(one for one in reversed(history.of(BTC)) if one.event_time_ns < CUT_NS)
        rest = Decimal(last.size) / 2
        for row in rows:
            if row[0] * MILLISECOND_NS == CUT_NS - MINUTE_NS:
                row[5] = f"{Decimal(row[5]) - rest:f}"
            if row[0] * MILLISECOND_NS == CUT_NS:
                row[1:4] = last.price, max(row[2], last.price, key=Decimal), min(row[3], last.price, key=Decimal)
                row[5] = f"{Decimal(row[5]) + rest:f}"
        return json.dumps(rows)


async def test_bars_that_a_trade_across_the_end_of_a_minute_makes_differ_are_told_as_cut(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    market = MinutesMarket(VenueName.BINANCE_USDM)
    async with checking(settings, tmp_path, certs, Cutting(INSTRUMENTS), market) as check:
        await check.tells({("equal", ""): MINUTES - 2, ("different", "cut"): 2})


async def test_a_candle_that_says_something_else_is_told_by_the_field(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    market = MinutesMarket(VenueName.KRAKEN)
    async with checking(settings, tmp_path, certs, Overstated(INSTRUMENTS), market) as check:
        await check.tells({("equal", ""): MINUTES - 1, ("different", "high"): 1})
        await check.says(f"kraken {BTC} at 2023-11-14T22:16:00Z: high; bar open ")
