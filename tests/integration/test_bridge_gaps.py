"""What the bridge does about trades that did not come: it fetches them, and says which it could not have."""

import asyncio
import itertools
import json
import random
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from app.schema_registry import register_all
from app.settings import Settings
from app.sources import Writer
from app.units import HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS
from local import certificates
from replay.binance import BinanceProtocol
from replay.bitstamp import BitstampProtocol
from replay.bybit import BybitProtocol
from replay.exchange import Exchange, Subscriptions, VenueProtocol
from replay.history import History
from replay.ledger import Ledger, read_ledger
from replay.market import MarketSpec, trades
from replay.recording import RecordedFrame
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.bridge_kit import (
    Bridge,
    Growing,
    Listener,
    Record,
    Script,
    as_told,
    bridge_settings,
    bridging,
    decode,
    read_topic,
    server_tls,
    told,
    trades_of,
    venue_of,
)
from tests.integration.bridge_run import BTC, ETH, START_NS, Run, running, trade

BINANCE = VenueName.BINANCE
INSTRUMENTS = (BTC, ETH, "SOL-USDT")
TRADES = 6_000
OFTEN = 500
MISSED = 250
LONG = 60_000
"""Trades whose list is longer than 4 MiB."""
MOST_HELD = 524_288
"""Trades of a venue that wait for others at most."""
A_FRAME = 2_000
"""Trades that come in one frame, where many come."""
IN_A_TURN = 50_000
"""Trades of an instrument that are fetched before other instruments have their turn."""
UNNUMBERED = (VenueName.BITSTAMP, VenueName.BYBIT)


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    """The settings of a bridge of the test's own, which soon doubts a silent subscription."""
    return bridge_settings(settings, tmp_path).model_copy(update={"silence_ms": 1_000})


def some(first: int, last: int, instrument: str = BTC) -> list[SimulatedTrade]:
    return [trade(number, instrument) for number in range(first, last + 1)]


async def written(settings: Settings, venue: VenueName = BINANCE) -> list[Record]:
    """The venue's trades, each instrument's in the order of the log."""
    records = await asyncio.to_thread(read_topic, settings)
    return [record for record in records if record.kind == "Trade" and record.fields["venue"] == venue]


async def gaps(settings: Settings) -> list[Record]:
    return await asyncio.to_thread(read_topic, settings, "gaps")


def sources(records: Iterable[Record]) -> dict[int, str]:
    return {int(record.fields["trade_id"]): record.fields["source"] for record in records}


def newest_clock_ns(settings: Settings) -> int:
    """The newest clock that is in Kafka; 0 while there is none."""
    return max((one.fields["time_ns"] for one in read_topic(settings) if one.kind == "Clock"), default=0)


async def assert_no_trade_is_behind_a_clock(settings: Settings) -> None:
    """No partition has a trade that is older than a clock before it."""
    clocks: defaultdict[int, int] = defaultdict(int)
    for record in await asyncio.to_thread(read_topic, settings):
        if record.kind == "Clock":
            clocks[record.partition] = record.fields["time_ns"]
        else:
            assert record.fields["event_time_ns"] >= clocks[record.partition], record


async def test_trades_that_the_stream_left_out_come_from_the_history_in_order(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        await run.play(*some(1, 3))
        run.exchange.faults.skip(20)
        run.say(*some(4, 30))
        await run.has(30)
        assert await run.bridge.stop() == 0
    records = await written(here)
    assert [as_told(record) for record in records] == [told(one) for one in some(1, 30)]
    assert sources(records) == {number: "backfill" if 4 <= number <= 23 else "live" for number in range(1, 31)}
    assert await gaps(here) == []
    await assert_no_trade_is_behind_a_clock(here)


async def test_after_a_lost_connection_every_instrument_is_asked_for_and_none_needs_a_trade_to_be_found(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        await run.play(trade(1), trade(1, ETH))
        await run.exchange.drop_connections()
        run.say(*some(2, 5), *some(2, 3, ETH))  # nobody listens
        await run.has(8)
        assert await run.bridge.stop() == 0
    records = await written(here)
    assert {(one.fields["instrument"], int(one.fields["trade_id"])) for one in records} == {
        *((BTC, number) for number in range(1, 6)),
        *((ETH, number) for number in range(1, 4)),
    }
    assert await gaps(here) == []


@pytest.mark.parametrize("writer", list(Writer))
async def test_what_the_history_does_not_have_is_on_gaps_and_the_clock_goes_on_behind_it(
    here: Settings, certs: certificates.Certificates, writer: Writer
) -> None:
    async with running(here, certs, writer=writer) as run:
        await run.play(*some(1, 3))
        run.exchange.faults.lose(4)
        run.say(*some(4, 10))
        await run.bridge.counts('gaps_total{venue="binance"}', 1)
        assert run.total("lost_trades") == 4
        await run.bridge.says("binance: trades 4 to 7 of BTC-USDT are lost: the venue's history does not have them")
        await run.play(*some(11, 20))
        clocks = run.total("clocks") or 0
        await run.bridge.counts('clocks_total{venue="binance"}', clocks + 2)
        await run.bridge.until(lambda: newest_clock_ns(here) > START_NS + 8 * SECOND_NS, "a clock behind the gap")
        assert await run.bridge.stop() == 0
    assert [as_told(one) for one in await written(here)] == [told(one) for one in [*some(1, 3), *some(8, 20)]]
    (gap,) = await gaps(here)
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
    here: Settings, certs: certificates.Certificates
) -> None:
    patient = here.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
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
    assert sorted(sources(await written(here))) == [3, 4, 100, 105]
    names = ("first_missing_id", "last_missing_id", "from_time_ns", "to_time_ns")
    assert [tuple(gap.fields[name] for name in names) for gap in await gaps(here)] == [
        (101, 104, trade(100).event_time_ns, trade(105).event_time_ns),
        (None, None, trade(105).event_time_ns, anew[0].event_time_ns),
    ]


@pytest.mark.parametrize("venue", [name for name in VenueName if name not in UNNUMBERED])
async def test_what_a_history_lacks_though_it_has_newer_trades_is_asked_for_three_times(
    here: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    patient = here.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
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
    here: Settings, certs: certificates.Certificates
) -> None:
    patient = here.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history, and is refused
    async with running(patient, certs) as run:
        with Listener(here.zmq_data) as listener:
            await run.play(trade(1))
            await asyncio.to_thread(listener.next)  # the trade or a clock: from now on it hears everything
            run.exchange.faults.refuse(1)
            run.exchange.faults.refuse(1, HTTPStatus.TOO_MANY_REQUESTS)
            run.exchange.faults.refuse(OFTEN)
            run.exchange.faults.skip(3)
            run.say(*some(2, 6))
            live = await asyncio.to_thread(heard_trade, listener, here, 6)
            await run.bridge.says(
                "binance: the history cannot be read, next attempt in 2000 ms: answer: HTTP status 503"
            )
            await run.bridge.until(lambda: (run.total("history_failures") or 0) >= 2, "two failures")
            assert 6 not in sources(await written(here))
            run.exchange.faults.relent()
            await run.has(6)
            await run.bridge.says("binance: the history can be read again")
            filled = await asyncio.to_thread(heard_trade, listener, here, 4)
        assert await run.bridge.stop() == 0
    assert live < filled
    assert [as_told(record) for record in await written(here)] == [told(one) for one in some(1, 6)]
    await assert_no_trade_is_behind_a_clock(here)


async def test_an_instrument_that_the_venue_delists_has_no_history_and_nothing_waits_for_it(
    here: Settings, certs: certificates.Certificates
) -> None:
    patient = here.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
    async with running(patient, certs) as run:
        await run.play(trade(1))
        run.exchange.faults.refuse(OFTEN, HTTPStatus.BAD_REQUEST, '{"code":-1121,"msg":"Invalid symbol."}')
        await run.exchange.drop_connections()
        await run.bridge.counts('history_requests_total{venue="binance"}', 2)  # one for each instrument
        await run.bridge.until(lambda: run.bridge.metric('holding{venue="binance"}') == 0, "nothing that waits")
        assert (run.total("history_requests"), run.total("history_failures")) == (2, 0)
        assert await run.bridge.stop() == 0
    assert await gaps(here) == []


def heard_trade(listener: Listener, settings: Settings, number: int) -> int:
    """The bridge's number of a trade that the listener hears."""
    ids = register_all(settings)
    while True:
        heard = listener.next()
        kind, fields = decode(heard.value, ids)
        if kind == "Trade" and fields["trade_id"] == str(number):
            return heard.sequence


def spaced(first: int, last: int, instrument: str = BTC) -> list[SimulatedTrade]:
    """Trades so far apart that each is later than whatever the venue's clock has told before."""
    return [replace(one, event_time_ns=START_NS + one.trade_id * HOUR_NS) for one in some(first, last, instrument)]


async def test_a_dead_subscription_is_made_again_and_if_that_does_not_help_the_connection_is(
    here: Settings, certs: certificates.Certificates
) -> None:
    made = spaced(1, 8)
    async with running(here, certs) as run:
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
    assert [as_told(record) for record in await written(here) if record.fields["instrument"] == BTC] == [
        told(one) for one in made
    ]


async def test_an_old_gap_that_is_filled_late_does_not_make_a_silent_subscription_dead(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        await run.play(trade(1))
        run.exchange.faults.refuse(OFTEN)
        run.exchange.faults.skip(2)
        run.say(*some(2, 6))
        await run.bridge.says("binance: trades of BTC-USDT go on with a gap that is not filled yet")
        run.exchange.faults.relent()
        await run.has(6)
        later_ms = 3_000  # the stream would have to show newer trades within 2 s
        clocks = (run.total("clocks") or 0) + later_ms / here.clock_interval_ms
        await run.bridge.counts('clocks_total{venue="binance"}', clocks)
        assert (run.total("dead_subscriptions"), run.total("disconnects")) == (0, 0)
        assert await run.bridge.stop() == 0


async def test_an_instrument_that_is_merely_not_traded_is_left_alone(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        await run.play(trade(1))
        await run.bridge.counts('history_requests_total{venue="binance"}', 2)
        assert (run.total("dead_subscriptions"), run.total("disconnects")) == (0, 0)
        await run.play(trade(2))
        assert await run.bridge.stop() == 0


async def test_an_instrument_that_is_silent_for_long_is_asked_for_ever_more_rarely(
    here: Settings, certs: certificates.Certificates
) -> None:
    soon = here.model_copy(update={"silence_ms": 100})
    async with running(soon, certs) as run:
        await run.play(trade(1))
        await run.bridge.counts('history_requests_total{venue="binance"}', 20)  # ten for each of two instruments
        looks_s = 0.1 + 0.2 + 0.4 + 0.8 + 6 * 1.0  # twice as long each time, up to ten times as long as at first
        assert (run.total("clocks") or 0) > 0.7 * looks_s * 1_000 / here.clock_interval_ms
        assert await run.bridge.stop() == 0
    assert await gaps(here) == []


async def test_a_trade_that_cannot_be_read_is_a_gap_and_the_others_of_its_page_are_taken(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        await run.play(trade(1))
        run.exchange.faults.skip(2)
        run.say(trade(2), trade(3), replace(trade(4), size="0"), trade(5))
        await run.has(4)
        await run.bridge.says("binance: trades 4 to 4 of BTC-USDT are lost: the venue's history does not have them")
        await run.bridge.says("binance: a trade of the history cannot be read, the others are taken: size_not_positive")
        assert run.total("history_failures") == 0
        assert await run.bridge.stop() == 0
    assert sorted(sources(await written(here))) == [1, 2, 3, 5]
    (gap,) = await gaps(here)
    assert (gap.fields["first_missing_id"], gap.fields["last_missing_id"]) == (4, 4)


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
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs, protocol=Behind({number: trade(number) for number in range(2, 8, 2)})) as run:
        await run.play(trade(1), trade(3), trade(5), trade(7))
        await run.has(7)
        assert await run.bridge.stop() == 0
    assert sorted(sources(await written(here))) == [*range(1, 8)]
    assert await gaps(here) == []


async def test_a_bridge_that_was_killed_fetches_what_was_traded_until_it_was_back(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    async with Exchange(protocol_of(BINANCE, (BTC, ETH)), script, server_tls(certs)) as exchange:
        read = here.model_copy(update={"venues": {"binance": venue_of(BINANCE, exchange, (BTC, ETH), certs.ca)}})
        kept = positions_of(BINANCE, here)
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
    assert sorted(sources(await written(here))) == [*range(1, 11)]
    assert await gaps(here) == []


async def test_what_was_traded_since_a_run_that_is_days_ago_is_on_gaps(
    here: Settings, certs: certificates.Certificates
) -> None:
    kept, ended_ns = positions_of(BINANCE, here), time.time_ns() - 48 * HOUR_NS
    kept.parent.mkdir(parents=True)
    kept.write_text(f"{BTC} {ended_ns} 5 5 {ended_ns}\n")
    script = Script()
    async with Exchange(protocol_of(BINANCE, (BTC, ETH)), script, server_tls(certs)) as exchange:
        read = here.model_copy(update={"venues": {"binance": venue_of(BINANCE, exchange, (BTC, ETH), certs.ca)}})
        with bridging(read) as bridge:
            await exchange.heard((BTC, ETH))
            now = replace(trade(10), event_time_ns=time.time_ns() // SECOND_NS * SECOND_NS)
            script.say(now)
            await bridge.says("binance: trades 6 to 9 of BTC-USDT are lost: nobody read them for more than a day")
            assert bridge.metric('gaps_total{venue="binance"}') == 1
            assert await bridge.stop() == 0
    (gap,) = await gaps(here)
    assert (gap.fields["first_missing_id"], gap.fields["last_missing_id"]) == (6, 9)
    assert (gap.fields["from_time_ns"], gap.fields["to_time_ns"]) == (ended_ns, now.event_time_ns)


async def test_a_bridge_without_a_connection_does_not_take_its_instruments_for_whole(
    here: Settings, certs: certificates.Certificates
) -> None:
    script, kept = Script(), positions_of(BINANCE, here)

    def whole_until_ns() -> int:
        return int(kept.read_text().splitlines()[0].split()[-1])

    async def kept_again(bridge: Bridge) -> None:
        before_ns = kept.stat().st_mtime_ns
        await bridge.until(lambda: kept.stat().st_mtime_ns != before_ns, "positions that are kept again")

    with ExitStack() as programs:
        async with Exchange(protocol_of(BINANCE, (BTC, ETH)), script, server_tls(certs)) as exchange:
            read = {"binance": venue_of(BINANCE, exchange, (BTC, ETH), certs.ca)}
            bridge = programs.enter_context(bridging(here.model_copy(update={"venues": read})))
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


async def test_no_trade_is_behind_a_clock_however_many_pages_of_the_history_were_missed(
    here: Settings, certs: certificates.Certificates
) -> None:
    script, count = Script(), IN_A_TURN + 2_000
    began_ns = time.time_ns() - 20 * HOUR_NS
    made = [replace(trade(number), event_time_ns=began_ns + number * SECOND_NS) for number in range(1, count + 1)]
    patient = here.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
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
    numbers = [int(one.fields["trade_id"]) for one in await written(here) if one.fields["instrument"] == BTC]
    assert numbers == [*range(1, count + 2)]
    assert await gaps(here) == []
    await assert_no_trade_is_behind_a_clock(here)


async def test_of_too_many_trades_that_wait_all_reach_kafka_and_it_is_told_whose_gap_is_waited_for_no_more(
    here: Settings, certs: certificates.Certificates
) -> None:
    name, script = VenueName.KRAKEN, Script()
    protocol = protocol_of(name, (BTC, ETH))
    now_ns = time.time_ns()
    ended_ns = now_ns - 600 * SECOND_NS
    kept = positions_of(name, here)
    kept.parent.mkdir(parents=True)
    kept.write_text(f"{BTC} {ended_ns} 1 1 {ended_ns}\n")
    missed, live = 200_000, MOST_HELD + A_FRAME
    async with Exchange(protocol, script, server_tls(certs), remembered=missed) as exchange:
        for number in range(2, missed + 1):  # more than its history gives back while the test runs
            exchange.history.add(replace(trade(number), event_time_ns=ended_ns + number * MILLISECOND_NS))
        read = {name: venue_of(name, exchange, (BTC, ETH), certs.ca)}
        with bridging(here.model_copy(update={"venues": read})) as bridge:
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
    here: Settings, certs: certificates.Certificates
) -> None:
    script, protocol = Script(), Hesitant((BTC, ETH))
    since_ns = time.time_ns() // SECOND_NS * SECOND_NS - MINUTE_NS
    made = [replace(one, event_time_ns=since_ns + one.trade_id * SECOND_NS) for one in some(1, 3)]
    patient = here.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
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
            clocks = (bridge.metric('clocks_total{venue="bybit"}') or 0) + later_ms / here.clock_interval_ms
            await bridge.counts('clocks_total{venue="bybit"}', clocks)
            script.say(made[1])  # nobody listens
            await bridge.until(lambda: len(exchange.history.of(BTC)) == 2, "a trade that only the history has")
            protocol.takes.set()
            await exchange.heard((BTC, ETH))
            script.say(made[2])
            await bridge.counts('trades_total{venue="bybit"}', 2)
            await bridge.until(lambda: bridge.metric('holding{venue="bybit"}') == 0, "no gap")
            assert await bridge.stop() == 0
    written_ids = [record.fields["trade_id"] for record in await written(here, VenueName.BYBIT)]
    assert written_ids == [protocol.trade_id(one) for one in made]
    assert await gaps(here) == []


async def test_what_an_old_answer_lacks_is_in_a_later_one_and_newer_trades_do_not_wait_for_that(
    here: Settings, certs: certificates.Certificates
) -> None:
    name = VenueName.BITSTAMP
    protocol = BitstampProtocol((BTC, ETH), answer_age_ns=20 * SECOND_NS)
    patient = here.model_copy(update={"silence_ms": 60_000})  # nothing else asks the history
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
    written_ids = [record.fields["trade_id"] for record in await written(here, name)]
    assert written_ids == [protocol.trade_id(trade(number)) for number in (1, 3, 2)]
    assert await gaps(here) == []


def trade_of_now(number: int) -> SimulatedTrade:
    return replace(trade(number), event_time_ns=time.time_ns())


@pytest.mark.parametrize("venue", [BINANCE, *UNNUMBERED])
async def test_a_bridge_that_was_killed_at_its_first_trade_knows_where_it_began(
    here: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    script, protocol = Script(), protocol_of(venue, (BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = here.model_copy(update={"venues": {venue: venue_of(venue, exchange, (BTC, ETH), certs.ca)}})
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
    written_ids = {record.fields["trade_id"] for record in await written(here, venue)}
    assert written_ids == {protocol.trade_id(one) for one in made}
    assert await gaps(here) == []


def positions_of(venue: VenueName, settings: Settings) -> Path:
    """Where the bridge keeps how far it is with a venue."""
    return settings.home / "positions" / settings.namespace / f"{venue}.positions"


async def both_begin(bridge: Bridge, exchange: Exchange, kept: Path) -> None:
    """Have two instruments shown that were not traded, and cut the connection: from now on nobody listens."""
    await bridge.until(lambda: kept.exists() and kept.read_text().count("\n") == 2, "where both begin")
    await exchange.drop_connections()


@pytest.mark.parametrize("venue", [name for name in VenueName if name not in UNNUMBERED])
async def test_the_first_trades_of_an_instrument_are_fetched_though_they_fill_pages(
    here: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    count = 2_500
    script, protocol = Script(), protocol_of(venue, (BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = here.model_copy(update={"venues": {venue: venue_of(venue, exchange, (BTC, ETH), certs.ca)}})
        with bridging(read) as bridge:
            await both_begin(bridge, exchange, positions_of(venue, here))
            now_ns = time.time_ns()
            made = [replace(trade(number), event_time_ns=now_ns + 1_000 * number) for number in range(1, count + 1)]
            for one in made:  # the stream never tells them: playing so many takes as long as the bridge is away
                exchange.history.add(one)
            await bridge.counts(f'backfilled_trades_total{{venue="{venue}"}}', count)
            assert await bridge.stop() == 0
    written_ids = {record.fields["trade_id"] for record in await written(here, venue)}
    assert written_ids == {protocol.trade_id(one) for one in made}
    assert await gaps(here) == []


@pytest.mark.parametrize("venue", list(VenueName))
async def test_the_first_trades_of_an_instrument_are_fetched_where_nobody_listened(
    here: Settings, certs: certificates.Certificates, venue: VenueName
) -> None:
    script, protocol = Script(), protocol_of(venue, (BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = here.model_copy(update={"venues": {venue: venue_of(venue, exchange, (BTC, ETH), certs.ca)}})
        kept = positions_of(venue, here)
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
    written_ids = {record.fields["trade_id"] for record in await written(here, venue)}
    assert written_ids == {protocol.trade_id(one) for one in [*made, other]}
    assert await gaps(here) == []


def recent(first: int, last: int) -> list[SimulatedTrade]:
    """Trades of the last minute: a bridge that was away for longer than a day fetches none."""
    now_ns = time.time_ns() // SECOND_NS * SECOND_NS
    return [replace(one, event_time_ns=now_ns - MINUTE_NS + one.trade_id) for one in some(first, last)]


async def test_a_history_that_knows_no_pages_may_be_longer_than_a_page(
    here: Settings, certs: certificates.Certificates
) -> None:
    name, script = VenueName.BITSTAMP, Script()
    old = [replace(one, event_time_ns=time.time_ns() - 5 * SECOND_NS) for one in some(1, LONG)]
    async with Exchange(protocol_of(name, (BTC,)), script, server_tls(certs), remembered=2 * LONG) as exchange:
        for one in old:
            exchange.history.add(one)
        with bridging(here.model_copy(update={"venues": {name: venue_of(name, exchange, (BTC,), certs.ca)}})) as bridge:
            await exchange.heard((BTC,))
            script.say(replace(trade(LONG + 1), event_time_ns=time.time_ns()))
            await bridge.counts('trades_total{venue="bitstamp"}', 1)
            await exchange.drop_connections()
            script.say(replace(trade(LONG + 2), event_time_ns=time.time_ns()))  # nobody listens
            await bridge.counts('backfilled_trades_total{venue="bitstamp"}', 1)
            assert bridge.metric('history_failures_total{venue="bitstamp"}') == 0
            assert await bridge.stop() == 0
    assert await gaps(here) == []


async def test_a_trade_that_is_sent_twice_is_written_once(here: Settings, certs: certificates.Certificates) -> None:
    async with running(here, certs) as run:
        run.exchange.faults.repeat(2)
        run.say(*some(1, 3))
        await run.bridge.counts('trades_total{venue="binance"}', 5)
        assert run.total("duplicates") == 2
        assert await run.bridge.stop() == 0
    assert [as_told(record) for record in await written(here)] == [told(one) for one in some(1, 3)]


async def test_an_instrument_that_the_venue_does_not_list_is_told(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with Exchange(protocol_of(BINANCE, (BTC,)), Once([trade(1)]), server_tls(certs)) as exchange:
        venue = venue_of(BINANCE, exchange, (ETH, BTC), certs.ca)
        with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
            await bridge.says("binance: the venue does not list ETH-USDT, the others go on")
            await bridge.counts('trades_total{venue="binance"}', 1)
            assert bridge.metric('unlisted_instruments_total{venue="binance"}') == 1


async def test_an_instrument_that_the_venue_lists_later_is_read_from_then_on(
    here: Settings, certs: certificates.Certificates
) -> None:
    script, protocol = Script(), Growing((BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        read = {VenueName.COINBASE: venue_of(VenueName.COINBASE, exchange, (BTC, ETH), certs.ca)}
        with bridging(here.model_copy(update={"venues": read, "silence_ms": 200})) as bridge:
            await bridge.says("coinbase: the venue does not list ETH-USDT, the others go on")
            await exchange.heard((BTC,))
            protocol.has_grown = True
            await bridge.says("coinbase: the venue lists ETH-USDT now")
            await exchange.heard((BTC, ETH))
            script.say(*(replace(trade(1, name), event_time_ns=time.time_ns()) for name in (BTC, ETH)))
            await bridge.counts('trades_total{venue="coinbase"}', 2)
            assert bridge.metric('connects_total{venue="coinbase"}') == 2
            assert await bridge.stop() == 0


class Once:
    """A source of these trades."""

    def __init__(self, made: Iterable[SimulatedTrade]) -> None:
        self._trades = made

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        for one in self._trades:
            yield one


class StormyMarket:
    """A seeded market of some trades, and of connections that are cut and trades that are left out or sent twice.

    It begins now, since some venues give back trades of their last hours only, and when all instruments are subscribed
    to: nobody can know of what was traded before its first trade. Of a venue whose ids do not tell what is
    missing nothing is left out, and after a cut it makes a few trades, then waits until it is heard again.
    """

    def __init__(self, venue: VenueName) -> None:
        spec = MarketSpec(INSTRUMENTS, rate=1_000, seed=11, resolution_ns=PROTOCOLS[venue].resolution_ns)
        self._trades = itertools.islice(trades(spec, time.time_ns() - 10 * SECOND_NS), TRADES)
        self._chance = random.Random(5)  # noqa: S311 - no secret, and the same storm in every run
        self._can_leave_out = venue not in UNNUMBERED
        self.exchange: Exchange | None = None
        self.calm = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        assert self.exchange is not None
        await self.exchange.heard(INSTRUMENTS)
        for number, one in enumerate(self._trades):
            if number % OFTEN == 0 and 0 < number < TRADES - OFTEN:
                await self._strike()
            if number % OFTEN == MISSED:
                await self.exchange.heard(INSTRUMENTS)
            if number % 10 == 0:
                await asyncio.sleep(0.01)
            yield one
        self.calm.set()

    async def _strike(self) -> None:
        assert self.exchange is not None
        match self._chance.randrange(3):
            case 0:
                self.exchange.faults.repeat(self._chance.randrange(1, 50))
            case 1:
                fault = self.exchange.faults.skip if self._can_leave_out else self.exchange.faults.repeat
                fault(self._chance.randrange(1, 50))
            case _:
                await self.exchange.drop_connections()


@pytest.mark.parametrize("venue", list(VenueName))
async def test_after_a_storm_kafka_has_what_the_exchange_traded_or_gaps_say_what_not(
    here: Settings, certs: certificates.Certificates, venue: VenueName, tmp_path: Path
) -> None:
    market, path = StormyMarket(venue), tmp_path / "ledger.jsonl"
    protocol = protocol_of(venue, INSTRUMENTS)
    with Ledger(path) as ledger:
        async with Exchange(protocol, market, server_tls(certs), ledger=ledger) as exchange:
            market.exchange = exchange
            read = here.model_copy(update={"venues": {venue: venue_of(venue, exchange, INSTRUMENTS, certs.ca)}})
            with bridging(read) as bridge:
                await market.calm.wait()
                run = Run(venue, bridge, exchange)
                await bridge.until(lambda: bridge.metric(f'holding{{venue="{venue}"}}') == 0, "no gap")
                await run.has(TRADES if venue is not VenueName.BYBIT else TRADES // 2)
                assert (run.total("connects") or 0) > 1
                assert (run.total("backfilled_trades") or 0) > 0
                assert await bridge.stop() == 0, bridge.log
    made = read_ledger(path)
    numbers = {protocol.trade_id(one): one.trade_id for one in made}
    resolution_ns = SECOND_NS if venue is VenueName.BITSTAMP else 1  # in which its history tells the time
    sent = {(one.instrument, one.trade_id): told(one) for one in made}
    written_once: set[tuple[str, int]] = set()
    for record in trades_of(await asyncio.to_thread(read_topic, here), venue):
        got = as_told(record, numbers)
        key = (got.instrument, got.trade_id)
        if key in written_once and venue in UNNUMBERED:
            continue  # of these the bridge keeps only the newest ids in mind
        written_once.add(key)
        expected = sent.pop(key)
        if record.fields["source"] == "backfill":
            expected = replace(expected, event_time_ns=expected.event_time_ns // resolution_ns * resolution_ns)
        assert got == expected
    lost = [
        (gap.fields["instrument"], gap.fields["from_time_ns"], gap.fields["to_time_ns"]) for gap in await gaps(here)
    ]
    assert bool(lost) == (venue is VenueName.BYBIT)
    for one in sent.values():
        assert any(one.instrument == name and since <= one.event_time_ns <= until for name, since, until in lost)
