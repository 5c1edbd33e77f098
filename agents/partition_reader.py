"""Reading a stretch of one partition as record sets, outside of any group."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from agents.transport import consumer_connection, undecoding_consumer
from app.settings import Settings

FETCH_BYTES: Final = 8 * 1024 * 1024
POLL_MS: Final = 1_000


@asynccontextmanager
async def partition_reader(
    settings: Settings, topic: str, partition: int
) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    """A consumer of one partition that gives what is committed as record sets."""
    consumer = undecoding_consumer(frozenset({topic}))(
        **consumer_connection(settings),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    tp = TopicPartition(topic, partition)
    consumer.assign([tp])
    await consumer.start()
    try:
        yield consumer, tp
    finally:
        await consumer.stop()
