"""livetape's own worker on the topic of a benchmark: started, timed, and its bars read back."""

import os
import subprocess
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from app.settings import Settings
from bench.bars import BarKey, BarValues, Decoder
from bench.processes import Cost, CostMeter

_WIRE_HEADER_BYTES = 5
_POLL_S = 0.05
_TIMEOUT_S = 300.0
_ANSWER_S = 10.0


def run(settings: Settings, log: Path) -> Cost:
    """What the worker spent from a settled group to having committed its state and outputs for every record."""
    group = f"{settings.namespace}.fold"
    topic = settings.topic("trades")
    ends = _end_offsets(settings, topic)
    admin = AdminClient(settings.kafka_config)
    with (
        log.open("w") as output,
        subprocess.Popen(
            ["livetape", "worker"], env=os.environ | settings.environment(), stdout=output, stderr=subprocess.STDOUT
        ) as worker,
    ):
        try:
            _wait(lambda: _is_settled(admin, group), worker, log)
            meter = CostMeter(worker.pid)
            _wait(lambda: _committed(settings, group, topic) == ends, worker, log)
            return meter.read()
        finally:
            worker.terminate()


def decoder(schemas_dir: Path) -> Decoder:
    """Reads a record of the topics `bars` and `bars.1s`."""
    schema = fastavro.schema.load_schema(str(schemas_dir / "bar.avsc"))

    def decode(_key: bytes, value: bytes) -> tuple[BarKey, BarValues]:
        bar: Any = fastavro.schemaless_reader(BytesIO(value[_WIRE_HEADER_BYTES:]), schema, None)
        return BarKey(bar["interval"], bar["instrument"], bar["start_ns"]), BarValues(
            *(bar[name] for name in BarValues._fields)
        )

    return decode


def _end_offsets(settings: Settings, topic: str) -> dict[int, int]:
    consumer = Consumer(settings.kafka_config | {"group.id": "bench-ends"})
    try:
        partitions = consumer.list_topics(topic).topics[topic].partitions
        return {number: consumer.get_watermark_offsets(TopicPartition(topic, number))[1] for number in partitions}
    finally:
        consumer.close()


def _is_settled(admin: AdminClient, group: str) -> bool:
    try:
        description = admin.describe_consumer_groups([group])[group].result()
    except KafkaException:
        return False  # the broker has not loaded its groups yet
    return bool(description.state == ConsumerGroupState.STABLE)


def _committed(settings: Settings, group: str, topic: str) -> dict[int, int]:
    """The group's offsets, by a consumer: the admin client crashes here while the coordinator loads."""
    consumer = Consumer(settings.kafka_config | {"group.id": group})
    try:
        partitions = consumer.list_topics(topic).topics[topic].partitions
        offsets = consumer.committed([TopicPartition(topic, number) for number in partitions], _ANSWER_S)
        return {at.partition: max(at.offset, 0) for at in offsets}
    finally:
        consumer.close()


def _wait(is_done: Callable[[], bool], worker: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_done():
        if worker.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the worker ended or took more than {_TIMEOUT_S:.0f} s: see {log}")
        time.sleep(_POLL_S)
