"""Every producer of `trades` places a key in the same partition: the bridge's librdkafka, aiokafka and Java.

The fold tells of one that does not.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner

from app.partitions import partition_of
from app.settings import Settings
from local import certificates
from replay.exchange import Exchange
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.api_kit import eventually
from tests.integration.bridge_kit import Script, bridge_settings, bridging, read_topic, server_tls, trades_of, venue_of
from tests.integration.fold_kit import Tape, folding, oracles, read, read_bars, trade, wait_until_flushed, with_topics
from tests.integration.fold_oracle import differences
from tests.integration.java_source import run_java

KEYS = 1_000
PARTITIONS = 4
INSTRUMENTS = tuple(f"{'A' * (number % 9 + 1)}{number}-USDT" for number in range(KEYS))  # of every length modulo 4


@pytest.fixture
async def placed(settings: Settings, tmp_path: Path, certs: certificates.Certificates) -> dict[str, int]:
    """The partition of each of a thousand keys, as the bridge wrote them."""
    script = Script()
    async with Exchange(protocol_of(VenueName.BINANCE, INSTRUMENTS), script, server_tls(certs)) as exchange:
        venue = venue_of(VenueName.BINANCE, exchange, INSTRUMENTS, certs.ca)
        settings = bridge_settings(settings, tmp_path, binance=venue)
        with bridging(settings) as bridge:
            await bridge.counts('frames_total{venue="binance"}', KEYS / 200)  # the answers to its subscriptions
            script.say(*(SimulatedTrade(name, 1, "1", "1", "buy", 10**18) for name in INSTRUMENTS))
            await bridge.counts('trades_total{venue="binance"}', KEYS)
            assert await bridge.stop() == 0
    records = await asyncio.to_thread(read_topic, settings)
    return {record.key: record.partition for record in trades_of(records, "binance")}


async def test_a_thousand_keys_are_placed_alike_by_the_bridge_aiokafka_and_java(placed: dict[str, int]) -> None:
    assert set(placed) == {f"binance:{name}" for name in INSTRUMENTS}
    assert set(placed.values()) == {*range(PARTITIONS)}
    every = list(range(PARTITIONS))
    assert {key: DefaultPartitioner()(key.encode(), every, every) for key in placed} == placed
    assert {key: partition_of(key.encode(), PARTITIONS) for key in placed} == placed
    told = await asyncio.to_thread(run_java, "PartitionOfKey.java", str(PARTITIONS), stdin="\n".join(placed))
    assert dict(zip(placed, map(int, told.split()), strict=True)) == placed


def test_a_producer_that_places_keys_by_crc32_is_told_of_and_has_right_bars(settings: Settings) -> None:
    tape = Tape(with_topics(settings), partitioner="consistent_random")
    for name in INSTRUMENTS[:16]:
        tape.trade(trade("1", "10.5", 0, instrument=name))
    tape.clock(60)
    tape.flush()
    keys = {(record.key or b"", record.partition) for record in read(settings, "trades")}
    placed = {(key, partition) for key, partition in keys if b":" in key}
    misplaced = [each for each in placed if partition_of(each[0], PARTITIONS) != each[1]]
    assert 0 < len(misplaced) < len(placed)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        eventually(lambda: worker.counted("livetape_fold_misplaced_series") == len(misplaced), lambda: worker.log)
        assert worker.stop() == 0, worker.log
        for partition, count in Counter(partition for _, partition in misplaced).items():
            told = f"partition {partition} has trades of {count} instruments that belong to other partitions"
            assert worker.log.count(told) == 1
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []
