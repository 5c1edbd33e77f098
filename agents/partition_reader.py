"""Reading a stretch of one partition as record sets, outside of any group."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from agents import crash_points
from agents.transport import RecordSet, consumer_connection, undecoding_consumer
from app.settings import Settings

log = logging.getLogger(__name__)

FETCH_BYTES: Final = 8 * 1024 * 1024
POLL_MS: Final = 1_000


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
    **options: int,
) -> AsyncIterator[AIOKafkaConsumer]:
    """The same of some partitions of a topic; `options` are aiokafka's."""
    consumer = undecoding_consumer(frozenset({topic}))(
        **consumer_connection(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        **{"max_partition_fetch_bytes": FETCH_BYTES, **options},
    )
    consumer.assign([TopicPartition(topic, partition) for partition in partitions])
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def record_sets(consumer: AIOKafkaConsumer, tp: TopicPartition, first: int, end: int) -> AsyncIterator[RecordSet]:
    """All from one offset up to another, which the log has come to."""
    consumer.seek(tp, first)
    while await consumer.position(tp) < end:
        fetched = await consumer.getmany(tp, timeout_ms=POLL_MS)
        for record in fetched.get(tp, ()):
            yield record.value


async def read_changelog(
    consumer: AIOKafkaConsumer,
    tp: TopicPartition,
    first: int | None,
    end: int,
    take: Callable[[RecordSet], Awaitable[None]],
) -> None:
    """Give what a changelog has up to an offset, from another one or its beginning on."""
    begin = (await consumer.beginning_offsets([tp]))[tp] if first is None else first
    async for record_set in record_sets(consumer, tp, begin, end):
        await take(record_set)
        crash_points.reach("during-recovery")
    log.info("partition %d: %d offsets of the changelog were read", tp.partition, end - begin)
