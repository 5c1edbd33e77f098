"""Writing more records than a producer holds at once."""

from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError, Message, Producer, TopicPartition

ROOM_WAIT_S: Final = 1.0


def produce_in_turn(
    producer: Producer,
    at: TopicPartition,
    key: bytes | None,
    value: bytes | None,
    on_delivery: Callable[[KafkaError | None, Message], None],
) -> None:
    """Hand a record for a partition over as soon as librdkafka's queue has room for it."""
    while True:
        try:
            return producer.produce(at.topic, value, key, at.partition, on_delivery=on_delivery)
        except BufferError:
            producer.poll(ROOM_WAIT_S)
