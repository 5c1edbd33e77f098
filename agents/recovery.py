"""A partition's state comes back from its changelog, and says where in `trades` the fold goes on.

The order decides: first the transactional producer is started, which fences whoever had the partition before and ends
what it left open; only then is the end of the changelog read. Whatever would come behind that end nobody can write.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents import crash_points, metrics
from agents.aggregates import Origin, PartitionAggregates, restore_aggregates
from agents.epoch import FIRST_GENERATION, FROM_START, check_progress, epoch_of
from agents.flush import CHANGELOG, FlushWriter
from agents.history import History
from agents.kernel import CorruptState, FoldConfig, PartitionFold, QuoteJoin, SessionTables, VenueRules, WriterSchemas
from agents.partition_reader import POLL_MS, partition_reader
from app.aggregates import Declared, load_aggregates
from app.intervals import read_interval
from app.settings import Settings
from app.venues import TradeIds, Venue, read_venues

if TYPE_CHECKING:
    from agents.transport import RecordSet

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldSetup:
    """What every partition's fold of a worker is made with; `schema_ids` are keyed by full record name."""

    settings: Settings
    config: FoldConfig
    writer_schemas: WriterSchemas
    schema_ids: dict[str, int]
    aggregates: tuple[Declared, ...]


def make_setup(settings: Settings, schema_ids: dict[str, int]) -> FoldSetup:
    """The fold that the settings ask for, with no writer's schema known yet.

    Raises:
        VenuesFileError: venues.yaml cannot be followed.
        NoSuchHours: nor one of its calendars.
    """
    venues = read_venues(settings.venues_file)
    config = FoldConfig(
        intervals=[read_interval(name) for name in settings.intervals],
        out_of_order_ns=settings.out_of_order_ns,
        grace_ns=settings.grace_ns,
        horizon_ns=settings.horizon_ns,
        max_ahead_ns=settings.max_ahead_ns,
        venues={name: _rules(venue) for name, venue in venues.items()},
        sessions=_sessions(venues),
    )
    return FoldSetup(settings, config, WriterSchemas(), schema_ids, load_aggregates(settings))


def _sessions(venues: dict[str, Venue]) -> SessionTables:
    if not any(venue.all_hours for venue in venues.values()):
        return {}
    from agents.exchange_hours import session_tables  # noqa: PLC0415 - pandas costs half a second and 60 MB

    return session_tables(venues)


def _rules(venue: Venue) -> VenueRules:
    return VenueRules(has_contiguous_ids=venue.trade_ids is TradeIds.CONTIGUOUS, conditions=venue.conditions)


def new_fold(setup: FoldSetup, partition: int, epoch: str) -> PartitionFold:
    """A fold with no state; `epoch` names the log that it is of."""
    return PartitionFold(
        setup.config,
        setup.writer_schemas,
        bar_schema_id=setup.schema_ids["livetape.Bar"],
        live_schema_id=setup.schema_ids["livetape.Live"],
        partition=partition,
        epoch=epoch,
        generation=FIRST_GENERATION,
    )


@dataclass(frozen=True)
class Recovered:
    """A partition that is ready to fold from `next_offset` on."""

    fold: PartitionFold
    aggregates: PartitionAggregates
    writer: FlushWriter
    history: History
    next_offset: int


async def recover(setup: FoldSetup, partition: int) -> Recovered:
    """Fence the partition's former owner, restore its state, and check that it belongs to the log.

    Raises:
        CorruptState: the changelog cannot be restored.
        EpochMismatch: the state was folded from another log.
        KafkaException, KafkaError: the broker refuses or does not answer.
    """
    started = time.monotonic()
    writer = FlushWriter(setup.settings, partition)
    await writer.start()
    try:
        recovered = await _recover(setup, partition, writer)
    except BaseException:
        await writer.close()
        raise
    seconds = time.monotonic() - started
    metrics.RECOVERY_S.observe(seconds)
    log.info("partition %d: recovered in %.2f s, on from %d", partition, seconds, recovered.next_offset)
    return recovered


async def _recover(setup: FoldSetup, partition: int, writer: FlushWriter) -> Recovered:
    settings = setup.settings
    epoch = await asyncio.to_thread(epoch_of, settings, settings.topic("trades"))
    fold = new_fold(setup, partition, epoch)
    if setup.aggregates:
        fold.hand_out_trades()
    try:
        await restore(settings, CHANGELOG, partition, fold)
        next_offset, generation = await _progress(settings, partition, fold, epoch)
    except CorruptState as error:
        raise CorruptState(
            f"{settings.topic(CHANGELOG)} partition {partition}: {error}: {_remedy(settings)}"
        ) from error
    origin = Origin(epoch, generation, partition)
    aggregates = PartitionAggregates(setup.aggregates, setup.config, setup.schema_ids, origin)
    await restore_aggregates(settings, aggregates, partition, fold, next_offset)
    return Recovered(fold, aggregates, writer, History(settings), next_offset)


async def restore(settings: Settings, topic: str, partition: int, state: PartitionFold | QuoteJoin) -> None:
    """Feed a changelog up to its end into the state. Raises CorruptState."""
    changelog = settings.topic(topic)
    async with partition_reader(settings, changelog, partition) as (consumer, tp):
        first = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        consumer.seek(tp, first)
        while await consumer.position(tp) < end:
            fetched = await consumer.getmany(tp, timeout_ms=POLL_MS)
            for record in fetched.get(tp, ()):
                record_set: RecordSet = record.value
                await asyncio.to_thread(state.restore, record_set.data, record_set.aborted, record_set.start_offset)
                crash_points.reach("during-recovery")
    log.info("partition %d: the changelog has %d offsets", partition, end - first)


async def _progress(settings: Settings, partition: int, fold: PartitionFold, epoch: str) -> tuple[int, int]:
    """Where the fold goes on, and in which generation."""
    trades = settings.topic("trades")
    async with partition_reader(settings, trades, partition) as (consumer, tp):
        first = int((await consumer.beginning_offsets([tp]))[tp])
        end = int((await consumer.end_offsets([tp]))[tp])
    progress = fold.restored()
    if progress is None:
        return first, FIRST_GENERATION
    if progress.next_offset == FROM_START:
        return first, progress.generation
    check_progress(
        trades,
        recorded=progress.epoch,
        current=epoch,
        next_offset=progress.next_offset,
        first=first,
        end=end,
        remedy=_remedy(settings),
    )
    return progress.next_offset, progress.generation


def _remedy(settings: Settings) -> str:
    return (
        f"stop the workers of {settings.namespace} and run `livetape reset`: "
        "the log is then folded from its start again"
    )
