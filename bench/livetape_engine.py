"""livetape's own worker on the topic of a benchmark: started, timed, and its bars read back."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from app.settings import Settings
from bench.bars import BarKey, BarValues, Decoder, read_bars
from bench.parts import started
from bench.processes import Cost, CostMeter

_WIRE_HEADER_BYTES = 5
_POLL_S = 0.05
_TIMEOUT_S = 300.0
_ANSWER_S = 10.0
Worker = subprocess.Popen[bytes]


def run(settings: Settings, log: Path) -> Cost:
    """What the worker spent from a settled group to having committed its state and outputs for every record."""
    ends = end_offsets(settings)
    with settled_workers(settings, log) as workers:
        meter = CostMeter(workers[0].pid)
        wait_until_committed(settings, ends, workers, log)
        return meter.read()


@contextmanager
def settled_workers(settings: Settings, log: Path, count: int = 1) -> Iterator[list[Worker]]:
    """Workers that have shared the partitions out, for as long as the block runs."""
    admin = AdminClient(settings.kafka_config)
    with ExitStack() as ends:
        workers: list[Worker] = []
        for _ in range(count):
            worker = started(settings, "worker", log)
            ends.callback(_end, worker)
            workers.append(worker)
        _wait(lambda: _is_settled(admin, _group(settings), count), workers, log)
        yield workers


def wait_until_committed(settings: Settings, ends: Mapping[int, int], workers: list[Worker], log: Path) -> None:
    """Wait until the workers have committed up to the offset `ends` of each partition of `trades`."""
    consumer = Consumer(settings.kafka_config | {"group.id": _group(settings)})
    partitions = [TopicPartition(settings.topic("trades"), number) for number in ends]
    try:
        _wait(lambda: _committed(consumer, partitions) == ends, workers, log)
    finally:
        consumer.close()


def bars(settings: Settings) -> dict[BarKey, BarValues]:
    """The last committed value of every bar that the worker published."""
    decode = _decoder(settings.schemas_dir)
    return {
        key: values
        for topic in ("bars", "bars.1s")
        for key, values in read_bars(settings.kafka_bootstrap, settings.topic(topic), decode).items()
    }


def _decoder(schemas_dir: Path) -> Decoder:
    """Reads a record of the topics `bars` and `bars.1s`."""
    schema = fastavro.schema.load_schema(str(schemas_dir / "bar.avsc"))

    def decode(_key: bytes, value: bytes) -> tuple[BarKey, BarValues]:
        bar: Any = fastavro.schemaless_reader(BytesIO(value[_WIRE_HEADER_BYTES:]), schema, None)
        return BarKey(bar["interval"], bar["instrument"], bar["start_ns"]), BarValues(
            *(bar[name] for name in BarValues._fields)
        )

    return decode


def _group(settings: Settings) -> str:
    return f"{settings.namespace}.fold"


def end_offsets(settings: Settings) -> dict[int, int]:
    """The end of each partition of `trades`."""
    topic = settings.topic("trades")
    consumer = Consumer(settings.kafka_config | {"group.id": "bench-ends"})
    try:
        partitions = consumer.list_topics(topic).topics[topic].partitions
        return {number: consumer.get_watermark_offsets(TopicPartition(topic, number))[1] for number in partitions}
    finally:
        consumer.close()


def _end(worker: Worker) -> None:
    worker.terminate()
    worker.wait()


def _is_settled(admin: AdminClient, group: str, count: int) -> bool:
    try:
        description = admin.describe_consumer_groups([group])[group].result()
    except KafkaException:
        return False  # the broker has not loaded its groups yet
    return bool(description.state == ConsumerGroupState.STABLE and len(description.members) == count)


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> dict[int, int]:
    """The group's offsets, by a consumer: the admin client crashes here while the coordinator loads."""
    return {at.partition: max(at.offset, 0) for at in consumer.committed(partitions, _ANSWER_S)}


def _wait(is_done: Callable[[], bool], workers: list[Worker], log: Path) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_done():
        if any(worker.poll() is not None for worker in workers) or time.monotonic() > deadline:
            raise RuntimeError(f"a worker ended, or it took more than {_TIMEOUT_S:.0f} s: {log.read_text()[-3000:]}")
        time.sleep(_POLL_S)
