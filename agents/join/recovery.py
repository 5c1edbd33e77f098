"""A partition of the join comes back: its changelog, and from where both logs are to be read again.

Quotes that trades may still ask for, and trades that wait, are in their logs and nowhere else: the progress says from
which offset each is read again, and nothing is published twice for it. What of them retention has taken meanwhile no
reset would find either, so the join goes on without it and says so; records that it never took are another matter.
"""

import asyncio
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from faust.types import TP

from agents.epoch import check_progress, epoch_of
from agents.join import metrics
from agents.kernel import QUOTES, CorruptState, JoinConfig, JoinFlush, JoinProgress, QuoteJoin, WriterSchemas
from agents.log_bounds import log_bounds
from agents.partition_reader import partition_reader, read_changelog
from agents.schema_lookup import WriterSchemaLookup
from agents.transaction import TransactionWriter
from agents.transport import RecordSet
from app.intervals import read_interval
from app.settings import Settings
from app.venues import TradeIds, read_venues

log = logging.getLogger(__name__)

CHANGELOG: Final = "join-quotes-changelog"
INPUTS: Final = ("trades", "quotes")
OUTPUTS: Final = ("trades.joined", "quotes.dead")


def transactional_id(settings: Settings, partition: int) -> str:
    """Who starts a producer of this id is the only writer of the partition from then on."""
    return f"{settings.namespace}-join-{partition}"


class JoinWriter(TransactionWriter):
    """Writes the flushes of one partition of the join."""

    def __init__(self, settings: Settings, partition: int) -> None:
        identity = transactional_id(settings, partition)
        super().__init__(settings, partition, identity, state=CHANGELOG, outputs=OUTPUTS)

    async def write(self, flush: JoinFlush) -> None:
        """Write one flush in one transaction. Raises Fenced and FlushFailed."""
        outputs = (flush.joined, await self.dead_letters("quotes", flush.dead))
        await self.write_batches(dict(zip(OUTPUTS, outputs, strict=True)), {CHANGELOG: flush.changelog})


@dataclass(frozen=True)
class JoinSetup:
    """What every partition's join of a worker is made with; the schemas are those met so far in each log."""

    settings: Settings
    config: JoinConfig
    trade_schemas: WriterSchemas
    quote_schemas: WriterSchemas
    joined_schema_id: int

    @cached_property
    def trade_lookup(self) -> WriterSchemaLookup:
        """Learns the schemas of trades."""
        return WriterSchemaLookup(self.settings, self.trade_schemas, self.joined_schema_id)

    @cached_property
    def quote_lookup(self) -> WriterSchemaLookup:
        """Learns the schemas of quotes."""
        return WriterSchemaLookup(self.settings, self.quote_schemas, self.joined_schema_id)


def make_join_setup(settings: Settings, schema_ids: dict[str, int]) -> JoinSetup:
    """The join that the settings ask for, with no writer's schema known yet; `schema_ids` by full record name.

    Raises:
        VenuesFileError: venues.yaml cannot be followed.
    """
    venues = read_venues(settings.venues_file)
    config = JoinConfig(
        base_ns=read_interval(settings.intervals[0]).length_ns,
        horizon_ns=settings.horizon_ns,
        quote_horizon_ns=settings.quote_horizon_ns,
        max_quote_age_ns=settings.quote_max_age_ns,
        max_ahead_ns=settings.max_ahead_ns,
        quoted_venues=[name for name, venue in venues.items() if venue.quotes],
        contiguous_venues=[name for name, venue in venues.items() if venue.trade_ids is TradeIds.CONTIGUOUS],
    )
    trades = WriterSchemas(schemas_dir=settings.schemas_dir)
    quotes = WriterSchemas(QUOTES, settings.schemas_dir)
    return JoinSetup(settings, config, trades, quotes, schema_ids["livetape.Joined"])


@dataclass(frozen=True)
class RecoveredJoin:
    """A partition that is ready to take both logs from these offsets on."""

    join: QuoteJoin
    writer: JoinWriter
    trades_offset: int
    quotes_offset: int


async def recover_join(setup: JoinSetup, partition: int) -> RecoveredJoin:
    """Fence the partition's former owner, restore its state, and check that it belongs to both logs.

    Raises:
        CorruptState: the changelog cannot be restored.
        EpochMismatch: the state was made of other logs.
        RecordsGone: or from these, one of which has lost what comes next.
        KafkaException, KafkaError: the broker refuses or does not answer.
    """
    writer = JoinWriter(setup.settings, partition)
    try:
        await writer.start()
        return await _recover(setup, partition, writer)
    except BaseException:
        await writer.close()
        raise


async def _recover(setup: JoinSetup, partition: int, writer: JoinWriter) -> RecoveredJoin:
    settings = setup.settings
    trades, quotes = (TP(settings.topic(name), partition) for name in INPUTS)
    epochs = {tp: await asyncio.to_thread(epoch_of, settings, tp.topic) for tp in (trades, quotes)}
    join = QuoteJoin(
        setup.config,
        setup.trade_schemas,
        setup.quote_schemas,
        joined_schema_id=setup.joined_schema_id,
        partition=partition,
        trades_epoch=epochs[trades],
        quotes_epoch=epochs[quotes],
    )
    bounds = await asyncio.to_thread(log_bounds, settings, (trades, quotes))
    try:
        await restore(settings, partition, join)
        progress = join.restored(bounds[trades][0], bounds[quotes][0])
    except CorruptState as error:
        raise CorruptState(
            f"{settings.topic(CHANGELOG)} partition {partition}: {error}: {_remedy(settings)}"
        ) from error
    if progress is None:
        return RecoveredJoin(join, writer, bounds[trades][0], bounds[quotes][0])
    for tp, recorded, reached in (
        (trades, progress.trades_epoch, progress.trades_reached),
        (quotes, progress.quotes_epoch, progress.quotes_reached),
    ):
        first, end = bounds[tp]
        check_progress(
            tp.topic,
            recorded=recorded,
            current=epochs[tp],
            next_offset=reached,
            first=first,
            end=end,
            remedy=_remedy(settings),
        )
    _tell_what_is_gone(trades, quotes, progress)
    log.info(
        "partition %d: on from trade %d, %d of them read again, and from quote %d",
        partition,
        progress.trades_from,
        progress.trades_reached - progress.trades_from,
        progress.quotes_from,
    )
    return RecoveredJoin(join, writer, progress.trades_from, progress.quotes_from)


async def restore(settings: Settings, partition: int, join: QuoteJoin) -> None:
    """Feed the changelog up to its end into the state. Raises CorruptState."""

    async def take(record_set: RecordSet) -> None:
        await asyncio.to_thread(join.restore, record_set.data, record_set.aborted, record_set.start_offset)

    async with partition_reader(settings, settings.topic(CHANGELOG), partition) as (consumer, tp):
        await read_changelog(consumer, tp, None, (await consumer.end_offsets([tp]))[tp], take)


def _tell_what_is_gone(trades: TP, quotes: TP, progress: JoinProgress) -> None:
    if progress.trades_gone:
        metrics.GONE.labels(trades.partition).inc(progress.trades_gone)
        log.warning(
            "%s partition %d: %d trades that waited for their quotes are gone by retention: they are not joined",
            *trades,
            progress.trades_gone,
        )
    if progress.lacks_older_quotes:
        log.warning(
            "%s partition %d: LIVETAPE_QUOTE_MAX_AGE_NS or LIVETAPE_QUOTE_HORIZON_NS is longer than before, and older "
            "quotes were not kept: trades of the time of the last %d records are joined with no quote",
            *quotes,
            progress.quotes_gone,
        )
    elif progress.quotes_gone:
        log.warning(
            "%s partition %d: %d records that trades could still ask for are gone by retention: "
            "trades of their time are joined with no quote",
            *quotes,
            progress.quotes_gone,
        )


def _remedy(settings: Settings) -> str:
    return (
        f"stop the join's workers of {settings.namespace} and run `livetape reset --join`: "
        "both logs are then joined from their starts again"
    )
