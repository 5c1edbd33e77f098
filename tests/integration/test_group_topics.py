"""A group whose leader knows of no partitions when it gives them out, as when its broker has just come back."""

import asyncio
from collections.abc import Collection
from typing import Any

from aiokafka.abc import ConsumerRebalanceListener

from agents.transport import consumer_connection, undecoding_consumer
from app import topic_admin
from app.settings import Settings

WITHIN_S = 120.0
"""Far less than the five minutes after which a consumer looks for topics by itself."""


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """The topics of each assignment, as they come."""

    def __init__(self) -> None:
        self.topics: asyncio.Queue[set[str]] = asyncio.Queue()

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        """Wait for what is assigned next."""

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        self.topics.put_nowait({tp.topic for tp in assigned})


async def test_partitions_that_the_brokers_tell_of_later_are_given_out_then(settings: Settings) -> None:
    topic = settings.topic("trades")
    assignments = Assignments()
    consumer = undecoding_consumer(frozenset())(**consumer_connection(settings), group_id=settings.topic("group"))
    await consumer.start()
    try:
        consumer.subscribe([topic], listener=assignments)
        async with asyncio.timeout(WITHIN_S):
            assert await assignments.topics.get() == set()
            await asyncio.to_thread(topic_admin.apply, settings)
            assert await assignments.topics.get() == {topic}
    finally:
        await consumer.stop()
