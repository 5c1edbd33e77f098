"""States of partitions that other workers have, kept warm: each takes its changelog's records soon after they come.

Nobody is fenced by that, and nothing written. Whoever takes a partition over reads what is left of its changelog.
"""

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from confluent_kafka import KafkaException

from agents.fold import metrics
from agents.fold.flush import CHANGELOG
from agents.fold.setup import FoldSetup
from agents.fold.state import FoldState, Logs
from agents.kernel import CorruptState
from agents.partition_reader import POLL_MS, topic_reader
from agents.transport import RecordSet

log = logging.getLogger(__name__)

FETCH: Final = {
    "fetch_max_wait_ms": 500,  # flushes gather meanwhile: to fetch each by itself would cost more than it is worth
    "fetch_min_bytes": 1024 * 1024,
    "max_partition_fetch_bytes": 1024 * 1024,
}
AGAIN_S: Final = 1.0


class Standbys:
    """Follows the changelogs of some partitions, in one consumer."""

    def __init__(self, setup: FoldSetup, states: dict[int, FoldState]) -> None:
        """`states` are by partition: it begins with those that are there, and puts there what it begins."""
        self._setup = setup
        self._changelog = setup.settings.topic(CHANGELOG)
        self._states = states

    async def follow(self, partitions: Collection[int]) -> None:
        """Keep these warm until this is cancelled, or none of them can be."""
        left = set(partitions)
        try:
            await self._follow_again(left)
        finally:
            metrics.STANDBY_LAG_RECORDS.clear()

    async def _follow_again(self, left: set[int]) -> None:
        while left:
            try:
                await self._follow(left)
            except OffsetOutOfRangeError as error:
                for tp in error.args[0]:
                    log.warning("partition %d: its standby is begun anew: the changelog was cut", tp.partition)
                    self._states.pop(tp.partition, None)
            except (KafkaError, KafkaException) as error:
                log.warning("%s cannot be followed now: %r", self._changelog, error)
                await asyncio.sleep(AGAIN_S)

    async def _follow(self, left: set[int]) -> None:
        logs = await asyncio.to_thread(Logs.of, self._setup.settings)
        for partition in left:
            state = self._states.get(partition)
            if state is None or not state.takes_more_of(logs):
                self._states[partition] = FoldState(self._setup, partition, logs)
        async with topic_reader(self._setup.settings, self._changelog, left, **FETCH) as consumer:
            await self._seek(consumer)
            while left:
                for tp, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        if tp.partition in left:
                            await self._take(consumer, tp, record.value, left)

    async def _seek(self, consumer: AIOKafkaConsumer) -> None:
        begins = await consumer.beginning_offsets(consumer.assignment())
        for tp, begin in begins.items():
            taken = self._states[tp.partition].changelog_offset
            consumer.seek(tp, begin if taken is None else taken)

    async def _take(
        self, consumer: AIOKafkaConsumer, tp: TopicPartition, record_set: RecordSet, left: set[int]
    ) -> None:
        try:
            await self._states[tp.partition].take(record_set)
        except CorruptState as error:
            log.error("%s partition %d: its standby is given up: %s", *tp, error)  # noqa: TRY400 - no fault of the code
            consumer.pause(tp)
            del self._states[tp.partition]
            left.discard(tp.partition)
        else:
            stable_end = consumer.last_stable_offset(tp) or record_set.next_offset
            metrics.STANDBY_LAG_RECORDS.labels(tp.partition).set(max(0, stable_end - record_set.next_offset))
