"""Simulated exchanges → bridge → `quotes`: every best bid and ask, exactly, with the clocks of its venue."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from app.settings import Settings
from app.sources import Writer
from app.units import HOUR_NS, SECOND_NS
from local import certificates
from replay.exchange import Exchange
from replay.market import MarketSpec, trades
from replay.quotes import SimulatedQuote, quoted
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.bridge_kit import (
    Record,
    Script,
    as_told,
    bridge_settings,
    bridging,
    clocks_of,
    count_of,
    plain,
    read_topic,
    relaying,
    sequence,
    server_tls,
    told,
    trades_of,
    venue_of,
    with_quotes,
)
from tests.integration.bridge_run import BTC, ETH, START_NS, trade

INSTRUMENTS = ("BTC-USDT", "ETH-USDT")
TRADES = 500
PARTITIONS = 4
WITHOUT_TIME = (VenueName.BINANCE,)
WITHOUT_ORDER = (VenueName.BITSTAMP, VenueName.KRAKEN)


class Quoted:
    """A seeded market's trades and quotes, which waits for both to be heard, and ends at a time of the test's."""

    def __init__(self, venue: VenueName) -> None:
        spec = MarketSpec(INSTRUMENTS, rate=200, seed=3, resolution_ns=PROTOCOLS[venue].resolution_ns)
        self.items = list(quoted(itertools.islice(trades(spec, START_NS), TRADES), seed=3))
        self.exchange: Exchange | None = None

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade | SimulatedQuote]:
        assert self.exchange is not None
        await self.exchange.heard(INSTRUMENTS, quotes=True)
        for item in self.items:
            yield item


def level(price: Decimal | None, size: Decimal | None) -> tuple[str, str]:
    assert price is not None
    assert size is not None
    return plain(price), plain(size)


def as_quoted(record: Record) -> tuple[str, tuple[str, str], tuple[str, str]]:
    """Instrument, bid and ask of a quote's record, amounts without trailing zeros."""
    of = record.fields
    return of["instrument"], level(of["bid_price"], of["bid_size"]), level(of["ask_price"], of["ask_size"])


def as_sent(quote: SimulatedQuote) -> tuple[str, tuple[str, str], tuple[str, str]]:
    amounts = [plain(Decimal(text)) for text in (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size)]
    return quote.instrument, (amounts[0], amounts[1]), (amounts[2], amounts[3])


@pytest.mark.parametrize(
    ("venue", "writer"), [*((venue, Writer.DIRECT) for venue in VenueName), (VenueName.BINANCE, Writer.RELAY)]
)
async def test_every_quote_is_in_quotes_with_the_venues_clocks(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates, venue: VenueName, writer: Writer
) -> None:
    market, protocol = Quoted(venue), protocol_of(venue, INSTRUMENTS)
    async with Exchange(protocol, market, server_tls(certs)) as exchange:
        market.exchange = exchange
        read = venue_of(venue, exchange, INSTRUMENTS, certs.ca, writer)
        here = with_quotes(bridge_settings(settings, tmp_path, **{venue: read}))
        with bridging(here) as bridge, relaying(here) if writer is Writer.RELAY else nullcontext():
            await bridge.counts(f'quotes_total{{venue="{venue}"}}', TRADES)
            await bridge.counts(f'trades_total{{venue="{venue}"}}', TRADES)
            told_clocks = bridge.metric(f'clocks_total{{venue="{venue}"}}') or 0
            await bridge.counts(f'clocks_total{{venue="{venue}"}}', told_clocks + 2)
            await bridge.until(lambda: count_of(here, "Quote", "quotes") >= TRADES, "all quotes in Kafka")
            await bridge.until(lambda: count_of(here, "Trade") >= TRADES, "all trades in Kafka")
            assert await bridge.stop() == 0, bridge.log
    quotes = await asyncio.to_thread(read_topic, here, "quotes")
    trade_records = await asyncio.to_thread(read_topic, here)
    sent = [item for item in market.items if isinstance(item, SimulatedQuote)]
    made = [item for item in market.items if isinstance(item, SimulatedTrade)]
    for instrument in INSTRUMENTS:
        records = [one for one in quotes if one.key == f"{venue}:{instrument}"]
        expected = [quote for quote in sent if quote.instrument == instrument]
        assert [as_quoted(record) for record in records] == [as_sent(quote) for quote in expected]
        shown_first = replace(
            expected[0], event_time_ns=max(expected[0].event_time_ns, clock_before(records[0], quotes))
        )
        for record, quote in zip(records, [shown_first, *expected[1:]], strict=True):
            check_time_and_order(record, quote, venue)
    if venue in WITHOUT_TIME:
        check_estimated_times([*quotes, *trade_records])
    numbers = {protocol.trade_id(trade): trade.trade_id for trade in made}
    assert [as_told(one, numbers) for one in trades_of(trade_records, venue)] == [told(trade) for trade in made]
    clocks = {one.sequence for one in clocks_of(trade_records, venue)}
    assert len(clocks_of(quotes, venue)) == PARTITIONS * len(clocks)
    assert {one.sequence for one in clocks_of(quotes, venue)} == clocks
    numbered = {one.sequence for one in [*quotes, *trade_records]}
    assert numbered == {*range(1, max(numbered) + 1)}


async def test_quotes_that_end_while_their_instrument_is_traded_are_subscribed_to_again(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    script = Script()
    quotes = [SimulatedQuote(BTC, number, "100.10", "1", "100.20", "2", START_NS) for number in (1, 2)]
    async with Exchange(protocol_of(VenueName.BINANCE, (BTC, ETH)), script, server_tls(certs)) as exchange:
        read = venue_of(VenueName.BINANCE, exchange, (BTC, ETH), certs.ca)
        here = with_quotes(bridge_settings(settings, tmp_path, binance=read)).model_copy(update={"silence_ms": 200})
        with bridging(here) as bridge:
            await exchange.heard((BTC, ETH), quotes=True)
            script.say(quotes[0])
            await bridge.counts('quotes_total{venue="binance"}', 1)
            exchange.deafen_quotes(BTC)
            ended = "binance: the quotes of BTC-USDT have ended: they are subscribed to again"
            for number in range(1, 10_000):  # the first of them may be so near behind the quote that it is theirs
                script.say(trade(number))
                await bridge.counts('trades_total{venue="binance"}', number)
                if ended in bridge.log:
                    break
            assert ended in bridge.log
            await exchange.heard((BTC,), quotes=True)
            script.say(quotes[1])
            await bridge.counts('quotes_total{venue="binance"}', 2)
            assert await bridge.stop() == 0


@pytest.mark.parametrize("venue", [VenueName.BINANCE, VenueName.OKX])  # of one connection without times; of two
async def test_a_book_is_unknown_from_the_end_of_its_connection_until_it_is_shown_again(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates, venue: VenueName
) -> None:
    script = Script()
    before, after = (SimulatedQuote(BTC, number, "100.10", "1", "100.20", "2", START_NS) for number in (1, 2))
    async with Exchange(protocol_of(venue, (BTC, ETH)), script, server_tls(certs)) as exchange:
        read = venue_of(venue, exchange, (BTC, ETH), certs.ca)
        here = with_quotes(bridge_settings(settings, tmp_path, **{venue: read}))
        with bridging(here) as bridge:
            await exchange.heard((BTC, ETH), quotes=True)
            script.say(trade(1), before)
            await bridge.counts(f'quotes_total{{venue="{venue}"}}', 1)
            await exchange.drop_connections()
            await bridge.says(f"{venue}: connection lost: ")
            await exchange.heard((BTC, ETH), quotes=True)
            script.say(after)
            await bridge.counts(f'quotes_total{{venue="{venue}"}}', 2)
            await bridge.until(lambda: count_of(here, "Quote", "quotes") >= 3, "all quotes in Kafka")
            assert await bridge.stop() == 0, bridge.log
    records = await asyncio.to_thread(read_topic, here, "quotes")
    quotes = sorted((one for one in records if one.kind == "Quote"), key=sequence)
    assert [one.key for one in quotes] == [f"{venue}:{BTC}"] * 3, "of ETH-USDT no book was known"
    first, unknown, last = (one.fields for one in quotes)
    assert (first["bid_price"], last["bid_price"]) == (Decimal("100.10"), Decimal("100.10"))
    assert [unknown[name] for name in ("bid_price", "bid_size", "ask_price", "ask_size")] == [None] * 4
    assert first["event_time_ns"] < unknown["event_time_ns"] < last["event_time_ns"]
    assert unknown["event_time_ns"] >= clock_before(quotes[1], records)


class Barred(Exchange):
    """Refuses whoever wants to connect to one path, until it is opened."""

    barred_path = ""

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == self.barred_path:
            return connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "")
        return super()._answer(connection, request)


async def test_quotes_that_cannot_be_had_hold_up_no_clock_and_are_behind_none_once_they_come(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    venue, script = VenueName.OKX, Script()
    exchange = Barred(protocol_of(venue, (BTC, ETH)), script, server_tls(certs))
    exchange.barred_path = "/ws/v5/public"
    stands, changed = (
        SimulatedQuote(BTC, number, "100.10", "1", "100.20", "2", time_ns)
        for number, time_ns in ((1, START_NS), (2, START_NS + HOUR_NS + 1))
    )
    async with exchange:
        read = venue_of(venue, exchange, (BTC, ETH), certs.ca)
        here = with_quotes(bridge_settings(settings, tmp_path, **{venue: read}))
        with bridging(here) as bridge:
            await exchange.heard((BTC, ETH))
            script.say(*(trade(number) for number in range(1, 11)))
            await bridge.counts('clocks_total{venue="okx"}', 2)
            await bridge.says(f"okx: cannot connect to wss://{exchange.address}{exchange.barred_path}: ")
            exchange.barred_path = ""
            await exchange.heard((BTC, ETH), quotes=True)
            await bridge.says(f"okx: connected to wss://{exchange.address}/ws/v5/public")
            script.say(stands, changed)
            await bridge.counts('quotes_total{venue="okx"}', 2)
            told_clocks = bridge.metric('clocks_total{venue="okx"}') or 0
            await bridge.counts('clocks_total{venue="okx"}', told_clocks + 1)
            assert await bridge.stop() == 0, bridge.log
    records = await asyncio.to_thread(read_topic, here, "quotes")
    first, second = sorted((one for one in records if one.kind == "Quote"), key=sequence)
    assert clock_before(first, records) > START_NS
    assert first.fields["event_time_ns"] == clock_before(first, records), "it stands since before the connection"
    assert second.fields["event_time_ns"] == changed.event_time_ns


def clock_before(record: Record, records: list[Record]) -> int:
    """The last time of its venue's that was told before a record; 0 before the first."""
    return max(
        (one.fields["time_ns"] for one in records if one.kind == "Clock" and one.sequence < record.sequence), default=0
    )


def check_time_and_order(record: Record, quote: SimulatedQuote, venue: VenueName) -> None:
    of, resolution_ns = record.fields, PROTOCOLS[venue].resolution_ns
    assert of["quote_seq"] == (None if venue in WITHOUT_ORDER else quote.quote_seq)
    if venue not in WITHOUT_TIME:
        assert 0 <= quote.event_time_ns - of["event_time_ns"] < resolution_ns
    assert of["receive_time_ns"] > START_NS + SECOND_NS


def check_estimated_times(records: list[Record]) -> None:
    """Quotes have our time until the first trade, then one of the market's, behind no trade, clock or quote before."""
    newest_ns = 0
    for record in sorted(records, key=sequence):
        time_ns = record.fields["time_ns" if record.kind == "Clock" else "event_time_ns"]
        if record.kind == "Quote" and newest_ns == 0:
            assert time_ns == record.fields["receive_time_ns"]
            continue
        if record.kind == "Quote":
            assert newest_ns <= time_ns < START_NS + HOUR_NS
        newest_ns = max(newest_ns, time_ns)
    assert newest_ns > START_NS
