"""A partition's state comes back from its changelog, and says where in `trades` the fold goes on.

The order decides: first the transactional producer is started, which fences whoever had the partition before and ends
what it left open; only then is the end of the changelog read. Whatever would come behind that end nobody can write. A
state that the worker has already, kept or a standby's, is used if it is what the changelog says up to that end.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from agents.aggregates import AggregateFailed, Origin, PartitionAggregates, restore_aggregates
from agents.epoch import FIRST_GENERATION, FROM_START, check_progress
from agents.fold import metrics
from agents.fold.flush import CHANGELOG, FlushWriter
from agents.fold.history import History
from agents.fold.setup import FoldSetup
from agents.fold.state import FoldState, Logs, Warmth
from agents.kernel import CorruptState
from agents.partition_reader import partition_reader, read_changelog
from app.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recovered:
    """A partition that is ready to be folded from `next_offset` on."""

    state: FoldState
    aggregates: PartitionAggregates
    writer: FlushWriter
    history: History
    next_offset: int
    warmth: Warmth


class AggregateNotRestored(Exception):
    """A user's aggregate refuses its own state; the fold, which is restored, would go on from `next_offset`."""

    def __init__(self, failure: AggregateFailed, next_offset: int) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.next_offset = next_offset


async def recover(setup: FoldSetup, partition: int, held: FoldState | None = None) -> Recovered:
    """Fence the partition's former owner, have its state, and check that it belongs to the log.

    `held` is what the worker has of the state already; cut short, this leaves it to be used another time.

    Raises:
        CorruptState: the changelog cannot be restored.
        EpochMismatch: the state was folded from another log.
        RecordsGone: or from this one, which has lost what comes next.
        AggregateNotRestored: the code of a user's aggregate fails.
        KafkaException, KafkaError: the broker refuses or does not answer.
    """
    started = time.monotonic()
    writer = FlushWriter(setup, partition)
    try:
        await writer.start()
        recovered = await _recover(setup, partition, writer, held)
    except BaseException:
        await writer.close()
        raise
    seconds = time.monotonic() - started
    metrics.RECOVERY_S.labels(recovered.warmth).observe(seconds)
    log.info(
        "partition %d: %s, ready in %.2f s, on from %d", partition, recovered.warmth, seconds, recovered.next_offset
    )
    return recovered


async def _recover(setup: FoldSetup, partition: int, writer: FlushWriter, held: FoldState | None) -> Recovered:
    settings = setup.settings
    warmth = Warmth.COLD if held is None else held.warmth
    state = await _state(setup, partition, held)
    next_offset, generation = await _progress(settings, partition, state)
    if state.aggregates is None:
        origin = Origin(state.logs.trades, generation, partition)
        aggregates = PartitionAggregates(setup.aggregates, setup.config, setup.schema_ids, origin)
        try:
            await restore_aggregates(settings, aggregates, partition, state.fold, next_offset)
        except AggregateFailed as failure:
            raise AggregateNotRestored(failure, next_offset) from failure
        state.aggregates = aggregates
    came_from = warmth if state is held else Warmth.COLD
    return Recovered(state, state.aggregates, writer, History(settings), next_offset, came_from)


async def _state(setup: FoldSetup, partition: int, held: FoldState | None) -> FoldState:
    """What the changelog says up to its end: what is held, if it leads there, else all of it is read."""
    settings = setup.settings
    changelog = settings.topic(CHANGELOG)
    logs = await asyncio.to_thread(Logs.of, settings)
    async with partition_reader(settings, changelog, partition) as (consumer, tp):
        end = (await consumer.end_offsets([tp]))[tp]
        if held is not None:
            if await _is_led(held, logs, consumer, tp, end):
                return held
            held.drop()
        state = FoldState(setup, partition, logs)
        try:
            await _lead(state, consumer, tp, end)
        except CorruptState as error:
            raise CorruptState(f"{changelog} partition {partition}: {error}: {_remedy(settings)}") from error
        return state


async def _is_led(held: FoldState, logs: Logs, consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> bool:
    """Whether what is held came to the changelog's end."""
    if not held.leads_to(logs, end):
        log.info("partition %d: its %s state is not what the changelog says by now", tp.partition, held.warmth)
        return False
    try:
        await _lead(held, consumer, tp, end)
    except (CorruptState, OffsetOutOfRangeError) as error:  # the changelog was cut, by a reset
        log.warning("partition %d: its state cannot be gone on from: %s", tp.partition, error)
        return False
    return True


async def _lead(state: FoldState, consumer: AIOKafkaConsumer, tp: TopicPartition, end: int) -> None:
    """Take what the changelog has that is not in the state yet. Raises CorruptState."""
    if not state.is_finished:
        await read_changelog(consumer, tp, state.changelog_offset, end, state.take)
    await state.finish(end)


async def _progress(settings: Settings, partition: int, state: FoldState) -> tuple[int, int]:
    """Where the fold goes on, and in which generation."""
    trades = settings.topic("trades")
    async with partition_reader(settings, trades, partition) as (consumer, tp):
        first = int((await consumer.beginning_offsets([tp]))[tp])
        end = int((await consumer.end_offsets([tp]))[tp])
    reached = state.reached
    if reached is None or reached.next_offset == FROM_START:
        state.begin(first)
        if first > 0:
            what = "windows that may have begun among what is gone are not published"
            log.warning("partition %d: %s begins at offset %d: %s", partition, trades, first, what)
        return first, FIRST_GENERATION if reached is None else reached.generation
    check_progress(
        trades,
        recorded=reached.epoch,
        current=state.logs.trades,
        next_offset=reached.next_offset,
        first=first,
        end=end,
        remedy=_remedy(settings),
    )
    return reached.next_offset, reached.generation


def _remedy(settings: Settings) -> str:
    return (
        f"stop the workers of {settings.namespace} and run `livetape reset`: "
        "the log is then folded from its start again"
    )
