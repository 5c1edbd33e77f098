"""Trades that wait until those before them are fetched: none is behind a clock, none is lost where too many wait."""

import time
from collections.abc import Sequence
from dataclasses import replace

from app.settings import Settings
from app.units import HOUR_NS, MILLISECOND_NS, SECOND_NS
from local import certificates
from replay.exchange import Exchange, VenueProtocol
from replay.recording import RecordedFrame
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Script, bridging, server_tls, venue_of
from tests.integration.bridge_run import BTC, ETH, trade
from tests.integration.gap_kit import BINANCE, assert_no_trade_is_behind_a_clock, gaps, positions_of, written

MOST_HELD = 524_288
"""Trades of a venue that wait for others at most."""
A_FRAME = 2_000
"""Trades that come in one frame, where many come."""
IN_A_TURN = 50_000
"""Trades of an instrument that are fetched before other instruments have their turn."""


async def test_no_trade_is_behind_a_clock_however_many_pages_of_the_history_were_missed(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    script, count = Script(), IN_A_TURN + 2_000
    began_ns = time.time_ns() - 20 * HOUR_NS
    made = [replace(trade(number), event_time_ns=began_ns + number * SECOND_NS) for number in range(1, count + 1)]
    patient = doubting.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
    async with Exchange(protocol_of(BINANCE, (BTC, ETH)), script, server_tls(certs), remembered=2 * count) as exchange:
        read = {BINANCE: venue_of(BINANCE, exchange, (BTC, ETH), certs.ca)}
        with bridging(patient.model_copy(update={"venues": read})) as bridge:
            await exchange.heard((BTC, ETH))
            script.say(made[0])
            await bridge.counts('trades_total{venue="binance"}', 1)
            for one in made[1:]:  # nobody listens
                exchange.history.add(one)
            await exchange.drop_connections()
            await exchange.heard((BTC, ETH))
            script.say(replace(trade(1, ETH), event_time_ns=time.time_ns()))  # the venue's clock would go there
            await bridge.counts('backfilled_trades_total{venue="binance"}', IN_A_TURN)
            clocks = bridge.metric('clocks_total{venue="binance"}') or 0
            await bridge.counts('clocks_total{venue="binance"}', clocks + 2)
            script.say(replace(trade(count + 1), event_time_ns=time.time_ns()))
            await bridge.counts('backfilled_trades_total{venue="binance"}', count - 1)
            await bridge.until(lambda: bridge.metric('holding{venue="binance"}') == 0, "nothing that waits")
            assert await bridge.stop() == 0
    numbers = [int(one.fields["trade_id"]) for one in await written(doubting) if one.fields["instrument"] == BTC]
    assert numbers == [*range(1, count + 2)]
    assert await gaps(doubting) == []
    await assert_no_trade_is_behind_a_clock(doubting)


async def test_of_too_many_trades_that_wait_all_reach_kafka_and_it_is_told_whose_gap_is_waited_for_no_more(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    name, script = VenueName.KRAKEN, Script()
    protocol = protocol_of(name, (BTC, ETH))
    now_ns = time.time_ns()
    ended_ns = now_ns - 600 * SECOND_NS
    kept = positions_of(name, doubting)
    kept.parent.mkdir(parents=True)
    kept.write_text(f"{BTC} {ended_ns} 1 1 {ended_ns}\n")
    missed, live = 200_000, MOST_HELD + A_FRAME
    async with Exchange(protocol, script, server_tls(certs), remembered=missed) as exchange:
        for number in range(2, missed + 1):  # more than its history gives back while the test runs
            exchange.history.add(replace(trade(number), event_time_ns=ended_ns + number * MILLISECOND_NS))
        read = {name: venue_of(name, exchange, (BTC, ETH), certs.ca)}
        with bridging(doubting.model_copy(update={"venues": read})) as bridge:
            await exchange.heard((BTC, ETH))
            for first in range(missed + 1, missed + live, A_FRAME):
                made = [
                    replace(trade(number), event_time_ns=now_ns + number) for number in range(first, first + A_FRAME)
                ]
                script.say(RecordedFrame(0, protocol.stream_of(BTC), in_one_frame(protocol, made)))
            await bridge.says(
                f"kraken: more than {MOST_HELD} trades wait: those of {BTC} go on with a gap that is not filled yet"
            )
            await bridge.counts('trades_total{venue="kraken"}', live)
            await bridge.until(lambda: bridge.metric('holding{venue="kraken"}') == 0, "nothing that waits")
            await bridge.until(lambda: bridge.trades_on_disk() >= live, "all trades on disk")
            assert bridge.metric('hold_overflows_total{venue="kraken"}') == 1
            assert bridge.metric('kafka_dropped_total{venue="kraken"}') == 0
            assert await bridge.stop() == 0


def in_one_frame(protocol: VenueProtocol, made: Sequence[SimulatedTrade]) -> str:
    """A frame of Kraken's with all these trades."""
    frames = [protocol.encode(one) for one in made]
    begin, end = frames[0].index("[") + 1, len("]}")
    return f"{frames[0][:begin]}{','.join(frame[begin:-end] for frame in frames)}]}}"
