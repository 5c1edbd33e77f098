"""Consumers that read a log by themselves, outside of any group."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.log_end import is_end, is_read_to
from app.settings import Settings

TIMEOUT_S: Final = 30.0


def log_reader(settings: Settings, name: str, properties: Mapping[str, Any]) -> Consumer:
    """A consumer that is told by an event where a partition ends; whoever has it assigns partitions, and commits none.

    `properties` are librdkafka's, beside what all have alike.
    """
    return Consumer(
        {
            **settings.kafka_config,
            "group.id": f"{settings.namespace}.{name}",  # librdkafka insists on a name; nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            **properties,
        }
    )


def no_answer() -> KafkaException:
    """What librdkafka raises where a broker does not answer in time."""
    return KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - its public name begins with an underscore


def committed_reader(settings: Settings, name: str) -> Consumer:
    """A consumer for `records_to_end`."""
    properties = {"auto.offset.reset": "error", "log_level": 0}  # what goes wrong is raised
    return log_reader(settings, name, properties)


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
            raise no_answer()
        error = message.error()
        if error is None:
            yield message
        elif not is_end(error):
            raise KafkaException(error)
        if is_read_to(end, message):
            return
