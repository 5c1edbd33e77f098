"""The fold's state thrown away, safely: the log is then folded from its start again, under a higher generation."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka.errors import KafkaTimeoutError
from confluent_kafka import KafkaError, Message, Producer, TopicPartition
from faust.types import TP

from agents.epoch import FIRST_GENERATION, FROM_START, epoch_of
from agents.fold.flush import CHANGELOG, transactional_id
from agents.kernel import CorruptBatch, CorruptState, progress_record, read_progress, read_records
from agents.log_bounds import log_bounds
from agents.log_errors import CorruptRecords
from agents.partition_reader import next_set, partition_reader
from agents.reset import TIMEOUT_S, ResetRefused, delete_before, move_group, refuse_running
from agents.topic_check import check_topics
from agents.transport import RecordSet
from agents.transport.record_set import batches_of
from app.kafka_admin import admin_client
from app.producing import produce_in_turn
from app.settings import Settings

TRANSACTION_TIMEOUT_MS: Final = 10 * 60 * 1_000
"""A state of millions of bars is deleted in one transaction: half of it would be a wrong one."""
PROGRESS_KEY: Final = progress_record("", 0, 0)[0]


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
        ResetRefused: a worker of the namespace is running, the generation cannot be told, or the broker went away
            while the state was read, before anything was changed; or it cannot read what was written.
        TopicsUnfit: topics are missing.
        KafkaException, KafkaError: the broker refuses or does not answer.
    """
    check_topics(settings, "trades", CHANGELOG)
    refuse_running(settings, "fold")
    topic = settings.topic("trades")
    epoch = epoch_of(settings, topic)
    count = len(admin_client(settings).list_topics(topic, TIMEOUT_S).topics[topic].partitions)
    begins = {
        tp.partition: first for tp, (first, _) in log_bounds(settings, [TP(topic, n) for n in range(count)]).items()
    }
    states = asyncio.run(_read_states(settings, count))
    generation = _next_generation(settings, states)
    progress = progress_record(epoch, generation, FROM_START)
    for number, state in states.items():
        written = _replace(settings, number, state, progress)
        if state.is_damaged:
            asyncio.run(_read_back(settings, number, written))
        delete_before(settings, TopicPartition(settings.topic(CHANGELOG), number, written))
        yield FoldReset(number, len(state.keys), generation, begins[number])
    move_group(settings, "fold", [TopicPartition(topic, number, offset) for number, offset in begins.items()])


@dataclass
class _State:
    """What can be read of a partition's changelog."""

    keys: set[bytes] = field(default_factory=set)
    generation: int | None = None
    is_damaged: bool = False

    def take(self, record_set: RecordSet) -> None:
        """Take the records that come next; what cannot be read among them is passed over."""
        try:
            records, damaged = read_records(record_set.data, record_set.aborted)
        except CorruptBatch:
            records, damaged = read_records(b"".join(_readable(record_set.data)), record_set.aborted)
            self.is_damaged = True
        self.is_damaged |= bool(damaged)
        for record in records:
            if record.offset >= record_set.start_offset:  # a batch may begin with records that were deleted
                self._take(record.key or b"", record.value)

    def _take(self, key: bytes, value: bytes | None) -> None:
        if key == PROGRESS_KEY:
            self._take_progress(value)
        elif value is None:
            self.keys.discard(key)
        else:
            self.keys.add(key)

    def _take_progress(self, value: bytes | None) -> None:
        try:
            self.generation = read_progress(value or b"").generation
        except CorruptState:
            self.is_damaged = True


def _readable(data: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """The batches of a record set that can be read by themselves: their lengths tell where each begins."""
    for batch in batches_of(data):
        with contextlib.suppress(CorruptBatch):
            if not read_records(batch)[1]:
                yield batch


async def _read_states(settings: Settings, count: int) -> dict[int, _State]:
    try:
        return {number: await _read_state(settings, number) for number in range(count)}
    except KafkaTimeoutError as error:
        raise ResetRefused(
            f"Kafka went away while {settings.topic(CHANGELOG)} was read, and nothing was changed: "
            "run the reset again once Kafka answers (`livetape status`)"
        ) from error


async def _read_state(settings: Settings, partition: int) -> _State:
    """What a partition's changelog has up to its end now.

    By our own reader: another client gives nothing of a batch that is damaged, nor of what is behind it.
    """
    state = _State()
    async with partition_reader(settings, settings.topic(CHANGELOG), partition) as (consumer, tp):
        at = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        consumer.seek(tp, at)
        while at < end:
            try:
                record_set = await next_set(consumer, tp)
            except CorruptRecords:  # and what is behind it cannot be had
                state.is_damaged = True
                break
            state.take(record_set)
            at = record_set.next_offset
    return state


async def _read_back(settings: Settings, partition: int, written: int) -> None:
    """Read the progress record where a worker will, before what tells the generation is deleted.

    A broker looks for it in the file that it writes, batch by batch: one with a damaged length hides all behind it.
    """
    topic = settings.topic(CHANGELOG)
    async with partition_reader(settings, topic, partition) as (consumer, tp):
        consumer.seek(tp, written)
        try:
            await next_set(consumer, tp)
        except KafkaTimeoutError as error:
            raise ResetRefused(
                f"Kafka went away while what was written to {topic} partition {partition} was read back: "
                "run the reset again once Kafka answers (`livetape status`)"
            ) from error
        except CorruptRecords as error:
            raise ResetRefused(
                f"the broker cannot read what was written to {topic} partition {partition}, behind a damaged batch in "
                "the same file: have it begin another file, by segment.ms=1000 for that topic (kafka-configs.sh), run "
                "the reset again, and delete that setting"
            ) from error


def _next_generation(settings: Settings, states: Mapping[int, _State]) -> int:
    """One above all that can be read: each reset begins the same one in all partitions."""
    known = [state.generation for state in states.values() if state.generation is not None]
    damaged = [str(number) for number, state in states.items() if state.is_damaged]
    if damaged and not known:
        raise ResetRefused(
            f"{settings.topic(CHANGELOG)} is damaged in partition {', '.join(damaged)}, and nothing in it tells the "
            "generation of its bars, which new ones have to outrank: fold the log into another LIVETAPE_NAMESPACE, or "
            f"delete the topics and the database of {settings.namespace} and begin it anew"
        )
    return 1 + max(known, default=FIRST_GENERATION)


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
