"""Records sent at a pace, passed on, and heard of: each part is a process of its own, as in a real flow.

All of them note times by the machine's one clock, in ns since 1970.
"""

import gc
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Any, Final, TypeAlias

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer, TopicPartition

from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.settings import Settings
from app.units import MILLISECOND_NS, SECOND_NS
from bench.trades_topic import Record, SchemaIds, TradesSpec, records

POLL_S: Final = 0.1
_TIMEOUT_S: Final = 30.0
_AT_ONCE: Final = 1_000
_LEAST_LINGER_MS: Final = 1
"""With less, each record is a request of its own, and the broker is what is measured."""
_BRIDGE_LINGER_MS: Final = 5
"""How long the bridge's producer gathers trades."""
_FEW_PER_S: Final = 1_000
"""Up to so many the sender gathers for a shorter time, which makes the floor quicker; with more it would make so many
requests that the broker is busy with them, and the floor slower."""
_BURST_NS: Final = MILLISECOND_NS
OutMessage: TypeAlias = dict[str, Any]
Covered = tuple[str, int, int]
"""An instrument, the id of the newest trade that is in what was heard, and when that was."""


def send(settings: Settings, topic: str, spec: TradesSpec, ids: SchemaIds, sent: Connection) -> None:
    """Send each record when its event time has come; then say when each trade was handed to the producer.

    All records are made before the first is due; those of a millisecond are handed over at once, and read again only
    when all are sent: a sender that keeps a processor busy would be what is measured.

    Raises:
        RuntimeError: making them took longer than until `spec.start_ns`, or the broker takes them too slowly.
    """
    gc.disable()  # a look at a million records is a pause
    planned = list(records(spec, ids, settings.schemas_dir))[:-1]  # the last closes the windows ahead of time
    due_ns = [record.time_ns for record in planned]
    messages = [_messages(record) for record in planned]
    if time.time_ns() > spec.start_ns:
        raise RuntimeError("the records were not ready in time: this machine is too busy, or too slow")
    producer = _producer(settings, _linger_ms(spec))
    times: list[int] = []
    at, now_ns = 0, 0
    while at < len(planned):
        now_ns = _sleep_until(max(due_ns[at], now_ns + _BURST_NS))
        end = bisect_right(due_ns, now_ns, at)
        _produce(producer, topic, [message for each in messages[at:end] for message in each])
        times.extend([now_ns] * (end - at))
        at = end
    producer.flush()
    read = _reader(settings)
    noted = zip(planned, times, strict=True)
    sent.send({covered[:2]: covered[2] for record, sent_ns in noted for covered in read(record.value, sent_ns)})


def replay(settings: Settings, topic: str, spec: TradesSpec, ids: SchemaIds) -> None:
    """Make and send each record when its event time has come, or at once when that has passed, however many."""
    producer = _producer(settings, _LEAST_LINGER_MS)
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
    producer = _producer(settings, _LEAST_LINGER_MS)
    for messages in _received(settings, source, ready, stop):
        _produce(
            producer,
            target,
            [{"key": each.key(), "value": each.value(), "partition": each.partition()} for each in messages],
        )
    producer.flush()


def receive(settings: Settings, topic: str, ready: Event, stop: Event, heard: Connection) -> None:
    """Hear of every record; when told to stop, say which trades were in them and when they were heard of."""
    gc.disable()
    noted = [(messages, time.time_ns()) for messages in _received(settings, topic, ready, stop)]
    read = _reader(settings)
    heard.send(
        [covered for messages, time_ns in noted for each in messages for covered in read(each.value() or b"", time_ns)]
    )


def _linger_ms(spec: TradesSpec) -> int:
    """What makes two bare hops the quickest at this pace."""
    return _LEAST_LINGER_MS if spec.trades <= _FEW_PER_S * spec.span_s else _BRIDGE_LINGER_MS


def _messages(record: Record) -> list[OutMessage]:
    """A record as the producer takes it, once for each of its partitions."""
    return [{"key": record.key, "value": record.value, "partition": partition} for partition in record.partitions]


def _produce(producer: Producer, topic: str, messages: list[OutMessage]) -> None:
    if producer.produce_batch(topic, messages) < len(messages):
        raise RuntimeError("the producer's queue is full: the broker takes records too slowly")
    producer.poll(0)  # else what was delivered stays in its queue, until that is full


def _producer(settings: Settings, linger_ms: int) -> Producer:
    return Producer(
        {
            **settings.kafka_config,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "enable.idempotence": True,
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 1_000_000,
        }
    )


def _sleep_until(time_ns: int) -> int:
    """What time it is then: not before `time_ns`."""
    while (now_ns := time.time_ns()) < time_ns:
        time.sleep((time_ns - now_ns) / SECOND_NS)
    return now_ns


def _received(settings: Settings, topic: str, ready: Event, stop: Event) -> Iterator[list[Message]]:
    """What comes, all that is there as soon as something is; after `stop` until there is no more."""
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
            messages = [first, *consumer.consume(_AT_ONCE, timeout=0)]
            for message in messages:
                if message.error() is not None:
                    raise KafkaException(message.error())
            yield messages
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
