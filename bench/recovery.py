"""`make bench-recovery`: how long a worker takes to have its state back from a changelog that holds many bars.

The changelog is what livetape's own worker wrote while it folded a topic of trades: one trade an instrument and second,
all within the horizon, so that every bar of a second is still kept. Measured is `agents.fold.recovery.recover` of all
partitions side by side, as a worker does it after an assignment: fencing, reading the changelog, restoring it, checking
it against the log. It is run several times; each must come to the end of the log.

Beside it, Kafka Streams makes bars of the same trades in a store in memory, and once its own state is thrown away,
restores them from its changelog: measured from the first store that it begins with to the last that is done. The last
line is one JSON object.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from confluent_kafka import Consumer, TopicPartition

from agents.fold.flush import CHANGELOG
from agents.fold.recovery import recover
from agents.fold.setup import FoldSetup, make_setup
from app import schema_registry, topic_admin
from app.settings import Settings
from app.units import DAY_NS, SECOND_NS
from bench import jvm_engines, livetape_engine, output_topics
from bench.trades_topic import one_a_second, produce
from local import stack
from local.java import java

HORIZON_NS: Final = DAY_NS
ENGINE: Final = jvm_engines.KAFKA_STREAMS


def main(
    bars: Annotated[int, typer.Option(min=1, help="Bars of a second in the changelog, at the least.")] = 1_000_000,
    instruments: Annotated[int, typer.Option(min=1, help="Instruments that they belong to.")] = 1_000,
    runs: Annotated[int, typer.Option(min=1, help="How often the state is recovered.")] = 3,
) -> None:
    """Make the changelogs, recover from them and print what that took."""
    jvm_engines.build()
    seconds = -(-bars // instruments)
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        home = Path(folder)
        settings = stack.on_free_ports(Settings(namespace="bench", horizon_ns=HORIZON_NS), home)
        with stack.running(settings):
            schema_ids = _fold(settings, instruments, seconds, home)
            kept = _kept_keys(settings)
            setup = make_setup(settings, schema_ids)
            times = [asyncio.run(_recover_all(setup, sorted(kept))) for _ in range(runs)]
            job = _fold_by_kafka_streams(settings, schema_ids["livetape.Trade"], instruments * seconds, len(kept))
            restores = [_restore_kafka_streams(job, home / f"restored-{run}") for run in range(runs)]
    median = statistics.median(wall_s for wall_s, _ in times)
    for wall_s, cpu_s in times:
        _say(f"livetape: {sum(kept.values()):,} state records in {wall_s:.2f} s, {cpu_s:.2f} s of CPU")
    streams = sorted(restores, key=lambda each: each.wall_s)[runs // 2]
    for each in restores:
        _say(f"{ENGINE.name}: {each.records:,} records in {each.wall_s:.2f} s, {each.cpu_s:.2f} s of CPU")
    print(
        json.dumps(
            {
                "bars": instruments * seconds,
                "state_records": sum(kept.values()),
                "recovery_s": round(median, 3),
                "records_per_s": round(sum(kept.values()) / median),
                "cpu_s": round(statistics.median(cpu_s for _, cpu_s in times), 3),
                "kafka_streams_records": streams.records,
                "kafka_streams_recovery_s": round(streams.wall_s, 3),
                "kafka_streams_cpu_s": round(streams.cpu_s, 3),
            }
        )
    )


def _fold(settings: Settings, instruments: int, seconds: int, home: Path) -> dict[str, int]:
    """Let a worker fold the trades; the ids of the schemas."""
    topic_admin.apply(settings)
    ids = schema_registry.register_all(settings)
    _say(f"writing {instruments * seconds:,} trades, a bar each")
    trades = one_a_second(ids["livetape.Trade"], settings.schemas_dir, instruments=instruments, seconds=seconds)
    produce(settings.kafka_bootstrap, [settings.topic("trades")], trades)
    cost = livetape_engine.run(settings, home / "worker.log")
    _say(f"folded in {cost.wall_s:.2f} s")
    return ids


def _fold_by_kafka_streams(settings: Settings, trade_schema_id: int, trades: int, partitions: int) -> jvm_engines.Job:
    """Let Kafka Streams make its bars of a second of the trades, and store them in its changelog."""
    job = jvm_engines.Job(
        bootstrap=settings.kafka_bootstrap,
        application_id=settings.topic("kafka-streams"),
        input_topic=settings.topic("trades"),
        outputs={"1s": settings.topic("kafka-streams.1s")},
        trades=trades,
        trade_schema_id=trade_schema_id,
        state_dir=settings.home / "kafka-streams",
        retention_s=HORIZON_NS // SECOND_NS,
    )
    output_topics.create(settings, list(job.outputs.values()), partitions)
    jvm_engines.run(ENGINE, job, java())
    return job


def _restore_kafka_streams(job: jvm_engines.Job, state_dir: Path) -> jvm_engines.Restored:
    return jvm_engines.restore(ENGINE, replace(job, state_dir=state_dir), java())


async def _recover_all(setup: FoldSetup, partitions: list[int]) -> tuple[float, float]:
    """Wall and CPU seconds of this process.

    Raises:
        RuntimeError: a partition did not come back to the end of the log.
    """
    wall_s, cpu = time.perf_counter(), os.times()
    recovered = await asyncio.gather(*(recover(setup, partition) for partition in partitions))
    took_s, now = time.perf_counter() - wall_s, os.times()
    await asyncio.gather(*(each.writer.close() for each in recovered))
    ends = livetape_engine.end_offsets(setup.settings)
    if [each.next_offset for each in recovered] != [ends[partition] for partition in partitions]:
        raise RuntimeError("the state recovered does not reach the end of the log")
    return took_s, now.user - cpu.user + now.system - cpu.system


def _kept_keys(settings: Settings) -> dict[int, int]:
    """How many keys of each changelog partition have a value."""
    topic = settings.topic(CHANGELOG)
    consumer = Consumer(
        settings.kafka_config
        | {"group.id": "bench-keys", "enable.partition.eof": True, "isolation.level": "read_committed"}
    )
    try:
        return {
            partition: _count_keys(consumer, TopicPartition(topic, partition, 0))
            for partition in consumer.list_topics(topic).topics[topic].partitions
        }
    finally:
        consumer.close()


def _count_keys(consumer: Consumer, start: TopicPartition) -> int:
    consumer.assign([start])
    keys: set[bytes | None] = set()
    while True:
        for message in consumer.consume(10_000, 1.0):
            if message.error() is not None:  # the end of the partition
                return len(keys)
            if message.value() is None:
                keys.discard(message.key())
            else:
                keys.add(message.key())


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
