"""Histories as venues have them: behind their streams, of many pages or of none, and of instruments that just began."""

import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from app.settings import Settings
from app.units import SECOND_NS
from local import certificates
from replay.binance import BinanceProtocol
from replay.bitstamp import BitstampProtocol
from replay.exchange import Exchange
from replay.history import History
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Bridge, Script, bridging, server_tls, venue_of
from tests.integration.bridge_run import BTC, ETH, running, trade
from tests.integration.gap_kit import UNNUMBERED, gaps, positions_of, some, sources, trade_of_now, written

LONG = 60_000
"""Trades whose list is longer than 4 MiB."""


class Behind(BinanceProtocol):
    """Has some trades, by their ids, in its history only once it was asked for the first of them."""

    def __init__(self, late: Mapping[int, SimulatedTrade]) -> None:
        super().__init__((BTC, ETH))
        self._late = dict(late)

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """As the venue does, and then go on."""
        answer = super().answer(path, query, history)
        if int(query.get("fromId", 0)) in self._late:
            for one in self._late.values():
                history.add(one)
            self._late.clear()
        return answer


async def test_a_history_that_is_behind_is_given_time_for_each_gap(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    async with running(doubting, certs, protocol=Behind({number: trade(number) for number in range(2, 8, 2)})) as run:
        await run.play(trade(1), trade(3), trade(5), trade(7))
        await run.has(7)
        assert await run.bridge.stop() == 0
    assert sorted(sources(await written(doubting))) == [*range(1, 8)]
    assert await gaps(doubting) == []


async def test_what_an_old_answer_lacks_is_in_a_later_one_and_newer_trades_do_not_wait_for_that(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    name = VenueName.BITSTAMP
    protocol = BitstampProtocol((BTC, ETH), answer_age_ns=20 * SECOND_NS)
    patient = doubting.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
    async with running(patient, certs, venue=name, protocol=protocol) as run:
        await run.exchange.heard((BTC, ETH))
        run.say(trade_of_now(1))
        await run.has(1)
        await run.exchange.drop_connections()
        run.say(trade_of_now(2))  # nobody listens
        await run.bridge.counts('history_requests_total{venue="bitstamp"}', 2)
        await run.bridge.until(lambda: run.bridge.metric('holding{venue="bitstamp"}') == 0, "nothing that waits")
        run.say(trade_of_now(3))
        await run.has(3)
        assert await run.bridge.stop() == 0
    written_ids = [record.fields["trade_id"] for record in await written(doubting, name)]
    assert written_ids == [protocol.trade_id(trade(number)) for number in (1, 3, 2)]
    assert await gaps(doubting) == []


async def both_begin(bridge: Bridge, exchange: Exchange, kept: Path) -> None:
    """Have two instruments shown that were not traded, and cut the connection: from now on nobody listens."""
    await bridge.until(lambda: kept.exists() and kept.read_text().count("\n") == 2, "where both begin")
    await exchange.drop_connections()


@pytest.mark.parametrize("venue", [name for name in VenueName if name not in UNNUMBERED])
async def test_the_first_trades_of_an_instrument_are_fetched_though_they_fill_pages(
    doubting: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    count = 2_500
    script, protocol = Script(), protocol_of(venue, (BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = doubting.model_copy(update={"venues": {venue: venue_of(venue, exchange, (BTC, ETH), certs.ca)}})
        with bridging(read) as bridge:
            await both_begin(bridge, exchange, positions_of(venue, doubting))
            now_ns = time.time_ns()
            made = [replace(trade(number), event_time_ns=now_ns + 1_000 * number) for number in range(1, count + 1)]
            for one in made:  # the stream never tells them: playing so many takes as long as the bridge is away
                exchange.history.add(one)
            await bridge.counts(f'backfilled_trades_total{{venue="{venue}"}}', count)
            assert await bridge.stop() == 0
    written_ids = {record.fields["trade_id"] for record in await written(doubting, venue)}
    assert written_ids == {protocol.trade_id(one) for one in made}
    assert await gaps(doubting) == []


@pytest.mark.parametrize("venue", list(VenueName))
async def test_the_first_trades_of_an_instrument_are_fetched_where_nobody_listened(
    doubting: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    script, protocol = Script(), protocol_of(venue, (BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = doubting.model_copy(update={"venues": {venue: venue_of(venue, exchange, (BTC, ETH), certs.ca)}})
        kept = positions_of(venue, doubting)
        with bridging(read) as bridge:
            await both_begin(bridge, exchange, kept)
            made = [replace(trade(number), event_time_ns=time.time_ns()) for number in range(1, 4)]
            script.say(*made)  # nobody listens
            await bridge.counts(f'backfilled_trades_total{{venue="{venue}"}}', 3)
            await bridge.stop(signal.SIGKILL)
        other = replace(trade(4, ETH), event_time_ns=time.time_ns())
        script.say(other)  # nobody listens
        with bridging(read) as bridge:
            position = f" {protocol.trade_id(other)} "
            await bridge.until(lambda: position in kept.read_text(), "the first trade of the other")
            assert await bridge.stop() == 0
    written_ids = {record.fields["trade_id"] for record in await written(doubting, venue)}
    assert written_ids == {protocol.trade_id(one) for one in [*made, other]}
    assert await gaps(doubting) == []


async def test_a_history_that_knows_no_pages_may_be_longer_than_a_page(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    name, script = VenueName.BITSTAMP, Script()
    old = [replace(one, event_time_ns=time.time_ns() - 5 * SECOND_NS) for one in some(1, LONG)]
    async with Exchange(protocol_of(name, (BTC,)), script, server_tls(certs), remembered=2 * LONG) as exchange:
        for one in old:
            exchange.history.add(one)
        with bridging(
            doubting.model_copy(update={"venues": {name: venue_of(name, exchange, (BTC,), certs.ca)}})
        ) as bridge:
            await exchange.heard((BTC,))
            script.say(replace(trade(LONG + 1), event_time_ns=time.time_ns()))
            await bridge.counts('trades_total{venue="bitstamp"}', 1)
            await exchange.drop_connections()
            script.say(replace(trade(LONG + 2), event_time_ns=time.time_ns()))  # nobody listens
            await bridge.counts('backfilled_trades_total{venue="bitstamp"}', 1)
            assert bridge.metric('history_failures_total{venue="bitstamp"}') == 0
            assert await bridge.stop() == 0
    assert await gaps(doubting) == []
