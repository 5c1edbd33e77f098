"""The aggregates' state comes back from its changelog, once the kernel's has said where the fold goes on."""

import asyncio
from typing import TYPE_CHECKING

from agents.aggregates.changelog import UnknownState
from agents.aggregates.partition import PartitionAggregates
from agents.kernel import PartitionFold, read_records
from agents.log_errors import CorruptRecords
from agents.partition_reader import partition_reader, record_sets
from app.settings import Settings
from app.topics import AGGREGATES_CHANGELOG

if TYPE_CHECKING:
    from agents.transport import RecordSet


async def restore_aggregates(
    settings: Settings, aggregates: PartitionAggregates, partition: int, fold: PartitionFold, next_offset: int
) -> None:
    """Bring the users' aggregates to where the fold, which is restored, goes on.

    Raises:
        UnknownState: the changelog cannot be read.
        AggregateFailed: an aggregate cannot be made of what it says.
    """
    if not aggregates:
        return
    changelog = settings.topic(AGGREGATES_CHANGELOG)
    try:
        async with partition_reader(settings, changelog, partition) as (consumer, tp):
            first = (await consumer.beginning_offsets([tp]))[tp]
            end = (await consumer.end_offsets([tp]))[tp]
            async for record_set in record_sets(consumer, tp, first, end):
                await asyncio.to_thread(_restore, aggregates, record_set)
        await asyncio.to_thread(aggregates.restored, next_offset, fold.has_bar)
    except (UnknownState, CorruptRecords) as error:
        remedy = f"stop the workers, delete {changelog} and run `livetape topics apply`: aggregates then begin anew"
        raise UnknownState(f"{changelog} partition {partition}: {error}: {remedy}") from error


def _restore(aggregates: PartitionAggregates, record_set: "RecordSet") -> None:
    records, damaged = read_records(record_set.data, record_set.aborted)
    if damaged:
        raise UnknownState(f"offset {damaged[0].first_offset}: {damaged[0].reason}")
    for record in records:
        aggregates.restore(record.key or b"", record.value)
