"""What the bridge knows of its former runs: where it was, and what was traded since."""

import signal
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from app.settings import Settings
from app.units import HOUR_NS, SECOND_NS
from local import certificates
from replay.exchange import Exchange
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Bridge, Script, bridging, server_tls, venue_of
from tests.integration.bridge_run import BTC, ETH, trade
from tests.integration.gap_kit import BINANCE, UNNUMBERED, gaps, positions_of, recent, sources, trade_of_now, written


async def test_a_bridge_that_was_killed_fetches_what_was_traded_until_it_was_back(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    async with Exchange(protocol_of(BINANCE, (BTC, ETH)), script, server_tls(certs)) as exchange:
        read = doubting.model_copy(update={"venues": {"binance": venue_of(BINANCE, exchange, (BTC, ETH), certs.ca)}})
        kept = positions_of(BINANCE, doubting)
        with bridging(read) as bridge:
            await exchange.heard((BTC, ETH))
            script.say(*recent(1, 5))
            await bridge.until(lambda: kept.exists() and " 5 5 " in kept.read_text(), "the position of trade 5")
            await bridge.stop(signal.SIGKILL)
        script.say(*recent(6, 9))  # nobody listens
        with bridging(read) as bridge:
            await bridge.counts('backfilled_trades_total{venue="binance"}', 4)
            script.say(*recent(10, 10))
            await bridge.counts('trades_total{venue="binance"}', 1)
            await bridge.until(lambda: bridge.metric('holding{venue="binance"}') == 0, "no gap")
            assert await bridge.stop() == 0
    assert sorted(sources(await written(doubting))) == [*range(1, 11)]
    assert await gaps(doubting) == []


async def test_what_was_traded_since_a_run_that_is_days_ago_is_on_gaps(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    kept, ended_ns = positions_of(BINANCE, doubting), time.time_ns() - 48 * HOUR_NS
    kept.parent.mkdir(parents=True)
    kept.write_text(f"{BTC} {ended_ns} 5 5 {ended_ns}\n")
    script = Script()
    async with Exchange(protocol_of(BINANCE, (BTC, ETH)), script, server_tls(certs)) as exchange:
        read = doubting.model_copy(update={"venues": {"binance": venue_of(BINANCE, exchange, (BTC, ETH), certs.ca)}})
        with bridging(read) as bridge:
            await exchange.heard((BTC, ETH))
            now = replace(trade(10), event_time_ns=time.time_ns() // SECOND_NS * SECOND_NS)
            script.say(now)
            await bridge.says("binance: trades 6 to 9 of BTC-USDT are lost: nobody read them for more than a day")
            assert bridge.metric('gaps_total{venue="binance"}') == 1
            assert await bridge.stop() == 0
    (gap,) = await gaps(doubting)
    assert (gap.fields["first_missing_id"], gap.fields["last_missing_id"]) == (6, 9)
    assert (gap.fields["from_time_ns"], gap.fields["to_time_ns"]) == (ended_ns, now.event_time_ns)


async def test_a_bridge_without_a_connection_does_not_take_its_instruments_for_whole(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    script, kept = Script(), positions_of(BINANCE, doubting)

    def whole_until_ns() -> int:
        return int(kept.read_text().splitlines()[0].split()[-1])

    async def kept_again(bridge: Bridge) -> None:
        before_ns = kept.stat().st_mtime_ns
        await bridge.until(lambda: kept.stat().st_mtime_ns != before_ns, "positions that are kept again")

    with ExitStack() as programs:
        async with Exchange(protocol_of(BINANCE, (BTC, ETH)), script, server_tls(certs)) as exchange:
            read = {"binance": venue_of(BINANCE, exchange, (BTC, ETH), certs.ca)}
            bridge = programs.enter_context(bridging(doubting.model_copy(update={"venues": read})))
            await exchange.heard((BTC, ETH))
            (last,) = recent(1, 1)
            script.say(last)
            await bridge.until(lambda: kept.exists() and " 1 1 " in kept.read_text(), "the position of the trade")
        await bridge.counts('disconnects_total{venue="binance"}', 1)
        away_ns = time.time_ns()
        for _ in range(3):  # what is written was known a while before
            await kept_again(bridge)
        assert last.event_time_ns < whole_until_ns() < away_ns
        assert await bridge.stop() == 0


@pytest.mark.parametrize("venue", [BINANCE, *UNNUMBERED])
async def test_a_bridge_that_was_killed_at_its_first_trade_knows_where_it_began(
    doubting: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    script, protocol = Script(), protocol_of(venue, (BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = doubting.model_copy(update={"venues": {venue: venue_of(venue, exchange, (BTC, ETH), certs.ca)}})
        with bridging(read) as bridge:
            await exchange.heard((BTC, ETH))
            made = [trade_of_now(number) for number in range(1, 6)]  # later than whatever says where it began
            script.say(*made[:1])
            await bridge.counts(f'trades_total{{venue="{venue}"}}', 1)
            await bridge.stop(signal.SIGKILL)
        script.say(*made[1:])  # nobody listens
        with bridging(read) as bridge:
            await bridge.counts(f'backfilled_trades_total{{venue="{venue}"}}', 5)
            await bridge.until(lambda: bridge.metric(f'holding{{venue="{venue}"}}') == 0, "no gap")
            assert await bridge.stop() == 0
    written_ids = {record.fields["trade_id"] for record in await written(doubting, venue)}
    assert written_ids == {protocol.trade_id(one) for one in made}
    assert await gaps(doubting) == []
