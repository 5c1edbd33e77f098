"""Reading a stretch of one partition as record sets, outside of any group."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaTimeoutError, RecordTooLargeError
from aiokafka.structs import TopicPartition

from agents import crash_points
from agents.kernel import CorruptState
from agents.log_errors import CorruptRecords
from agents.transport import RecordSet, consumer_connection, undecoding_consumer
from app.settings import Settings

log = logging.getLogger(__name__)

FETCH_BYTES: Final = 8 * 1024 * 1024
POLL_MS: Final = 1_000
POLLS: Final = 30
"""So often is a broker asked for what it does not give, though it answers: it gives nothing of what it cannot read."""


@asynccontextmanager
async def partition_reader(
    settings: Settings, topic: str, partition: int
) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    """A consumer of one partition that gives what is committed as record sets."""
    async with topic_reader(settings, topic, {partition}) as consumer:
        yield consumer, TopicPartition(topic, partition)


@asynccontextmanager
async def topic_reader(
    settings: Settings,
    topic: str,
    partitions: Collection[int],
    **options: int | str,
) -> AsyncIterator[AIOKafkaConsumer]:
    """The same of some partitions of a topic; `options` are aiokafka's."""
    consumer = undecoding_consumer(frozenset({topic}))(
        **consumer_connection(settings),
        enable_auto_commit=False,
        auto_offset_reset="none",
        **{"isolation_level": "read_committed", "max_partition_fetch_bytes": FETCH_BYTES, **options},
    )
    consumer.assign([TopicPartition(topic, partition) for partition in partitions])
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def record_sets(consumer: AIOKafkaConsumer, tp: TopicPartition, first: int, end: int) -> AsyncIterator[RecordSet]:
    """All from one offset up to another, which the log has come to. A broker that is away is waited for.

    Raises:
        CorruptRecords: nobody can tell where a batch ends.
    """
    consumer.seek(tp, first)
    while await consumer.position(tp) < end:
        try:
            record_set = await next_set(consumer, tp)
        except KafkaTimeoutError as error:
            log.warning("%s partition %d cannot be read now, and it is tried again: %s", *tp, error)
        else:
            yield record_set


async def next_set(consumer: AIOKafkaConsumer, tp: TopicPartition) -> RecordSet:
    """What comes next in a log that goes on.

    A broker that gives nothing may be away. It answers one request of a connection after the other, so that one who
    tells the log's end has answered the fetch before, with nothing.

    Raises:
        CorruptRecords: nobody can tell where its first batch ends.
        KafkaTimeoutError: the broker does not answer.
    """
    at = await consumer.position(tp)
    for _ in range(POLLS):
        try:
            fetched = (await consumer.getmany(tp, timeout_ms=POLL_MS)).get(tp)
        except RecordTooLargeError as error:
            raise CorruptRecords(f"offset {at}: the batch there is longer than the log") from error
        if fetched:
            record_set: RecordSet = fetched[0].value
            if record_set.next_offset == record_set.start_offset:
                raise CorruptRecords(f"offset {at}: the batch there is damaged, and does not tell its end")
            return record_set
        await consumer.end_offsets([tp])
    raise CorruptRecords(f"offset {at}: the broker cannot read the batch there")


async def read_changelog(
    consumer: AIOKafkaConsumer,
    tp: TopicPartition,
    first: int | None,
    end: int,
    take: Callable[[RecordSet], Awaitable[None]],
) -> None:
    """Give what a changelog has up to an offset, from another one or its beginning on.

    Raises:
        CorruptState: it is damaged so that nobody can tell where a batch ends.
    """
    begin = (await consumer.beginning_offsets([tp]))[tp] if first is None else first
    try:
        async for record_set in record_sets(consumer, tp, begin, end):
            await take(record_set)
            crash_points.reach("during-recovery")
    except CorruptRecords as error:
        raise CorruptState(str(error)) from error
    log.info("partition %d: %d offsets of the changelog were read", tp.partition, end - begin)
