"""What the bridge does about trades that did not come: it fetches them, and says which it could not have."""

import asyncio
from dataclasses import replace
from http import HTTPStatus

import pytest

from app.schema_registry import register_all
from app.settings import Settings
from app.sources import Writer
from app.units import HOUR_NS, SECOND_NS
from local import certificates
from replay.venues import VenueName
from tests.integration.bridge_kit import Listener, as_told, decode, read_topic, told
from tests.integration.bridge_run import BTC, ETH, START_NS, running, trade
from tests.integration.gap_kit import OFTEN, UNNUMBERED, assert_no_trade_is_behind_a_clock, gaps, some, sources, written


def newest_clock_ns(settings: Settings) -> int:
    """The newest clock that is in Kafka; 0 while there is none."""
    return max((one.fields["time_ns"] for one in read_topic(settings) if one.kind == "Clock"), default=0)


async def test_trades_that_the_stream_left_out_come_from_the_history_in_order(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    async with running(doubting, certs) as run:
        await run.play(*some(1, 3))
        run.exchange.faults.skip(20)
        run.say(*some(4, 30))
        await run.has(30)
        assert await run.bridge.stop() == 0
    records = await written(doubting)
    assert [as_told(record) for record in records] == [told(one) for one in some(1, 30)]
    assert sources(records) == {number: "backfill" if 4 <= number <= 23 else "live" for number in range(1, 31)}
    assert await gaps(doubting) == []
    await assert_no_trade_is_behind_a_clock(doubting)


async def test_after_a_lost_connection_every_instrument_is_asked_for_and_none_needs_a_trade_to_be_found(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    async with running(doubting, certs) as run:
        await run.play(trade(1), trade(1, ETH))
        await run.exchange.drop_connections()
        run.say(*some(2, 5), *some(2, 3, ETH))  # nobody listens
        await run.has(8)
        assert await run.bridge.stop() == 0
    records = await written(doubting)
    assert {(one.fields["instrument"], int(one.fields["trade_id"])) for one in records} == {
        *((BTC, number) for number in range(1, 6)),
        *((ETH, number) for number in range(1, 4)),
    }
    assert await gaps(doubting) == []


@pytest.mark.parametrize("writer", list(Writer))
async def test_what_the_history_does_not_have_is_on_gaps_and_the_clock_goes_on_behind_it(
    doubting: Settings, certs: certificates.Certificates, writer: Writer
) -> None:
    async with running(doubting, certs, writer=writer) as run:
        await run.play(*some(1, 3))
        run.exchange.faults.lose(4)
        run.say(*some(4, 10))
        await run.bridge.counts('gaps_total{venue="binance"}', 1)
        assert run.total("lost_trades") == 4
        await run.bridge.says("binance: trades 4 to 7 of BTC-USDT are lost: the venue's history does not have them")
        await run.play(*some(11, 20))
        clocks = run.total("clocks") or 0
        await run.bridge.counts('clocks_total{venue="binance"}', clocks + 2)
        await run.bridge.until(lambda: newest_clock_ns(doubting) > START_NS + 8 * SECOND_NS, "a clock behind the gap")
        assert await run.bridge.stop() == 0
    assert [as_told(one) for one in await written(doubting)] == [told(one) for one in [*some(1, 3), *some(8, 20)]]
    (gap,) = await gaps(doubting)
    assert gap.key == "binance:BTC-USDT"
    assert {name: gap.fields[name] for name in ("venue", "instrument", "first_missing_id", "last_missing_id")} == {
        "venue": "binance",
        "instrument": BTC,
        "first_missing_id": 4,
        "last_missing_id": 7,
    }
    assert (gap.fields["from_time_ns"], gap.fields["to_time_ns"]) == (
        START_NS + 3 * SECOND_NS,
        START_NS + 8 * SECOND_NS,
    )


async def test_what_is_missing_where_the_venue_counts_anew_is_on_gaps(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    patient = doubting.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
    async with running(patient, certs) as run:
        await run.play(trade(100))
        run.exchange.faults.refuse(OFTEN)
        run.exchange.faults.skip(4)
        run.say(*some(101, 105))
        await run.has(2)
        anew = [replace(one, event_time_ns=one.event_time_ns + HOUR_NS) for one in some(3, 4)]
        run.say(*anew)
        await run.has(4)
        await run.bridge.says("binance: the venue counts the trades of BTC-USDT anew: 3 is newer than 105")
        await run.bridge.says("binance: trades 101 to 104 of BTC-USDT are lost: the venue has begun to count")
        assert await run.bridge.stop() == 0
    assert sorted(sources(await written(doubting))) == [3, 4, 100, 105]
    names = ("first_missing_id", "last_missing_id", "from_time_ns", "to_time_ns")
    assert [tuple(gap.fields[name] for name in names) for gap in await gaps(doubting)] == [
        (101, 104, trade(100).event_time_ns, trade(105).event_time_ns),
        (None, None, trade(105).event_time_ns, anew[0].event_time_ns),
    ]


@pytest.mark.parametrize("venue", [name for name in VenueName if name not in UNNUMBERED])
async def test_what_a_history_lacks_though_it_has_newer_trades_is_asked_for_three_times(
    doubting: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    patient = doubting.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
    async with running(patient, certs, venue=venue) as run:
        await run.exchange.heard((BTC,))
        run.say(*some(1, 3))
        await run.has(3)
        run.exchange.faults.lose(4)
        run.say(*some(4, 10))
        await run.bridge.counts(f'gaps_total{{venue="{venue}"}}', 1)
        assert run.total("history_requests") == 3
        assert await run.bridge.stop() == 0


async def test_a_history_that_refuses_is_asked_again_and_kafka_waits_while_zeromq_does_not(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    patient = doubting.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history, and is refused
    async with running(patient, certs) as run:
        with Listener(doubting.zmq_data) as listener:
            await run.play(trade(1))
            await asyncio.to_thread(listener.next)  # the trade or a clock: from now on it hears everything
            run.exchange.faults.refuse(1)
            run.exchange.faults.refuse(1, HTTPStatus.TOO_MANY_REQUESTS)
            run.exchange.faults.refuse(OFTEN)
            run.exchange.faults.skip(3)
            run.say(*some(2, 6))
            live = await asyncio.to_thread(heard_trade, listener, doubting, 6)
            await run.bridge.says(
                "binance: the history cannot be read, next attempt in 2000 ms: answer: HTTP status 503"
            )
            await run.bridge.until(lambda: (run.total("history_failures") or 0) >= 2, "two failures")
            assert 6 not in sources(await written(doubting))
            run.exchange.faults.relent()
            await run.has(6)
            await run.bridge.says("binance: the history can be read again")
            filled = await asyncio.to_thread(heard_trade, listener, doubting, 4)
        assert await run.bridge.stop() == 0
    assert live < filled
    assert [as_told(record) for record in await written(doubting)] == [told(one) for one in some(1, 6)]
    await assert_no_trade_is_behind_a_clock(doubting)


async def test_an_instrument_that_the_venue_delists_has_no_history_and_nothing_waits_for_it(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    patient = doubting.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
    async with running(patient, certs) as run:
        await run.play(trade(1))
        run.exchange.faults.refuse(OFTEN, HTTPStatus.BAD_REQUEST, '{"code":-1121,"msg":"Invalid symbol."}')
        await run.exchange.drop_connections()
        await run.bridge.counts('history_requests_total{venue="binance"}', 2)  # one for each instrument
        await run.bridge.until(lambda: run.bridge.metric('holding{venue="binance"}') == 0, "nothing that waits")
        assert (run.total("history_requests"), run.total("history_failures")) == (2, 0)
        assert await run.bridge.stop() == 0
    assert await gaps(doubting) == []


def heard_trade(listener: Listener, settings: Settings, number: int) -> int:
    """The bridge's number of a trade that the listener hears."""
    ids = register_all(settings)
    while True:
        heard = listener.next()
        kind, fields = decode(heard.value, ids)
        if kind == "Trade" and fields["trade_id"] == str(number):
            return heard.sequence


async def test_a_trade_that_cannot_be_read_is_a_gap_and_the_others_of_its_page_are_taken(
    doubting: Settings, certs: certificates.Certificates
) -> None:
    async with running(doubting, certs) as run:
        await run.play(trade(1))
        run.exchange.faults.skip(2)
        run.say(trade(2), trade(3), replace(trade(4), size="0"), trade(5))
        await run.has(4)
        await run.bridge.says("binance: trades 4 to 4 of BTC-USDT are lost: the venue's history does not have them")
        await run.bridge.says("binance: a trade of the history cannot be read, the others are taken: size_not_positive")
        assert run.total("history_failures") == 0
        assert await run.bridge.stop() == 0
    assert sorted(sources(await written(doubting))) == [1, 2, 3, 5]
    (gap,) = await gaps(doubting)
    assert (gap.fields["first_missing_id"], gap.fields["last_missing_id"]) == (4, 4)


async def test_a_trade_that_is_sent_twice_is_written_once(doubting: Settings, certs: certificates.Certificates) -> None:
    async with running(doubting, certs) as run:
        run.exchange.faults.repeat(2)
        run.say(*some(1, 3))
        await run.bridge.counts('trades_total{venue="binance"}', 5)
        assert run.total("duplicates") == 2
        assert await run.bridge.stop() == 0
    assert [as_told(record) for record in await written(doubting)] == [told(one) for one in some(1, 3)]
