"""Simulated exchanges → bridge → `candles`: the venue's own minutes, exactly, from the first whole one that is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from http import HTTPStatus
from pathlib import Path

import pytest

from app.schema_registry import register_all
from app.settings import Settings
from app.sources import Writer
from local import certificates
from replay.exchange import Exchange
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import (
    Listener,
    Record,
    bridge_settings,
    bridging,
    count_of,
    decode,
    read_topic,
    relaying,
    server_tls,
    venue_of,
)
from tests.integration.candle_market import INSTRUMENTS, Minute, MinutesMarket, with_candles

COUNTING = (VenueName.BINANCE, VenueName.KRAKEN)
"""The venues that tell how many trades a candle is of."""
MINUTES = 8


@asynccontextmanager
async def playing(
    settings: Settings,
    folder: Path,
    certs: certificates.Certificates,
    venue: VenueName,
    writer: Writer = Writer.DIRECT,
) -> AsyncIterator[tuple[MinutesMarket, Exchange, Settings]]:
    """A market, the simulated exchange that plays it, and settings of a bridge that reads this and its candles."""
    market = MinutesMarket(venue)
    async with Exchange(protocol_of(venue, INSTRUMENTS), market, server_tls(certs)) as exchange:
        market.exchange = exchange
        read = venue_of(venue, exchange, INSTRUMENTS, certs.ca, writer)
        yield market, exchange, with_candles(bridge_settings(settings, folder, **{venue: read}))


def as_minute(record: Record) -> Minute:
    """A candle's record as the trades of its minute make it."""
    of = record.fields
    return Minute(of["open"], of["high"], of["low"], of["close"], of["volume"], of["trade_count"])


@pytest.mark.parametrize(
    ("venue", "writer"), [*((venue, Writer.DIRECT) for venue in VenueName), (VenueName.BINANCE, Writer.RELAY)]
)
async def test_every_minute_is_in_candles_once_and_as_its_trades_make_it(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates, venue: VenueName, writer: Writer
) -> None:
    async with playing(settings, tmp_path, certs, venue, writer) as (market, _, here):
        with bridging(here) as bridge, relaying(here) if writer is Writer.RELAY else nullcontext():
            await market.play(bridge)
            await bridge.counts(f'candles_total{{venue="{venue}"}}', MINUTES)
            assert bridge.metric(f'candle_failures_total{{venue="{venue}"}}') == 0
            await bridge.until(lambda: count_of(here, "Candle", "candles") >= MINUTES, "all candles in Kafka")
            assert await bridge.stop() == 0, bridge.log
    candles = await asyncio.to_thread(read_topic, here, "candles")
    expected = market.minutes
    assert len(expected) == MINUTES
    if venue not in COUNTING:
        expected = {key: minute._replace(trades=None) for key, minute in expected.items()}
    assert {(one.fields["instrument"], one.fields["start_ns"]): as_minute(one) for one in candles} == expected
    assert len(candles) == MINUTES
    for one in candles:
        assert one.key == f"{venue}:{one.fields['instrument']}"
        assert (one.fields["venue"], one.fields["interval"]) == (venue, "1m")
        assert one.fields["receive_time_ns"] > one.fields["start_ns"]
    numbered = [one.sequence for one in [*candles, *await asyncio.to_thread(read_topic, here)]]
    assert {*numbered} == {*range(1, max(numbered) + 1)}


async def test_a_venue_that_does_not_answer_is_asked_again_and_candles_are_on_zeromq_too(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with playing(settings, tmp_path, certs, VenueName.BINANCE) as (market, exchange, here):
        with bridging(here) as bridge, Listener(here.zmq_data) as listener:
            await exchange.heard(INSTRUMENTS)
            exchange.faults.refuse(1)
            await market.play(bridge)
            await bridge.says("binance: its candles cannot be read, they are asked for again: answer: HTTP status 503")
            await bridge.says("binance: its candles can be read again")
            await bridge.counts('candles_total{venue="binance"}', MINUTES)
            assert bridge.metric('candle_failures_total{venue="binance"}') == 1
            heard = await asyncio.to_thread(heard_candle, listener, here)
            assert await bridge.stop() == 0
    assert heard in market.minutes
    assert len(await asyncio.to_thread(read_topic, here, "candles")) == MINUTES


async def test_an_instrument_that_the_venue_delists_does_not_hold_up_the_candles_of_others(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with playing(settings, tmp_path, certs, VenueName.BINANCE) as (market, exchange, here):
        with bridging(here) as bridge:
            await exchange.heard(INSTRUMENTS)
            exchange.faults.refuse(1, HTTPStatus.BAD_REQUEST, '{"code":-1121,"msg":"Invalid symbol."}')
            await market.play(bridge)
            await bridge.counts('candles_total{venue="binance"}', 1)
            assert bridge.metric('candle_failures_total{venue="binance"}') == 0
            assert await bridge.stop() == 0


def heard_candle(listener: Listener, settings: Settings) -> tuple[str, int]:
    """Instrument and start of the next candle that the listener hears."""
    ids = register_all(settings)
    while True:
        kind, fields = decode(listener.next().value, ids)
        if kind == "Candle":
            return fields["instrument"], fields["start_ns"]
