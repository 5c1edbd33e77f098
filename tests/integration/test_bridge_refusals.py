"""Subscriptions and lists that an exchange refuses: all else is read on."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from app.settings import Settings
from app.units import SECOND_NS
from local import certificates
from replay.coinbase import CoinbaseProtocol
from replay.exchange import Exchange
from replay.history import History
from replay.kraken import KrakenProtocol
from replay.quotes import SimulatedQuote
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import (
    Script,
    bridging,
    read_topic,
    server_tls,
    trades_in,
    trades_of,
    venue_of,
    with_quotes,
)
from tests.integration.bridge_run import BTC, ETH, trade

SOL = "SOL-USDT"


class Delisting(CoinbaseProtocol):
    """Still lists a product that it no longer takes a subscription to."""

    def delist(self, instrument: str) -> None:
        """Take no subscription to it from now on."""
        del self._instruments[instrument]

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """ETH-USDT as well, to whoever asks for the products."""
        told = super().answer(path, query, history)
        if told is None or path.strip("/") != "products":
            return told
        gone = {"id": ETH, "base_currency": "ETH", "quote_currency": "USDT", "status": "online"}
        return json.dumps([*json.loads(told), gone])


async def test_a_refused_subscription_is_told_and_the_others_go_on(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    protocol = KrakenProtocol(("FOO-USDT", BTC))
    protocol.suspended.add("FOO/USDT")
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        venue = venue_of(VenueName.KRAKEN, exchange, ("FOO-USDT", BTC), certs.ca)
        settings = here.model_copy(update={"venues": {"kraken": venue}})
        with bridging(settings) as bridge:
            await bridge.counts('refused_subscriptions_total{venue="kraken"}', 1)
            await bridge.says(
                "kraken: the venue refused a subscription, the others go on: Currency pair not supported FOO/USDT"
            )
            script.say(trade(1))
            await bridge.counts('trades_total{venue="kraken"}', 1)
            assert await bridge.stop() == 0


async def test_instruments_that_are_refused_for_the_sake_of_another_are_subscribed_to_one_by_one(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    soon_ns = time.time_ns() + 30 * SECOND_NS  # after the connection, however long that takes
    async with Exchange(Delisting((BTC,)), script, server_tls(certs)) as exchange:
        exchange.begin()
        script.say(replace(trade(1), event_time_ns=soon_ns))  # nobody is subscribed, the history alone has it
        venue = venue_of(VenueName.COINBASE, exchange, (ETH, BTC), certs.ca)
        with bridging(here.model_copy(update={"venues": {VenueName.COINBASE: venue}})) as bridge:
            await bridge.says("coinbase: the venue refused a subscription, the others go on: Failed to subscribe")
            await bridge.until(lambda: exchange.is_heard((BTC,)), "a subscription to the other instrument")
            script.say(replace(trade(2), event_time_ns=soon_ns + SECOND_NS))
            await bridge.counts('trades_total{venue="coinbase"}', 1)
            assert await bridge.stop() == 0
    assert [one.trade_id for one in await trades_in(here, VenueName.COINBASE)] == [1, 2]


async def test_instruments_that_are_refused_after_a_lost_connection_are_subscribed_to_one_by_one(
    here: Settings, certs: certificates.Certificates
) -> None:
    script, protocol = Script(), Delisting((ETH, BTC))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        venue = venue_of(VenueName.COINBASE, exchange, (ETH, BTC), certs.ca)
        with bridging(here.model_copy(update={"venues": {VenueName.COINBASE: venue}})) as bridge:
            await exchange.heard((ETH, BTC))
            script.say(replace(trade(1), event_time_ns=time.time_ns()))
            await bridge.counts('trades_total{venue="coinbase"}', 1)
            protocol.delist(ETH)
            await exchange.drop_connections()
            await bridge.says("coinbase: the venue refused a subscription, the others go on: Failed to subscribe")
            soon_ns = time.time_ns() + 30 * SECOND_NS
            script.say(replace(trade(2), event_time_ns=soon_ns))  # nobody is subscribed, the history alone has it
            await bridge.until(lambda: exchange.is_heard((BTC,)), "a subscription to the other instrument")
            script.say(replace(trade(3), event_time_ns=soon_ns + SECOND_NS))
            await bridge.counts('trades_total{venue="coinbase"}', 2)
            assert await bridge.stop() == 0
    assert [one.trade_id for one in await trades_in(here, VenueName.COINBASE)] == [1, 2, 3]


async def test_quotes_that_are_refused_for_the_sake_of_another_instruments_are_subscribed_to_one_by_one(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    soon_ns = time.time_ns() + 30 * SECOND_NS
    async with Exchange(Delisting((BTC,)), script, server_tls(certs)) as exchange:
        exchange.begin()
        script.say(replace(trade(1), event_time_ns=soon_ns))  # by the history, it tells that the trades are silent too
        venue = venue_of(VenueName.COINBASE, exchange, (ETH, BTC), certs.ca)
        with bridging(with_quotes(here.model_copy(update={"venues": {VenueName.COINBASE: venue}}))) as bridge:
            await bridge.until(lambda: exchange.is_heard((BTC,), quotes=True), "subscriptions to the other instrument")
            script.say(SimulatedQuote(BTC, 1, "100.10", "1", "100.20", "2", soon_ns))
            await bridge.counts('quotes_total{venue="coinbase"}', 1)
            assert await bridge.stop() == 0
    quotes = [one for one in await asyncio.to_thread(read_topic, here, "quotes") if one.kind == "Quote"]
    assert [(one.fields["instrument"], one.fields["quote_seq"]) for one in quotes] == [(BTC, 1)]


async def test_a_venue_that_bars_us_from_its_list_is_read_as_it_called_its_instruments_in_the_last_run(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    async with Exchange(protocol_of(VenueName.BYBIT, (BTC, ETH, SOL)), script, server_tls(certs)) as exchange:

        def reading(*instruments: str) -> Settings:
            venue = venue_of(VenueName.BYBIT, exchange, instruments, certs.ca)
            return here.model_copy(update={"venues": {VenueName.BYBIT: venue}})

        with bridging(reading(BTC, ETH)) as bridge:
            await exchange.heard((BTC, ETH))
            assert await bridge.stop() == 0
        exchange.faults.refuse(1_000_000, HTTPStatus.FORBIDDEN)
        with bridging(reading(BTC, ETH, SOL)) as bridge:
            await bridge.says("bybit: begins with the 2 instruments that the last run knew")
            await bridge.counts('frames_total{venue="bybit"}', 1)  # the answer to its subscriptions
            sent = [replace(trade(1, name), event_time_ns=time.time_ns()) for name in (BTC, ETH)]
            script.say(*sent)
            await bridge.counts('trades_total{venue="bybit"}', 2)
            assert "does not list" not in bridge.log
            exchange.faults.relent()
            await exchange.heard((BTC, ETH, SOL))
            assert await bridge.stop() == 0
    records = trades_of(await asyncio.to_thread(read_topic, here), VenueName.BYBIT)
    assert [record.fields["instrument"] for record in records] == [BTC, ETH]
