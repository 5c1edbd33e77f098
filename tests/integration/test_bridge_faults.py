"""What an exchange does wrong on its stream costs no trade and stops nothing else."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace

from app.settings import Settings
from app.units import HOUR_NS, MILLISECOND_NS, SECOND_NS
from local import certificates
from replay.coinbase import CoinbaseProtocol
from replay.exchange import Exchange
from replay.recording import RecordedFrame
from replay.venues import VenueName
from tests.integration.bridge_kit import (
    Record,
    Script,
    as_told,
    assert_in_order,
    bridging,
    clocks_of,
    read_topic,
    server_tls,
    told,
    trades_in,
    trades_of,
    venue_of,
)
from tests.integration.bridge_run import BTC, ETH, START_NS, running, trade

CLOCK_DELAY_NS = SECOND_NS
CLOCK_INTERVAL_NS = 250_000_000
PARTITIONS = 4


def binance_frame(**changes: str) -> RecordedFrame:
    """A good frame of Binance with some fields replaced, as JSON text."""
    good = {"t": "77", "p": '"100.1"', "q": '"1"', "T": str(START_NS // MILLISECOND_NS), "s": '"BTCUSDT"', "m": "true"}
    fields = ",".join(f'"{name}":{text}' for name, text in {**good, **changes}.items())
    return RecordedFrame(0, "btcusdt@trade", f'{{"stream":"btcusdt@trade","data":{{"e":"trade",{fields}}}}}')


def rounds(clocks: list[Record]) -> Iterator[Record]:
    """One record of each clock, after checking that every partition has it."""
    assert len(clocks) % PARTITIONS == 0
    for first in range(0, len(clocks), PARTITIONS):
        same = clocks[first : first + PARTITIONS]
        assert {record.partition for record in same} == {*range(PARTITIONS)}
        assert {record.raw for record in same} == {same[0].raw}
        yield same[0]


async def test_the_venues_clock_goes_into_every_partition_in_the_order_of_its_trades(
    here: Settings, certs: certificates.Certificates
) -> None:
    began_ns = time.monotonic_ns()
    async with running(here, certs) as run:
        for one in (trade(1), replace(trade(2), event_time_ns=START_NS + 50 * SECOND_NS)):
            await run.play(one)
            await run.bridge.counts('clocks_total{venue="binance"}', (run.total("clocks") or 0) + 3)
        assert await run.bridge.stop() == 0
    took_ns = time.monotonic_ns() - began_ns
    records = await asyncio.to_thread(read_topic, here)
    assert_in_order(records)
    newest_ns, told_ns = None, None
    clocks = {clock.sequence: clock for clock in rounds(clocks_of(records, VenueName.BINANCE))}
    trades = {record.sequence: record for record in trades_of(records, VenueName.BINANCE)}
    for _, record in sorted({**clocks, **trades}.items()):
        if record.kind == "Trade":
            newest_ns, told_ns = record.fields["event_time_ns"], None
            continue
        time_ns = record.fields["time_ns"]
        assert newest_ns is not None
        assert newest_ns - CLOCK_DELAY_NS <= time_ns <= newest_ns - CLOCK_DELAY_NS + took_ns
        assert told_ns is None or time_ns - told_ns >= CLOCK_INTERVAL_NS
        told_ns = time_ns


async def test_a_lost_connection_comes_back_after_jittered_waits_and_subscribes_again(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        for number in range(1, 5):
            await run.play(trade(number), trade(number, ETH))
            await run.exchange.drop_connections()
            await run.subscribed()
        await run.play(trade(5))
        assert (run.total("connects"), run.total("disconnects"), run.total("failed_connects")) == (5, 4, 0)
        assert await run.bridge.stop() == 0
        waits_ms = [
            int(wait) for wait in re.findall(r"binance: connection lost: .*; next attempt in (\d+) ms", run.bridge.log)
        ]
    bounds_ms = (250, 500, 1_000, 2_000)  # or the first again, should a connection have held for ten seconds
    assert len(waits_ms) == len(bounds_ms)
    assert all(bounds_ms[0] / 2 <= wait <= bound for wait, bound in zip(waits_ms, bounds_ms, strict=True))
    sent = [one for number in range(1, 5) for one in (trade(number), trade(number, ETH))]
    assert await trades_in(here) == [told(one) for one in [*sent, trade(5)]]


async def test_each_bad_frame_is_counted_by_its_reason_and_kept_and_nothing_else_stops(
    here: Settings, certs: certificates.Certificates
) -> None:
    flaws = {
        "time_out_of_range": binance_frame(T="9223372036854775807"),
        "price_out_of_range": binance_frame(p='"1e400"'),
        "size_too_precise": binance_frame(q='"0.0000000000000000001"'),
        "price_not_positive": binance_frame(p='"-1"'),
        "unknown_instrument": binance_frame(s='"DOGEUSDT"'),
        "missing_field": binance_frame(t='"seven"'),
        "bad_trade_id": binance_frame(t="-1"),
        "malformed_json": RecordedFrame(0, "btcusdt@trade", '{"stream": "broken é'),
        "unknown_frame": RecordedFrame(0, "btcusdt@trade", '{"stream":"btcusdt@news","data":{"e":"news"}}'),
    }
    async with running(here, certs) as run:
        for number, frame in enumerate(flaws.values()):
            await run.play(trade(number), frame)
        for reason in flaws:
            assert run.total("decode_errors", reason=reason) == 1, reason
        assert run.total("disconnects") == 0
        assert await run.bridge.stop() == 0
    kept = [json.loads(line) for line in (here.home / "decode-errors" / "binance.jsonl").read_text().splitlines()]
    assert [line["reason"] for line in kept] == list(flaws)
    assert [line["frame"].encode("latin-1").decode() for line in kept] == [frame.text for frame in flaws.values()]
    assert all(line["receive_time_ns"] > START_NS for line in kept)
    assert await trades_in(here) == [told(trade(number)) for number in range(len(flaws))]


async def test_garbage_of_the_exchange_costs_no_trade_and_moves_no_clock(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        run.exchange.faults.garbage(1)
        await run.play(trade(1))
        await run.subscribed(answers=3)  # the garbage: no JSON, a price of 1e400, a trade of 2099
        await run.play(trade(2))
        await run.bridge.counts('clocks_total{venue="binance"}', 2)
        assert run.total("decode_errors", reason="malformed_json") == 1
        assert run.total("decode_errors", reason="price_out_of_range") == 1
        assert await run.bridge.stop() == 0
    records = await asyncio.to_thread(read_topic, here)
    good = [told(trade(1)), told(trade(2))]
    assert [
        as_told(each) for each in trades_of(records, VenueName.BINANCE) if int(each.fields["trade_id"]) < 10
    ] == good
    last_clock = clocks_of(records, VenueName.BINANCE)[-1]
    assert last_clock.fields["time_ns"] < START_NS + HOUR_NS


async def test_the_last_match_before_a_subscription_is_no_trade(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    async with Exchange(CoinbaseProtocol((BTC,)), script, server_tls(certs)) as exchange:
        exchange.history.add(trade(7))  # of long ago
        venue = venue_of(VenueName.COINBASE, exchange, (BTC,), certs.ca)
        with bridging(here.model_copy(update={"venues": {VenueName.COINBASE: venue}})) as bridge:
            await bridge.until(lambda: exchange.is_heard((BTC,)), "a subscription")
            await bridge.counts('frames_total{venue="coinbase"}', 2)
            script.say(replace(trade(8), event_time_ns=time.time_ns()))
            await bridge.counts('trades_total{venue="coinbase"}', 1)
            assert await bridge.stop() == 0
    assert [one.trade_id for one in await trades_in(here, VenueName.COINBASE)] == [8]
