"""Bars as the engines of a benchmark are compared: by value, bar by bar."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

Decoder = Callable[[bytes, bytes], tuple["BarKey", "BarValues"]]


class BarKey(NamedTuple):
    """One window of one instrument."""

    interval: str
    instrument: str
    start_ns: int


class BarValues(NamedTuple):
    """What every engine computes; prices in quote currency, volume in base currency."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    notional: Decimal
    trade_count: int


def read_bars(bootstrap: str, topic: str, decode: Decoder) -> dict[BarKey, BarValues]:
    """The last committed value of every bar in `topic`."""
    return dict(decode(*_key_and_value(message)) for message in committed_records(bootstrap, topic))


def differences(ours: Mapping[BarKey, BarValues], theirs: Mapping[BarKey, BarValues]) -> list[str]:
    """A line for every bar that is missing on one side or has another value there."""
    return [
        f"{key}: {ours.get(key)} is not {theirs.get(key)}"
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key) != theirs.get(key)
    ]


def _key_and_value(message: Message) -> tuple[bytes, bytes]:
    key, value = message.key(), message.value()
    if key is None or value is None:
        raise ValueError(f"the record at offset {message.offset()} has no key or no value")
    return key, value


def committed_records(bootstrap: str, topic: str) -> Iterable[Message]:
    """Every committed record of `topic`, from its start to where it ends now."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        partitions = consumer.list_topics(topic).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        unread = len(partitions)
        while unread:
            for message in consumer.consume(10_000, timeout=1.0):
                error = message.error()
                if error is None:
                    yield message
                elif error.name() == "_PARTITION_EOF":
                    unread -= 1
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
