"""Trades wait on disk while Kafka is away or refuses them, and none is lost."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from app.settings import Settings
from app.sources import Writer
from app.topic_admin import apply
from local import certificates, ports
from replay.trade import SimulatedTrade
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import as_told, bridging, read_topic, told, trades_in
from tests.integration.bridge_run import BTC, NOWHERE, running, trade
from tests.integration.kafka_kit import kafka_of_its_own, start_again


async def trades_in_any_session(settings: Settings) -> list[SimulatedTrade]:
    """The trades in the topic, by their ids."""
    records = await asyncio.to_thread(read_topic, settings)
    return sorted(map(as_told, (each for each in records if each.kind == "Trade")), key=lambda one: one.trade_id)


async def test_a_bridge_that_can_write_no_more_ends_as_a_failure(
    tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with kafka_of_its_own(tmp_path, "test-bridge-fatal") as (settings, kafka):
        async with running(settings, certs) as run:
            assert await run.bridge.stop() == 0
        kafka.stop()
        async with running(settings, certs, topic="nobody-made.trades") as run:
            await run.bridge.says("Kafka: waiting for the brokers")
            await start_again(kafka)
            await run.bridge.says("Kafka has no topic nobody-made.trades: run `livetape topics apply`")
            assert await asyncio.to_thread(run.bridge.process.wait, WAIT_S) == 1


async def test_trades_wait_while_kafka_is_away_and_none_is_lost(
    tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with kafka_of_its_own(tmp_path, "test-bridge-outage") as (settings, kafka):
        sent = [trade(number) for number in range(1, 1_001)]
        async with running(settings, certs) as run:
            await run.play(sent[0])
            await run.bridge.counts("kafka_delivered_total", 1)
            kafka.stop()
            await run.bridge.says("Kafka: the brokers are away")
            await run.play(*sent[1:500])
            await start_again(kafka)
            await run.bridge.says("Kafka: the brokers are back")
            assert await run.bridge.stop() == 0
        assert await trades_in(settings) == [told(one) for one in sent[:500]]
        assert list(settings.home.glob("spool/*/*/*.spool")) == []  # all is in Kafka

        kafka.stop()  # runs that begin and end without Kafka lose nothing either, not even when they are killed
        async with running(settings, certs) as run:
            await run.play(*sent[500:750])
            await run.bridge.counts('spooled_total{venue="binance"}', 250)
            assert await run.bridge.stop() == 0
            assert re.search(r"Kafka: \d+ messages of binance wait on disk for the next start", run.bridge.log)
        async with running(settings, certs) as run:
            assert (run.total("spool_replayed") or 0) >= 250
            await run.play(*sent[750:])
            await run.bridge.until(lambda: run.bridge.trades_on_disk() >= 250, "all trades on disk")
            run.bridge.process.kill()
        await start_again(kafka)
        async with running(settings, certs) as run:
            assert (run.total("spool_replayed") or 0) >= 500
            await run.bridge.counts("kafka_delivered_total", 500)
            assert await run.bridge.stop() == 0
        assert await trades_in_any_session(settings) == [told(one) for one in sent]


@pytest.mark.parametrize("writer", Writer)
async def test_a_record_that_was_damaged_on_disk_costs_no_other_and_is_told(
    tmp_path: Path, certs: certificates.Certificates, writer: Writer
) -> None:
    async with kafka_of_its_own(tmp_path, f"test-bridge-damage-{writer}") as (settings, kafka):
        sent = [trade(number) for number in range(1, 301)]
        async with running(settings, certs, writer=writer) as run:
            kafka.stop()
            await run.play(*sent[:-1])
            await run.bridge.until(lambda: run.bridge.trades_on_disk() >= len(sent) - 1, "all trades on disk")
            run.bridge.process.kill()
        (file,) = settings.home.glob("spool/*/*/*.spool")
        damaged = bytearray(file.read_bytes())
        before, lost, behind = sent[149:152]
        damaged[damaged.index(f"{BTC}\x06{lost.trade_id}".encode()) + len(BTC) + 1] ^= 1
        file.write_bytes(damaged)
        await start_again(kafka)
        async with running(settings, certs, writer=writer) as run:
            await run.bridge.says("passed over with up to 1 messages")
            assert run.total("spool_lost") == 1
            await run.play(sent[-1])
            assert await run.bridge.stop() == 1
        assert await trades_in_any_session(settings) == [told(one) for one in sent if one is not lost]
        (gap,) = await asyncio.to_thread(read_topic, settings, "gaps")
        assert (gap.key, gap.fields["instrument"]) == ("binance:*", "*")
        assert re.fullmatch(
            r"messages (\d+) to \1 of the session are lost: their file was damaged before Kafka had them",
            str(gap.fields["reason"]),
        )
        assert (gap.fields["from_time_ns"], gap.fields["to_time_ns"]) == (before.event_time_ns, behind.event_time_ns)


async def test_what_is_beyond_the_bound_of_the_disk_is_refused_and_told(
    here: Settings, certs: certificates.Certificates
) -> None:
    (nobody,) = ports.free_ports(1)
    away: dict[str, Any] = {"kafka": {"bootstrap.servers": f"127.0.0.1:{nobody}"}, "spool_bytes": 400_000}
    sent = [trade(number) for number in range(1, 4_001)]
    async with running(here, certs, **away) as run:
        await run.play(*sent)
        await run.bridge.counts('spool_refused_total{venue="binance"}', 500)
        assert await run.bridge.stop() == 1
        assert "takes no more messages: it has reached its bound of 400000 bytes (LIVETAPE_SPOOL_MB)" in run.bridge.log
        assert re.search(r"Kafka: \d+ messages were lost", run.bridge.log)
    async with running(here, certs) as run:
        await run.bridge.counts("kafka_delivered_total", 1)
        assert await run.bridge.stop() == 0
    kept = await trades_in_any_session(here)
    assert len(kept) > 2_000
    assert kept == [told(one) for one in sent[: len(kept)]]


async def test_a_topic_that_takes_small_batches_alone_gets_every_trade(
    here: Settings, certs: certificates.Certificates
) -> None:
    apply(here)
    admin = AdminClient(here.kafka_config)
    limit = ConfigEntry("max.message.bytes", "4000", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ConfigResource.Type.TOPIC, here.topic("trades"), incremental_configs=[limit])
    admin.incremental_alter_configs([topic])[topic].result(WAIT_S)
    sent = [trade(number) for number in range(1, 3_001)]
    async with running(here, certs, kafka={**here.kafka_config, "linger.ms": "1000"}) as run:
        await run.play(*sent)
        await run.has(len(sent))
        assert await run.bridge.stop() == 0
    assert await trades_in(here) == [told(one) for one in sent]


async def test_a_signal_ends_a_bridge_that_still_waits_for_kafka(
    here: Settings, certs: certificates.Certificates
) -> None:
    venue = NOWHERE.model_copy(update={"ca_file": certs.ca})
    (nobody,) = ports.free_ports(1)
    settings = here.model_copy(update={"venues": {"binance": venue}})
    with bridging(settings, kafka={"bootstrap.servers": f"127.0.0.1:{nobody}"}) as bridge:
        await bridge.says(f"Kafka: waiting for the brokers at 127.0.0.1:{nobody}")
        await bridge.counts('failed_connects_total{venue="binance"}', 1)
        assert await bridge.stop() == 0
