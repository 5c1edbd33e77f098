"""What a worker would have in memory that started now: the kernel's state as the changelog has it."""

from collections.abc import Iterator

from agents.epoch import epoch_of
from agents.fold.driver import unpacked
from agents.fold.flush import CHANGELOG
from agents.fold.setup import make_setup, new_fold
from agents.kernel import PartitionFold
from agents.partition_reader import partition_reader, record_sets
from app.settings import Settings
from tests.integration.fold_kit import PARTITIONS, Avro
from tests.integration.fold_oracle import BarKey, Fields


async def restored(settings: Settings, avro: Avro) -> tuple[dict[BarKey, Fields], dict[int, int]]:
    """Every forming bar of the state, and the next offset of each partition. Fences nobody."""
    setup = make_setup(settings, avro.ids)
    epoch = epoch_of(settings, settings.topic("trades"))
    forming: dict[BarKey, Fields] = {}
    next_offsets = {}
    for partition in range(PARTITIONS):
        fold = new_fold(setup, partition, epoch)
        await _restore(settings, partition, fold)
        progress = fold.restored()
        next_offsets[partition] = 0 if progress is None else progress.next_offset
        forming |= dict(_bars(avro, fold))
    return forming, next_offsets


async def _restore(settings: Settings, partition: int, fold: PartitionFold) -> None:
    async with partition_reader(settings, settings.topic(CHANGELOG), partition) as (consumer, tp):
        first = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        async for record_set in record_sets(consumer, tp, first, end):
            fold.restore(record_set.data, record_set.aborted, record_set.start_offset)


def _bars(avro: Avro, fold: PartitionFold) -> Iterator[tuple[BarKey, Fields]]:
    for _key, value in unpacked(fold.live_all()):
        _, live = avro.read(value or b"")
        for bar in live["bars"]:
            yield BarKey(live["venue"], live["instrument"], bar["interval"], bar["start_ns"]), bar
