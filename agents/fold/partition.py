"""One partition of `trades` while this worker has it: record sets in, flushes and forming bars out."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from faust.types import TP

from agents import dead_letters
from agents.aggregates import AggregateOutput
from agents.closing import Closing
from agents.fold import metrics
from agents.fold.live import FAR_BEHIND_RECORDS, LiveBars
from agents.fold.placement import tell_misplaced
from agents.fold.recovery import Recovered
from agents.held_partitions import MustWait, Until
from agents.kernel import Flush, FoldOutcome, PartitionFold
from agents.log_errors import CorruptRecords, OffsetJump
from agents.schema_lookup import WriterSchemaLookup
from agents.transport import RecordSet
from agents.uninterrupted import in_thread_if_large, uninterrupted

if TYPE_CHECKING:
    from agents.fold.flush import FlushWriter
    from agents.fold.state import FoldState

FLUSHES_LEFT_OUT: Final = 3
"""A fold that is far behind the log leaves so many out between two that it makes: each is a transaction, and nobody
waits for what is history already. It was a fifth of what catching up costs."""
THREAD_RECORDS: Final = 1_000
"""A flush of more records than these is packed in a thread: for fewer, handing over costs more than it frees."""


class FoldingPartition:
    """Folds and flushes. While a flush is being committed the fold goes on; the next flush waits for it."""

    def __init__(
        self,
        tp: TP,
        recovered: Recovered,
        live: LiveBars,
        schemas: WriterSchemaLookup,
        lock: asyncio.Lock,
        *,
        partitions: int,
    ) -> None:
        """`lock` is held by whoever uses the fold: it takes one thread at a time. The topic has so many partitions."""
        self.topic, self.partition = tp
        self._partitions = partitions
        self.next_offset = recovered.next_offset
        self.flushed_offset = recovered.next_offset
        self._state: FoldState = recovered.state
        self._fold: PartitionFold = recovered.state.fold
        self._aggregates = recovered.aggregates
        self._writer: FlushWriter = recovered.writer
        self._is_broken = False
        self._behind_records = 0
        self._is_cut_short = False  # in the middle of a record set: nobody knows what the kernel still waits for
        self._is_kept = False
        self._live = live
        self._schemas = schemas
        self._history = recovered.history
        self._lock = lock
        self._closing = Closing()
        self._flusher: asyncio.Task[None] | None = None

    def start(self, interval_s: float, on_failure: Callable[["FoldingPartition", Exception], None]) -> None:
        """Flush at this interval from now on; a flush that fails ends it and is told."""
        self._show_misplaced()
        self._flusher = asyncio.create_task(self._flush_always(interval_s, on_failure))

    def drop(self) -> None:
        """Let go of the partition at once, and of what was not flushed."""
        self._live.close()
        self._closing.begin()

    def break_off(self) -> None:
        """Let go of the partition, and flush no more: what was folded last is not to be written."""
        self._is_broken = True
        self.drop()

    async def close(self) -> "FoldState | None":
        """Flush what was folded and let go of the partition; who is fenced by now just lets go.

        The state is given back where the changelog has all of it, and it can be folded into once more.
        """
        self.drop()
        if self._flusher is not None:
            await self._flusher
        return self._state if self._is_kept else None

    async def fold(self, record_set: RecordSet, log_end: int) -> None:
        """Fold a record set, unless the partition was let go of.

        Raises:
            MustWait: a schema is to be learnt first, or the log to be read again. What was folded up to there may be
                flushed.
            OffsetJump: it does not begin where the fold is.
            CorruptRecords: it cannot be told where its next batch begins.
            AggregateFailed: a user's aggregate did; the partition must be broken off.
        """
        async with self._lock:
            if self._closing.has_begun:
                return  # its last flush may have been taken
            if record_set.start_offset != self.next_offset:
                expected = f"the fold expects offset {self.next_offset}"
                raise OffsetJump(self.topic, self.partition, expected, record_set.start_offset)
            self._is_cut_short = True
            until = await self._fold_all(record_set)
            self._is_cut_short = until is not None
            self._behind_records = log_end - self.next_offset
            self._live.changed(self._behind_records)
        if until is not None and not self._closing.has_begun:
            raise MustWait(replace(record_set, start_offset=self.next_offset), until)

    async def _fold_all(self, record_set: RecordSet) -> Until | None:
        """Fold it to its end, or up to where something is to be done first."""
        outcome = await self._fold_once(record_set)
        self._count(outcome)
        self.next_offset = outcome.next_offset
        await self._look_at(outcome.new_series)
        if outcome.corrupt:
            raise CorruptRecords(
                f"{self.topic} partition {self.partition} offset {outcome.next_offset}: {outcome.corrupt}"
            )
        if outcome.needs_history is not None:
            return partial(self._read_again, outcome.needs_history, outcome.next_offset)
        return None if outcome.needs_schema is None else partial(self._learn, outcome.needs_schema)

    async def _read_again(self, first: int, end: int, _rest: RecordSet) -> None:
        """Give the fold a stretch of the log that it needs for the correction at its end."""
        tp = TP(self.topic, self.partition)
        while (unknown := await self._history.reread(tp, self._fold, self._lock, first=first, end=end)) is not None:
            await self._schemas.learn(unknown, tp)

    async def _learn(self, schema_id: int, _rest: RecordSet) -> None:
        await self._schemas.learn(schema_id, TP(self.topic, self.partition))

    async def _fold_once(self, record_set: RecordSet) -> FoldOutcome:
        folding = partial(self._fold_now, record_set.data, record_set.aborted, self.next_offset)
        return await in_thread_if_large(record_set.data, folding)

    def _fold_now(self, data: bytes | memoryview, aborted: Sequence[tuple[int, int]], start_offset: int) -> FoldOutcome:
        """One pass over the records; the aggregates get the trades that it accepted."""
        outcome = self._fold.fold(data, aborted, start_offset)
        if self._aggregates:
            try:
                self._aggregates.take(self._fold.take_accepted())
            except BaseException:  # whatever ends it half-way, an interrupt too
                self._is_broken = True  # the bars are ahead of it: not even the last flush may write them
                raise
        return outcome

    def _count(self, outcome: FoldOutcome) -> None:
        for counter, count in (
            (metrics.TRADES, outcome.trades),
            (metrics.DUPLICATES, outcome.duplicates),
            (metrics.LATE, outcome.late),
            (metrics.CORRECTIONS, outcome.corrections),
            (metrics.FINALS, outcome.finals),
            (metrics.REVISIONS, outcome.revisions),
        ):
            if count:
                counter.labels(self.partition).inc(count)

    async def _look_at(self, series: Sequence[tuple[str, str]]) -> None:
        """Tell of instruments, each once, that a producer has placed by something else than their key."""
        if series:  # of a state that was restored all of them, which take a third of a second where there are many
            looking = asyncio.to_thread(tell_misplaced, TP(self.topic, self.partition), self._partitions, series)
            self._state.misplaced_series += await uninterrupted(looking)
            self._show_misplaced()

    def _show_misplaced(self) -> None:
        metrics.MISPLACED_SERIES.labels(self.partition).set(self._state.misplaced_series)

    async def _flush_always(
        self, interval_s: float, on_failure: Callable[["FoldingPartition", Exception], None]
    ) -> None:
        try:
            await self._closing.before_first_flush(self.partition, interval_s)
            left_out = 0
            while not await self._closing.comes_within(interval_s):
                is_far_behind = self._behind_records > FAR_BEHIND_RECORDS
                left_out = left_out + 1 if is_far_behind and left_out < FLUSHES_LEFT_OUT else 0
                if left_out == 0:
                    await self.flush()
            await self.flush()
            self._is_kept = not self._is_broken and not self._is_cut_short
        except Exception as error:
            on_failure(self, error)
        finally:
            await self._writer.close()

    async def flush(self) -> None:
        """Write what changed since the last flush. Raises FlushFailed or AggregateFailed."""
        async with self._lock:
            if self._is_broken:
                return
            flush = await self._take_flush()
            if flush.is_empty:
                return
            aggregates = await self._flush_aggregates(flush)
        started = time.monotonic()
        changelog_end = await uninterrupted(self._writer.write(flush, aggregates))
        metrics.FLUSH_S.observe(time.monotonic() - started)
        self.flushed_offset = flush.next_offset
        self._state.flushed(flush.next_offset, changelog_end)
        await dead_letters.report(self.topic, self.partition, flush.dead, metrics.DEAD)

    async def _take_flush(self) -> Flush:
        if self.next_offset - self.flushed_offset < THREAD_RECORDS:
            return self._fold.take_flush()
        return await uninterrupted(asyncio.to_thread(self._fold.take_flush))

    async def _flush_aggregates(self, flush: Flush) -> AggregateOutput | None:
        if not self._aggregates:
            return None
        return await uninterrupted(asyncio.to_thread(self._aggregates.flush, flush))
