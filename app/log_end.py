"""Reading a partition to where it ended."""

from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.settings import Settings

TIMEOUT_S: Final = 30.0


def is_end(error: KafkaError) -> bool:
    """Whether what a consumer tells as an error is that there is no more now."""
    return error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name begins with an underscore


def is_read_to(end: int, message: Message) -> bool:
    """Whether a message shows that its partition is read to this offset. Kafka tells the end only of one that rests."""
    error = message.error()
    return (message.offset() or 0) + 1 >= end if error is None else is_end(error)


def next_offset(message: Message) -> int | None:
    """Up to where a message shows that its partition is read; None of an error."""
    error, offset = message.error(), message.offset() or 0
    if error is None:
        return offset + 1
    return offset if is_end(error) else None


def committed_reader(settings: Settings, group: str) -> Consumer:
    """A consumer for `records_to_end`; nothing is committed in the group's name."""
    return Consumer(
        {
            **settings.kafka_config,
            "group.id": f"{settings.namespace}.{group}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "log_level": 0,  # what goes wrong is raised
        }
    )


def records_to_end(consumer: Consumer, topic: str, partition: int) -> Iterator[Message]:
    """Every committed record of a partition, from its first one to its end now.

    Raises:
        KafkaException: the broker refuses or does not answer.
    """
    first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)
    consumer.assign([TopicPartition(topic, partition, first)])
    while first < end:
        message = consumer.poll(TIMEOUT_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's public name
        error = message.error()
        if error is None:
            yield message
        elif not is_end(error):
            raise KafkaException(error)
        if is_read_to(end, message):
            return
