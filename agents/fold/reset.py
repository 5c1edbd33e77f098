"""The fold's state thrown away, safely: the log is then folded from its start again, under a higher generation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaError, Message, Producer, TopicPartition
from faust.types import TP

from agents.epoch import FIRST_GENERATION, FROM_START, epoch_of
from agents.fold.flush import CHANGELOG, transactional_id
from agents.kernel import CorruptState, progress_record, read_progress
from agents.log_bounds import log_bounds
from agents.reset import TIMEOUT_S, ResetRefused, delete_before, move_group, refuse_running
from agents.topic_check import check_topics
from app.kafka_admin import admin_client
from app.log_end import committed_reader, records_to_end
from app.producing import produce_in_turn
from app.settings import Settings

TRANSACTION_TIMEOUT_MS: Final = 10 * 60 * 1_000
"""A state of millions of bars is deleted in one transaction: half of it would be a wrong one."""


@dataclass(frozen=True)
class FoldReset:
    """What was done to one partition."""

    partition: int
    deleted: int
    generation: int
    next_offset: int


def reset_fold(settings: Settings) -> Iterator[FoldReset]:
    """Delete the state of every partition and begin a generation of bars that outranks all before, one by one.

    Raises:
        ResetRefused: a worker of the namespace is running, or the generation cannot be told.
        TopicsUnfit: topics are missing.
        KafkaException: the broker refuses or does not answer.
    """
    check_topics(settings, "trades", CHANGELOG)
    refuse_running(settings, "fold")
    topic = settings.topic("trades")
    epoch = epoch_of(settings, topic)
    count = len(admin_client(settings).list_topics(topic, TIMEOUT_S).topics[topic].partitions)
    begins = {
        tp.partition: first for tp, (first, _) in log_bounds(settings, [TP(topic, n) for n in range(count)]).items()
    }
    states = {number: _State.read(settings, number) for number in range(count)}
    generation = 1 + max(state.generation for state in states.values())
    progress = progress_record(epoch, generation, FROM_START)
    for number, state in states.items():
        written = _replace(settings, number, state, progress)
        delete_before(settings, TopicPartition(settings.topic(CHANGELOG), number, written))
        yield FoldReset(number, len(state.keys), generation, begins[number])
    move_group(settings, "fold", [TopicPartition(topic, number, offset) for number, offset in begins.items()])


@dataclass(frozen=True)
class _State:
    """What a partition's changelog has."""

    keys: frozenset[bytes]
    generation: int

    @classmethod
    def read(cls, settings: Settings, partition: int) -> "_State":
        keys: set[bytes] = set()
        progress: bytes | None = None
        progress_key, _ = progress_record("", 0, 0)
        for key, value in _committed_records(settings, partition):
            if key == progress_key:
                progress = value
            elif value is None:
                keys.discard(key)
            else:
                keys.add(key)
        return cls(
            frozenset(keys), FIRST_GENERATION if progress is None else _generation(settings, partition, progress)
        )


def _generation(settings: Settings, partition: int, progress: bytes) -> int:
    try:
        return read_progress(progress).generation
    except CorruptState as error:
        raise ResetRefused(
            f"{settings.topic(CHANGELOG)} partition {partition}: {error}: nobody can tell the generation of its bars"
        ) from error


def _committed_records(settings: Settings, partition: int) -> Iterator[tuple[bytes, bytes | None]]:
    """Every committed record of the partition's changelog, up to its end now."""
    consumer = committed_reader(settings, "reset")
    try:
        for message in records_to_end(consumer, settings.topic(CHANGELOG), partition):
            yield message.key() or b"", message.value()
    finally:
        consumer.close()


def _replace(settings: Settings, partition: int, state: _State, progress: tuple[bytes, bytes]) -> int:
    """Put a progress record alone in the state's place, as the partition's only writer; the record's offset."""
    written: list[int] = []

    def note(error: KafkaError | None, message: Message) -> None:
        if error is None:
            written.append(message.offset() or 0)

    producer = Producer(
        {
            **settings.kafka_config,
            "transactional.id": transactional_id(settings, partition),
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    for key, value in [*((key, None) for key in state.keys), progress]:
        produce_in_turn(producer, TopicPartition(settings.topic(CHANGELOG), partition), key, value, note)
    producer.commit_transaction(TRANSACTION_TIMEOUT_MS / 1_000)
    return written[-1]
