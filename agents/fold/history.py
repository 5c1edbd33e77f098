"""The log read once more: a correction needs the trades of its bar, and a bar has sums alone."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.fold import metrics
from agents.kernel import PartitionFold
from agents.log_errors import CorruptRecords
from agents.partition_reader import partition_reader, record_sets
from agents.transport import RecordSet
from agents.uninterrupted import uninterrupted
from app.settings import Settings

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0


class _HistoryGone(Exception):
    """A stretch of a log is not there any more; the message says which, and why."""


class History:
    """Gives a fold its own log's records again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def reread(self, tp: TP, fold: PartitionFold, lock: asyncio.Lock, *, first: int, end: int) -> int | None:
        """Give the records of the partition's offsets [first, end) to the fold again, or say that they are gone.

        The id of a schema that the fold has not met, since they may be older than the worker: it has to know it first.
        It may be cancelled, between two record sets. `lock` is held while the fold is used, and not while the broker
        is waited for, for as long as it is away.

        Raises:
            KafkaError: the broker refuses.
        """
        metrics.REREADS.labels(tp.partition).inc()
        while True:
            try:
                return await self._reread_once(tp, fold, lock, first=first, end=end)
            except (KafkaConnectionError, KafkaTimeoutError) as error:
                log.warning("%s partition %d: a correction waits for offset %d: %r", *tp, first, error)
                await asyncio.sleep(AGAIN_S)

    async def _reread_once(
        self, tp: TP, fold: PartitionFold, lock: asyncio.Lock, *, first: int, end: int
    ) -> int | None:
        try:
            async with partition_reader(self._settings, *tp) as (consumer, partition):
                async for record_set in _stretch(consumer, partition, first, end):
                    async with lock:
                        reading = asyncio.to_thread(fold.reread, record_set.data, record_set.aborted)
                        unknown = await uninterrupted(reading)
                    if unknown is not None:
                        return unknown
        except _HistoryGone as gone:
            log.warning("%s partition %d: a correction needs %s", *tp, gone)
            async with lock:
                fold.history_is_gone()
        return None


async def _stretch(consumer: AIOKafkaConsumer, tp: TopicPartition, first: int, end: int) -> AsyncIterator[RecordSet]:
    """The records of the offsets [first, end).

    Raises:
        _HistoryGone: the log does not have them all any more.
        OffsetOutOfRangeError: it has lost its end.
    """
    await _check_begin(consumer, tp, first)
    try:
        async for record_set in record_sets(consumer, tp, first, end):
            yield record_set
    except CorruptRecords as error:
        raise _HistoryGone(f"offsets {first} to {end - 1}: {error}") from error
    except OffsetOutOfRangeError:
        await _check_begin(consumer, tp, first)
        raise


async def _check_begin(consumer: AIOKafkaConsumer, tp: TopicPartition, first: int) -> None:
    """Raise _HistoryGone where the log begins behind an offset by now."""
    begins = (await consumer.beginning_offsets([tp]))[tp]
    if begins > first:
        raise _HistoryGone(f"offset {first}, the log begins at {begins}")
