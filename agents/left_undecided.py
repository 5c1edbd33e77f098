"""What a transaction that is over left undecided in some partitions, and how it ended by those that have its end."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from aiokafka.record.control_record import COMMIT_MARKER, ControlRecord
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.log_bounds import log_bounds, offsets_since
from agents.log_errors import CorruptRecords
from agents.partition_reader import record_sets, topic_reader
from agents.transport.record_set import batches_of
from app.settings import Settings


async def left_open(settings: Settings, undecided: Mapping[TP, tuple[int, int]], producer_id: int) -> dict[TP, int]:
    """Where a producer's transaction has no end, and when its first records there were appended, in ms since 1970.

    `undecided` says where each partition's stretch begins and ends. Another's transaction may be open in it.
    """
    since = {tp: await _open_since(settings, tp, *stretch, producer_id) for tp, stretch in undecided.items()}
    return {tp: at_ms for tp, at_ms in since.items() if at_ms is not None}


async def _open_since(settings: Settings, tp: TP, first: int, end: int, producer_id: int) -> int | None:
    since: int | None = None
    async for batch in _batches(settings, tp, first, end):
        if batch.producer_id != producer_id:
            continue
        if batch.is_control_batch:
            since = None
        elif since is None:
            since = batch.max_timestamp
    return since


async def was_committed(settings: Settings, changelog: TP, appended_ms: int) -> bool:
    """Whether the changelog has a commit of the transaction that had records appended elsewhere at this time.

    Its end is the first one since then, not the last: what is seldom written to may be open for many flushes. Times are
    the brokers': where the changelog's leader is behind by more than a flush takes to be committed, or ahead by more
    than the pause before it, another flush's end is taken.
    """
    first, end = (await asyncio.to_thread(log_bounds, settings, {changelog}))[changelog]
    since = (await asyncio.to_thread(offsets_since, settings, {changelog}, appended_ms))[changelog]
    async with aclosing(_batches(settings, changelog, max(first, min(since, end - 1)), end)) as batches:
        async for batch in batches:
            if batch.is_control_batch:
                for marker in batch:
                    return bool(ControlRecord.parse(marker.key).type_ == COMMIT_MARKER.type_)
    return False


async def _batches(settings: Settings, tp: TP, first: int, end: int) -> AsyncGenerator[DefaultRecordBatch]:
    """All from one offset up to another, whether it is decided or not, and the ends of transactions."""
    async with topic_reader(settings, tp.topic, {tp.partition}, isolation_level="read_uncommitted") as consumer:
        try:
            async for record_set in record_sets(consumer, TopicPartition(*tp), first, end):
                for data in batches_of(record_set.data):
                    yield DefaultRecordBatch(bytes(data))
        except CorruptRecords as error:
            raise CorruptRecords(f"{tp.topic} partition {tp.partition}: {error}") from error
