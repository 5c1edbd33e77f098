"""What the bridge does about subscriptions that are dead or late, and instruments that the venue does not list."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from websockets.asyncio.server import ServerConnection

from app.settings import Settings
from app.units import HOUR_NS, MINUTE_NS, SECOND_NS
from local import certificates
from replay.bybit import BybitProtocol
from replay.exchange import Exchange, Subscriptions
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Growing, Script, as_told, bridging, server_tls, told, venue_of
from tests.integration.bridge_run import BTC, ETH, START_NS, running, trade
from tests.integration.gap_kit import BINANCE, OFTEN, gaps, some, written


def spaced(first: int, last: int, instrument: str = BTC) -> list[SimulatedTrade]:
    """Trades so far apart that each is later than whatever the venue's clock has told before."""
    return [replace(one, event_time_ns=START_NS + one.trade_id * HOUR_NS) for one in some(first, last, instrument)]


async def test_a_dead_subscription_is_made_again_and_if_that_does_not_help_the_connection_is(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    made = spaced(1, 8)
    async with running(doubting, certs) as run:
        await run.play(made[0], *spaced(1, 1, ETH))
        run.exchange.deafen(BTC)
        run.say(*made[1:4])
        await run.bridge.says("binance: the subscription to BTC-USDT is dead: it is made again")
        await run.has(5)
        assert run.total("disconnects") == 0
        assert run.total("dead_subscriptions") == 1
        await run.exchange.heard((BTC,))
        run.say(made[4])
        await run.has(6)
        assert run.total("backfilled_trades") == 3
        run.exchange.deafen(BTC, stubborn=True)
        run.say(made[5])
        await run.has(7)
        await run.bridge.counts('dead_subscriptions_total{venue="binance"}', 2)
        run.say(made[6])
        await run.has(8)
        await run.bridge.says("the subscription to BTC-USDT is dead, and making it again did not help")
        await run.exchange.heard((BTC,))
        run.say(made[7])
        await run.has(9)
        assert await run.bridge.stop() == 0
    assert [as_told(record) for record in await written(doubting) if record.fields["instrument"] == BTC] == [
        told(one) for one in made
    ]


async def test_an_old_gap_that_is_filled_late_does_not_make_a_silent_subscription_dead(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    async with running(doubting, certs) as run:
        await run.play(trade(1))
        run.exchange.faults.refuse(OFTEN)
        run.exchange.faults.skip(2)
        run.say(*some(2, 6))
        await run.bridge.says("binance: trades of BTC-USDT go on with a gap that is not filled yet")
        run.exchange.faults.relent()
        await run.has(6)
        later_ms = 3_000  # the stream would have to show newer trades within 2 s
        clocks = (run.total("clocks") or 0) + later_ms / doubting.clock_interval_ms
        await run.bridge.counts('clocks_total{venue="binance"}', clocks)
        assert (run.total("dead_subscriptions"), run.total("disconnects")) == (0, 0)
        assert await run.bridge.stop() == 0


async def test_an_instrument_that_is_merely_not_traded_is_left_alone(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    async with running(doubting, certs) as run:
        await run.play(trade(1))
        await run.bridge.counts('history_requests_total{venue="binance"}', 2)
        assert (run.total("dead_subscriptions"), run.total("disconnects")) == (0, 0)
        await run.play(trade(2))
        assert await run.bridge.stop() == 0


async def test_an_instrument_that_is_silent_for_long_is_asked_for_ever_more_rarely(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    soon = doubting.model_copy(update={"silence_ms": 100})
    async with running(soon, certs) as run:
        await run.play(trade(1))
        await run.bridge.counts('history_requests_total{venue="binance"}', 20)  # ten for each of two instruments
        looks_s = 0.1 + 0.2 + 0.4 + 0.8 + 6 * 1.0  # twice as long each time, up to ten times as long as at first
        assert (run.total("clocks") or 0) > 0.7 * looks_s * 1_000 / doubting.clock_interval_ms
        assert await run.bridge.stop() == 0
    assert await gaps(doubting) == []


class Hesitant(BybitProtocol):
    """Takes subscriptions, and answers them, only while it is let."""

    def __init__(self, instruments: Sequence[str]) -> None:
        super().__init__(instruments)
        self.takes = asyncio.Event()
        self.takes.set()

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Answer requests, in time."""
        async for message in connection:
            await self.takes.wait()
            await connection.send(json.dumps(self._take(message, connection, subscriptions)))


async def test_what_is_traded_until_a_subscription_works_is_fetched_where_ids_do_not_tell_it(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    script, protocol = Script(), Hesitant((BTC, ETH))
    since_ns = time.time_ns() // SECOND_NS * SECOND_NS - MINUTE_NS
    made = [replace(one, event_time_ns=since_ns + one.trade_id * SECOND_NS) for one in some(1, 3)]
    patient = doubting.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = {VenueName.BYBIT: venue_of(VenueName.BYBIT, exchange, (BTC, ETH), certs.ca)}
        with bridging(patient.model_copy(update={"venues": read})) as bridge:
            await exchange.heard((BTC, ETH))
            script.say(made[0])
            await bridge.counts('trades_total{venue="bybit"}', 1)
            protocol.takes.clear()
            await exchange.drop_connections()
            await bridge.counts('connects_total{venue="bybit"}', 2)
            later_ms = 2_000  # a second after a subscription it usually works
            clocks = (bridge.metric('clocks_total{venue="bybit"}') or 0) + later_ms / doubting.clock_interval_ms
            await bridge.counts('clocks_total{venue="bybit"}', clocks)
            script.say(made[1])  # nobody listens
            await bridge.until(lambda: len(exchange.history.of(BTC)) == 2, "a trade that only the history has")
            protocol.takes.set()
            await exchange.heard((BTC, ETH))
            script.say(made[2])
            await bridge.counts('trades_total{venue="bybit"}', 2)
            await bridge.until(lambda: bridge.metric('holding{venue="bybit"}') == 0, "no gap")
            assert await bridge.stop() == 0
    written_ids = [record.fields["trade_id"] for record in await written(doubting, VenueName.BYBIT)]
    assert written_ids == [protocol.trade_id(one) for one in made]
    assert await gaps(doubting) == []


class Once:
    """A source of these trades."""

    def __init__(self, made: Iterable[SimulatedTrade]) -> None:
        self._trades = made

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        for one in self._trades:
            yield one


async def test_an_instrument_that_the_venue_does_not_list_is_told(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    async with Exchange(protocol_of(BINANCE, (BTC,)), Once([trade(1)]), server_tls(certs)) as exchange:
        venue = venue_of(BINANCE, exchange, (ETH, BTC), certs.ca)
        with bridging(doubting.model_copy(update={"venues": {"binance": venue}})) as bridge:
            await bridge.says("binance: the venue does not list ETH-USDT, the others go on")
            await bridge.counts('trades_total{venue="binance"}', 1)
            assert bridge.metric('unlisted_instruments_total{venue="binance"}') == 1


async def test_an_instrument_that_the_venue_lists_later_is_read_from_then_on(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    script, protocol = Script(), Growing((BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = {VenueName.COINBASE: venue_of(VenueName.COINBASE, exchange, (BTC, ETH), certs.ca)}
        with bridging(doubting.model_copy(update={"venues": read, "silence_ms": 200})) as bridge:
            await bridge.says("coinbase: the venue does not list ETH-USDT, the others go on")
            await exchange.heard((BTC,))
            protocol.has_grown = True
            await bridge.says("coinbase: the venue lists ETH-USDT now")
            await exchange.heard((BTC, ETH))
            script.say(*(replace(trade(1, name), event_time_ns=time.time_ns()) for name in (BTC, ETH)))
            await bridge.counts('trades_total{venue="coinbase"}', 2)
            assert bridge.metric('connects_total{venue="coinbase"}') == 2
            assert await bridge.stop() == 0
