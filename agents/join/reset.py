"""The join's state and what it published thrown away, safely: both logs are then joined from their starts again.

What is joined has no generation to outrank it, so it goes with the state, and each trade is there once afterwards too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import OFFSET_END, Producer, TopicPartition
from faust.types import TP

from agents.join.recovery import CHANGELOG, INPUTS, OUTPUTS, transactional_id
from agents.log_bounds import log_bounds
from agents.reset import TIMEOUT_S, delete_before, move_group, refuse_running
from agents.topic_check import check_topics
from app.kafka_admin import admin_client
from app.settings import Settings


@dataclass(frozen=True)
class JoinReset:
    """What was done to one partition, and where both logs begin."""

    partition: int
    trades_offset: int
    quotes_offset: int


def reset_join(settings: Settings) -> Iterator[JoinReset]:
    """Delete what every partition published and its state, one by one; broken off, it can be run again.

    Raises:
        ResetRefused: a worker of the join is running, or the broker does not let records be deleted.
        TopicsUnfit: topics are missing.
        KafkaException: the broker refuses or does not answer.
    """
    check_topics(settings, *INPUTS, *OUTPUTS, CHANGELOG)
    refuse_running(settings, "join")
    trades, quotes = (settings.topic(name) for name in INPUTS)
    count = len(admin_client(settings).list_topics(trades, TIMEOUT_S).topics[trades].partitions)
    logs = [TP(name, number) for name in (trades, quotes) for number in range(count)]
    begins = {tp: first for tp, (first, _) in log_bounds(settings, logs).items()}
    for number in range(count):
        _fence(settings, number)
        _delete_published(settings, number)
        delete_before(settings, TopicPartition(settings.topic(CHANGELOG), number, OFFSET_END))
        yield JoinReset(number, begins[TP(trades, number)], begins[TP(quotes, number)])
    move_group(settings, "join", [TopicPartition(*tp, first) for tp, first in begins.items()])


def _fence(settings: Settings, partition: int) -> None:
    """End what a worker that was killed left open, and let it write no more."""
    producer = Producer({**settings.kafka_config, "transactional.id": transactional_id(settings, partition)})
    producer.init_transactions(TIMEOUT_S)


def _delete_published(settings: Settings, partition: int) -> None:
    places = [TopicPartition(settings.topic(name), partition, OFFSET_END) for name in OUTPUTS]
    admin = admin_client(settings)
    for deleted in admin.delete_records(places, operation_timeout=TIMEOUT_S).values():
        deleted.result(TIMEOUT_S)
