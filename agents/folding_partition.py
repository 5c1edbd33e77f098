"""One partition of `trades` while this worker has it: record sets in, flushes and forming bars out."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from agents import dead_letters, metrics
from agents.kernel import Flush, FoldOutcome, PartitionFold
from agents.live import LiveBars
from agents.recovery import Recovered
from agents.schema_lookup import WriterSchemaLookup
from agents.transport import RecordSet

if TYPE_CHECKING:
    from agents.flush import FlushWriter

log = logging.getLogger(__name__)

THREAD_BYTES: Final = 128 * 1024
"""Record sets above this are folded in a thread: below it, handing over costs more than it frees the event loop."""


class OffsetJump(Exception):
    """A fetch did not begin where the one before it ended: records would be lost."""


class CorruptRecords(Exception):
    """A record batch of `trades` cannot be read; the message says where and why."""


class FoldingPartition:
    """Folds and flushes. While a flush is being committed the fold goes on; the next flush waits for it."""

    def __init__(
        self,
        topic: str,
        partition: int,
        recovered: Recovered,
        live: LiveBars,
        schemas: WriterSchemaLookup,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.next_offset = recovered.next_offset
        self.flushed_offset = recovered.next_offset
        self._fold: PartitionFold = recovered.fold
        self._writer: FlushWriter = recovered.writer
        self._live = live
        self._schemas = schemas
        self._lock = asyncio.Lock()
        self._flusher: asyncio.Task[None] | None = None

    def start(self, interval_s: float, on_failure: Callable[["FoldingPartition", Exception], None]) -> None:
        """Flush at this interval from now on; a flush that fails ends it and is told."""
        self._flusher = asyncio.create_task(self._flush_always(interval_s, on_failure))

    async def close(self) -> None:
        """Let go of the partition: what was not flushed is not."""
        self._live.close()
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)

    async def fold(self, record_set: RecordSet, log_end: int) -> None:
        """Fold what of the record set was not folded yet.

        Raises:
            OffsetJump: records between what was folded and this set are missing.
            CorruptRecords: a batch in it is damaged, or of a codec that is refused.
        """
        if record_set.next_offset <= self.next_offset:
            return  # fetched before a seek
        if record_set.start_offset > self.next_offset:
            raise OffsetJump(
                f"{self.topic} partition {self.partition}: the fold expects offset {self.next_offset}, "
                f"and the fetch begins at {record_set.start_offset}"
            )
        async with self._lock:
            await self._fold_all(record_set)
        metrics.LAG.labels(self.partition).set(log_end - self.next_offset)
        self._live.changed(log_end - self.next_offset)

    async def _fold_all(self, record_set: RecordSet) -> None:
        while True:
            outcome = await self._fold_once(record_set)
            self._count(outcome)
            self.next_offset = outcome.next_offset
            if outcome.corrupt:
                raise CorruptRecords(
                    f"{self.topic} partition {self.partition} offset {outcome.next_offset}: {outcome.corrupt}"
                )
            if outcome.needs_schema is None:
                return
            await self._schemas.learn(outcome.needs_schema)

    async def _fold_once(self, record_set: RecordSet) -> FoldOutcome:
        arguments = (record_set.data, record_set.aborted, self.next_offset)
        if len(record_set.data) < THREAD_BYTES:
            return self._fold.fold(*arguments)
        return await asyncio.to_thread(self._fold.fold, *arguments)

    def _count(self, outcome: FoldOutcome) -> None:
        for counter, count in (
            (metrics.TRADES, outcome.trades),
            (metrics.DUPLICATES, outcome.duplicates),
            (metrics.LATE, outcome.late),
            (metrics.FINALS, outcome.finals),
            (metrics.REVISIONS, outcome.revisions),
        ):
            if count:
                counter.labels(self.partition).inc(count)

    async def _flush_always(
        self, interval_s: float, on_failure: Callable[["FoldingPartition", Exception], None]
    ) -> None:
        try:
            while True:
                await asyncio.sleep(interval_s)
                await self.flush()
        except Exception as error:
            on_failure(self, error)

    async def flush(self) -> None:
        """Write what changed since the last flush. Raises FlushFailed."""
        async with self._lock:
            flush = self._fold.take_flush()
        if flush.is_empty:
            return
        started = time.monotonic()
        # A commit that was begun is seen to its end even when this task is cancelled: the next owner fences it anyway.
        await asyncio.to_thread(self._writer.write, flush)
        metrics.FLUSH_S.observe(time.monotonic() - started)
        self._flushed(flush)

    def _flushed(self, flush: Flush) -> None:
        self.flushed_offset = flush.next_offset
        dead_letters.report(self.topic, self.partition, flush)
