"""Records sent at a pace, passed on, and heard of: each part is a process of its own, as in a real flow.

All of them note times by the machine's one clock, in ns since 1970.
"""

import gc
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition

from app.intervals import SECOND_NS
from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.settings import Settings
from bench.trades_topic import SchemaIds, TradesSpec, records

POLL_S: Final = 0.1
_TIMEOUT_S: Final = 30.0
_AT_ONCE: Final = 1_000
Covered = tuple[str, int, int]
"""An instrument, the id of the newest trade that is in what was heard, and when that was."""


def send(settings: Settings, topic: str, spec: TradesSpec, ids: SchemaIds, sent: Connection) -> None:
    """Send each record when its event time has come; then say when each trade was sent.

    All records are made before the first is due.

    Raises:
        RuntimeError: making them took longer than until `spec.start_ns`.
    """
    gc.disable()  # a look at a million records is a pause
    planned = list(records(spec, ids, settings.schemas_dir))[:-1]  # the last closes the windows ahead of time
    if time.time_ns() > spec.start_ns:
        raise RuntimeError("the records were not ready in time: this machine is too busy, or too slow")
    producer = _producer(settings)
    times = []
    for record in planned:
        _sleep_until(record.time_ns)
        for partition in record.partitions:
            producer.produce(topic, record.value, record.key, partition)
        times.append(time.time_ns())
        producer.poll(0)
    producer.flush()
    read = _reader(settings)
    noted = zip(planned, times, strict=True)
    sent.send({covered[:2]: covered[2] for record, sent_ns in noted for covered in read(record.value, sent_ns)})


def replay(settings: Settings, topic: str, spec: TradesSpec, ids: SchemaIds) -> None:
    """Make and send each record when its event time has come, or at once when that has passed, however many."""
    producer = _producer(settings)
    for record in records(spec, ids, settings.schemas_dir):
        if record.time_ns > spec.start_ns + spec.span_s * SECOND_NS:
            break  # the last closes the windows ahead of time
        _sleep_until(record.time_ns)
        for partition in record.partitions:
            producer.produce(topic, record.value, record.key, partition)
        producer.poll(0)
    producer.flush()


def relay(settings: Settings, source: str, target: str, ready: Event, stop: Event) -> None:
    """Pass every record on as it is, at once: the least that a stream processor could do."""
    gc.disable()
    producer = _producer(settings)
    for message in _received(settings, source, ready, stop):
        producer.produce(target, message.value(), message.key(), message.partition() or 0)
        producer.poll(0)  # else what was delivered stays in its queue, until that is full
    producer.flush()


def receive(settings: Settings, topic: str, ready: Event, stop: Event, heard: Connection) -> None:
    """Hear of every record; when told to stop, say which trades were in them and when they were heard of."""
    gc.disable()
    noted = [(message.value() or b"", time.time_ns()) for message in _received(settings, topic, ready, stop)]
    read = _reader(settings)
    heard.send([covered for value, time_ns in noted for covered in read(value, time_ns)])


def _producer(settings: Settings) -> Producer:
    return Producer(
        {
            **settings.kafka_config,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "linger.ms": 1,  # with less, each record is a request of its own, and the broker is what is measured
            "enable.idempotence": True,
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )


def _sleep_until(time_ns: int) -> None:
    while (left_ns := time_ns - time.time_ns()) > 0:
        time.sleep(left_ns / 1e9)


def _received(settings: Settings, topic: str, ready: Event, stop: Event) -> Iterator[Message]:
    """What comes, as soon as it is there; after `stop` until there is no more."""
    consumer = Consumer({**settings.kafka_config, "group.id": f"{topic}-listener", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
        ready.set()
        while True:
            first = consumer.poll(POLL_S)
            if first is None:
                if stop.is_set():
                    return
                continue
            for message in (first, *consumer.consume(_AT_ONCE, timeout=0)):
                if message.error() is not None:
                    raise KafkaException(message.error())
                yield message
    finally:
        consumer.close()


def _reader(settings: Settings) -> Callable[[bytes, int], list[Covered]]:
    reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings))

    def read(value: bytes, time_ns: int) -> list[Covered]:
        name, fields = reader.read(value)
        if name == "livetape.Trade":
            return [(fields["instrument"], int(fields["trade_id"]), time_ns)]
        if name == "livetape.Live":
            return [(fields["instrument"], max(int(bar["last_trade_id"]) for bar in fields["bars"]), time_ns)]
        return []

    return read
