"""One partition number of `trades` and `quotes` while this worker has it: record sets in, joined trades out."""

import asyncio
import logging
import time
from collections.abc import Callable, Set
from dataclasses import replace
from functools import partial
from typing import Final

from confluent_kafka import KafkaException
from faust.types import TP

from agents import dead_letters
from agents.closing import Closing
from agents.held_partitions import MustWait
from agents.join import metrics
from agents.join.recovery import JoinSetup, RecoveredJoin
from agents.kernel import JoinOutcome
from agents.log_bounds import appended_until, log_bounds
from agents.log_errors import CorruptRecords, OffsetJump
from agents.schema_lookup import WriterSchemaLookup
from agents.transport import RecordSet
from agents.uninterrupted import in_thread_if_large, uninterrupted

log = logging.getLogger(__name__)

MOST_WAITING: Final = 200_000
"""Trades that may wait for quotes before no more are fetched: the quotes are behind."""
MOST_QUOTES: Final = 4_000_000
"""Quotes that may be kept before no more are fetched, unless trades wait for them: the trades are behind."""
LOOK_EVERY_S: Final = 60.0
"""How often the end of `quotes` is asked for while trades are overdue, or too many wait."""


class Side:
    """One of the two logs, and how far it is taken."""

    def __init__(self, tp: TP, offset: int, take: Callable[..., JoinOutcome], schemas: WriterSchemaLookup) -> None:
        self.tp = tp
        self.next_offset = offset
        self.flushed_offset = offset
        self.take = take
        self.schemas = schemas


class JoiningPartition:
    """Takes both logs as they come, and flushes. While a flush is being committed the join goes on."""

    def __init__(self, setup: JoinSetup, partition: int, recovered: RecoveredJoin) -> None:
        self.partition = partition
        self._join = recovered.join
        self._writer = recovered.writer
        self._settings = settings = setup.settings
        self._look_at_s = 0.0
        self.trades = Side(
            TP(settings.topic("trades"), partition),
            recovered.trades_offset,
            self._join.take_trades,
            setup.trade_lookup,
        )
        self.quotes = Side(
            TP(settings.topic("quotes"), partition),
            recovered.quotes_offset,
            self._join.take_quotes,
            setup.quote_lookup,
        )
        self._is_broken = False
        self._lock = asyncio.Lock()
        self._closing = Closing()
        self._flusher: asyncio.Task[None] | None = None

    def start(self, interval_s: float, on_failure: Callable[["JoiningPartition", Exception], None]) -> None:
        """Flush at this interval from now on; a flush that fails ends it and is told."""
        self._flusher = asyncio.create_task(self._flush_always(interval_s, on_failure))

    def drop(self) -> None:
        """Let go of the partition at once, and of what was not flushed."""
        self._closing.begin()

    def break_off(self) -> None:
        """Let go of the partition, and flush no more: what was taken last is not to be written."""
        self._is_broken = True
        self.drop()

    async def close(self) -> None:
        """Flush what was taken and let go of the partition; who is fenced by now just lets go."""
        self.drop()
        if self._flusher is not None:
            await self._flusher

    def side(self, topic: str) -> Side:
        """The log of this topic."""
        return self.trades if topic == self.trades.tp.topic else self.quotes

    @property
    def is_busy(self) -> bool:
        """Whether a thread may be in the join: nothing is asked of it then."""
        return self._lock.locked()

    def paused(self, held: Set[TP]) -> set[TP]:
        """Logs that are too far ahead of the other one: fetching more would only fill the memory.

        Never both: trades wait only where quotes are behind, and quotes that trades wait for are always fetched. But
        the clocks of a log that is `held` until a schema is told stand still, so that no number of quotes may decide
        its trades: then these are bounded too.
        """
        waiting = self._join.waiting_for_quotes
        metrics.WAITING_TRADES.labels(self.partition).set(waiting)
        metrics.KEPT_QUOTES.labels(self.partition).set(self._join.kept_quotes)
        if waiting > MOST_WAITING:
            return {self.trades.tp}
        are_quotes_awaited = waiting > 0 and self.trades.tp not in held
        return {self.quotes.tp} if not are_quotes_awaited and self._join.kept_quotes > MOST_QUOTES else set()

    async def take(self, record_set: RecordSet) -> None:
        """Take a record set of one of the logs, unless the partition was let go of.

        Raises:
            MustWait: a schema is to be learnt first. What was taken up to there may be flushed.
            OffsetJump: it does not begin where the join is.
            CorruptRecords: it cannot be told where its next batch begins.
        """
        side = self.side(record_set.topic)
        async with self._lock:
            if self._closing.has_begun:
                return  # its last flush may have been taken
            if record_set.start_offset != side.next_offset:
                expected = f"the join expects offset {side.next_offset}"
                raise OffsetJump(*side.tp, expected, record_set.start_offset)
            outcome = await self._take_once(side, record_set)
            self._count(outcome)
            side.next_offset = outcome.next_offset
        if outcome.corrupt:
            raise CorruptRecords(
                f"{side.tp.topic} partition {self.partition} offset {outcome.next_offset}: {outcome.corrupt}"
            )
        needed = outcome.needs_schema
        if needed is not None and not self._closing.has_begun:
            rest = replace(record_set, start_offset=side.next_offset)
            raise MustWait(rest, lambda _: side.schemas.learn(needed, side.tp))

    async def _take_once(self, side: Side, record_set: RecordSet) -> JoinOutcome:
        taking = partial(side.take, record_set.data, record_set.aborted, side.next_offset)
        return await in_thread_if_large(record_set.data, taking)

    def _count(self, outcome: JoinOutcome) -> None:
        for counter, count in (
            (metrics.TRADES, outcome.trades),
            (metrics.DUPLICATES, outcome.duplicates),
            (metrics.LATE, outcome.late),
            (metrics.UNUSABLE, outcome.unusable),
            (metrics.QUOTES, outcome.quotes),
            (metrics.LATE_QUOTES, outcome.late_quotes),
            (metrics.IGNORED_QUOTES, outcome.ignored),
        ):
            if count:
                counter.labels(self.partition).inc(count)

    async def _flush_always(
        self, interval_s: float, on_failure: Callable[["JoiningPartition", Exception], None]
    ) -> None:
        try:
            await self._closing.before_first_flush(self.partition, interval_s)
            while not await self._closing.comes_within(interval_s):
                await self._look_for_end()
                await self.flush()
            await self.flush()
        except Exception as error:
            on_failure(self, error)
        finally:
            await self._writer.close()

    async def _look_for_end(self) -> None:
        """Tell the join that there are no more quotes, where trades wait for those of a venue that is gone.

        While so many wait that no more are fetched, what is fetched does not tell how old those are: their log does.
        """
        async with self._lock:
            trades_ms = self._join.overdue_ms
            is_held = self._join.waiting_for_quotes > MOST_WAITING
        if (trades_ms is None and not is_held) or time.monotonic() < self._look_at_s:
            return
        self._look_at_s = time.monotonic() + LOOK_EVERY_S
        try:
            if trades_ms is None or is_held:
                trades_ms = await asyncio.to_thread(appended_until, self._settings, self.trades.tp)
            bounds = await asyncio.to_thread(log_bounds, self._settings, {self.quotes.tp})
        except KafkaException as error:
            log.warning("%s partition %d: where it ends cannot be told now: %s", *self.quotes.tp, error)
            return
        async with self._lock:
            self._join.end_quotes(bounds[self.quotes.tp][1], trades_ms)

    async def flush(self) -> None:
        """Write what is new since the last flush. Raises FlushFailed."""
        async with self._lock:
            if self._is_broken:
                return
            flush = self._join.take_flush()
            reached = self.trades.next_offset, self.quotes.next_offset
        if flush.is_empty:
            return
        started = time.monotonic()
        await uninterrupted(self._writer.write(flush))
        metrics.FLUSH_S.observe(time.monotonic() - started)
        self.trades.flushed_offset, self.quotes.flushed_offset = reached
        await dead_letters.report(self.quotes.tp.topic, self.partition, flush.dead, metrics.DEAD)
