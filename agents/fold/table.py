"""The table of bars: a Faust table whose state is in the kernel, one fold a partition."""

import asyncio
import contextlib
import logging
import sys
import time
from typing import Any

import faust
from aiokafka.errors import IllegalStateError
from faust.types import TP

from agents import memory
from agents.aggregates import AggregateFailed
from agents.epoch import RecordsGone
from agents.fold import metrics
from agents.fold.flush import CHANGELOG, OUTPUTS
from agents.fold.live import OUTPUT as LIVE
from agents.fold.live import LiveBars, LiveTopic
from agents.fold.partition import FoldingPartition
from agents.fold.recovery import AggregateNotRestored, recover
from agents.fold.setup import make_setup
from agents.fold.standby import Standbys
from agents.fold.state import FoldState, Warmth
from agents.held_partitions import HeldPartitions, MustWait
from agents.lag import LagWatch
from agents.log_errors import CorruptRecords
from agents.metrics_server import serve_metrics
from agents.schema_lookup import WriterSchemaLookup, know_own
from agents.topic_check import check_topics
from agents.transaction import Fenced
from agents.transport import BatchApp, BatchSender, RecordSet
from agents.transport.table_manager import SelfRecovering
from agents.uninterrupted import is_large
from app.aggregates import load_aggregates
from app.schema_registry import register_all
from app.settings import Settings
from app.topics import AGGREGATES_CHANGELOG

log = logging.getLogger(__name__)

COMMIT_INTERVAL_S = 0.2
SWITCH_S = 0.000_1
"""How long a thread keeps the interpreter that another waits for: large record sets are folded and large flushes packed
in threads. Python's own 5 ms are as long as a trade's whole way should take: at 10,000 a second the median update came
after 18.8 ms with them, after 12.9 with this (one run each)."""


class BarTable(SelfRecovering, faust.Table[Any, Any]):
    """Bars of every instrument, folded from record sets of `trades`.

    State, outputs and progress are written by the table itself, one transaction a flush; Faust shows the table and its
    changelog's name, and neither reads nor writes it.
    """

    app: BatchApp

    def __init__(self, app: BatchApp, *, settings: Settings, **options: Any) -> None:  # noqa: ANN401 - Faust's own
        super().__init__(app, name="bars", default=None, **options)
        self._settings = settings
        self._trades = settings.topic("trades")
        self._transactional = [CHANGELOG, *OUTPUTS]
        if aggregates := load_aggregates(settings):
            self._transactional += [AGGREGATES_CHANGELOG, *(each.topic for each in aggregates)]
        self._partitions: dict[int, FoldingPartition] = {}
        self._states: dict[int, FoldState] = {}  # of partitions that are not folded now, but may be again
        self._take_over: asyncio.Task[None] | None = None
        self._folding: dict[int, asyncio.Future[None]] = {}
        self._held = HeldPartitions(app, self._fold)
        self._paused_since_s: float | None = None
        gauges = metrics.LAG_RECORDS, metrics.LAG_S
        self._lag = LagWatch(settings, self._next_offsets, gauges, lambda tp: (str(tp.partition),))
        self._broken_off: dict[int, int] = {}  # partitions that are folded no further than this offset
        app.read_batches_from(self)

    @property
    def outputs(self) -> list[str]:
        """All topics that it writes, and how."""
        topic = self._settings.topic
        return [
            *(f"{topic(name)} (one transaction a flush)" for name in self._transactional),
            f"{topic(LIVE)} (outside of transactions)",
        ]

    async def on_start(self) -> None:
        """Make ready what all partitions share, and keep the group's committed offsets near the fold."""
        if self._settings.worker_metrics_port:
            serve_metrics(self._settings.metrics_host, self._settings.worker_metrics_port)
            self.add_future(self._lag.run())
        topics = "trades", *self._transactional, LIVE
        self._partition_count = await asyncio.to_thread(check_topics, self._settings, *topics)
        schema_ids = await asyncio.to_thread(register_all, self._settings)
        self._setup = make_setup(self._settings, schema_ids)
        know_own(self._settings, self._setup.writer_schemas, schema_ids, "livetape.Trade", "livetape.Clock")
        self._schemas = WriterSchemaLookup(self._settings, self._setup.writer_schemas, schema_ids["livetape.Trade"])
        self._live = LiveTopic(await self.add_async_context(BatchSender(self._settings, self._settings.topic(LIVE))))
        self._standbys = Standbys(self._setup, self._states)
        memory.settle()
        sys.setswitchinterval(SWITCH_S)
        self.add_future(self._commit_always())

    async def on_stop(self) -> None:
        """Flush a last time."""
        await self.revoked()
        await super().on_stop()

    async def assigned(self, partitions: set[TP]) -> None:
        """Have every partition that the worker has now folded as soon as its state is there, each for itself."""
        await self.revoked()
        standbys = {tp.partition for tp in self.app.batch_standbys() if tp.topic == self._trades}
        self._take_over = asyncio.create_task(self._have({tp.partition for tp in partitions}, standbys))

    async def revoked(self) -> None:
        """Flush, for from now on the partitions may be another worker's; the state is kept, in case they are not."""
        if self._take_over is not None:
            self._take_over.cancel()
            await asyncio.wait({self._take_over})
            self._take_over = None
        partitions, self._partitions = self._partitions, {}
        if partitions:
            self._begin_pause()
        left = {TP(self._trades, number) for number in self._broken_off}
        self.app.consumer.resume_partitions(left & self.app.consumer.assignment())
        self._broken_off.clear()
        metrics.LEFT_ALONE.clear()
        kept = await asyncio.gather(*(partition.close() for partition in partitions.values()))
        self._held.let_all_go()  # now none can begin to wait
        metrics.MISPLACED_SERIES.clear()
        self._states.update(
            (number, state) for number, state in zip(partitions, kept, strict=True) if state is not None
        )

    async def _have(self, partitions: set[int], standbys: set[int]) -> None:
        """Open partitions; once all are, keep the states of the standbys, and no others."""
        try:
            await asyncio.gather(*(self._open(number) for number in partitions))
            self._paused_since_s = None
            for number in self._states.keys() - standbys:
                del self._states[number]
            await self._standbys.follow(standbys)
        except Exception as error:
            await self.app.crash(error)

    def position(self, tp: TP) -> int | None:
        """Where fetching of a partition goes on."""
        partition = self._partitions.get(tp.partition)
        return None if partition is None else partition.next_offset

    def _next_offsets(self) -> dict[TP, int]:
        return self._with_broken_off({number: each.next_offset for number, each in self._partitions.items()})

    def _with_broken_off(self, offsets: dict[int, int]) -> dict[TP, int]:
        return {TP(self._trades, number): offset for number, offset in (self._broken_off | offsets).items()}

    async def fold(self, record_set: RecordSet) -> None:
        """Fold a record set of a partition that this worker has; one of any other came before a rebalance.

        Large ones of different partitions are folded side by side, each in its thread: this waits for the one before of
        the same partition, and begins. One that must wait for a schema is waited for by what comes behind it alone.
        """
        if before := self._folding.pop(record_set.partition, None):
            await asyncio.wait({before})
        if is_large(record_set.data):
            self._folding[record_set.partition] = self.add_future(self._held.take(record_set))
        else:
            await self._held.take(record_set)

    async def _fold(self, record_set: RecordSet) -> None:
        partition = self._partitions.get(record_set.partition)
        if partition is None:
            return
        log_end = self.app.consumer.highwater(TP(record_set.topic, record_set.partition))
        try:
            await partition.fold(record_set, log_end or record_set.next_offset)
        except AggregateFailed as error:
            self._aggregate_failed(partition, error)
        except CorruptRecords as error:
            await self._log_damaged(partition, error)
        except MustWait:
            raise
        except Exception:
            partition.break_off()  # a record may be folded by half
            raise

    async def _open(self, number: int) -> None:
        tp = TP(self._trades, number)
        try:
            recovered = await recover(self._setup, number, self._states.get(number))
        except RecordsGone as error:
            log.critical("partition %d is not folded: %s", number, error)
            self._leave_alone(number, error.next_offset)
            return
        except AggregateNotRestored as error:
            self._tell_failure(number, error.next_offset, error.failure)
            self._leave_alone(number, error.next_offset)
            return
        self._states.pop(number, None)
        lock = asyncio.Lock()
        live = LiveBars(self._settings, self._live, number, recovered.state.fold, lock)
        partition = FoldingPartition(tp, recovered, live, self._schemas, lock, partitions=self._partition_count)
        partition.start(self._settings.flush_ms / 1_000, self._flush_failed)
        self._partitions[number] = partition
        self._end_pause(number, recovered.warmth)
        with contextlib.suppress(IllegalStateError):  # it is being revoked
            await self.app.read_batches({tp})

    def _leave_alone(self, number: int, offset: int) -> None:
        """Fold nothing of this partition, whose state has come to this offset; the others go on."""
        self._states.pop(number, None)
        self._break_off(number, offset)

    def _flush_failed(self, partition: FoldingPartition, error: Exception) -> None:
        """Nobody knows what was committed: drop the state, and have the group say whose partition it is now."""
        if isinstance(error, AggregateFailed):
            self._aggregate_failed(partition, error)
            return
        what = "fenced" if isinstance(error, Fenced) else "flush failed"
        log.warning("partition %d: %s, its state is dropped: %s", partition.partition, what, error)
        if self._partitions.get(partition.partition) is not partition:
            return  # revoked already
        del self._partitions[partition.partition]
        self._begin_pause()
        partition.drop()
        self.add_future(self.app.rejoin())

    def _begin_pause(self) -> None:
        if self._paused_since_s is None:  # else an assignment was cut short by the next rebalance
            self._paused_since_s = time.monotonic()

    def _end_pause(self, number: int, warmth: Warmth) -> None:
        if self._paused_since_s is not None:
            pause_s = time.monotonic() - self._paused_since_s
            metrics.PAUSE_S.labels(warmth).observe(pause_s)
            log.info("partition %d: folded again, %.2f s after partitions were let go of", number, pause_s)

    def _aggregate_failed(self, partition: FoldingPartition, error: AggregateFailed) -> None:
        """Fold this partition no further: its progress stays before what failed, and nothing is written or lost.

        Bars of the partition stop with it: they are one transaction, and without them the aggregate could not go on.
        """
        self._tell_failure(partition.partition, partition.flushed_offset, error)
        partition.break_off()
        self._leave_off(partition)

    def _tell_failure(self, number: int, offset: int, error: AggregateFailed) -> None:
        metrics.AGGREGATE_ERRORS.labels(error.aggregate, number).inc()
        log.critical(
            "%s partition %d is folded no further than offset %d: %s. "
            "Mend the aggregate and start the worker again: it goes on from there",
            self._trades,
            number,
            offset,
            error,
            exc_info=error,
        )

    async def _log_damaged(self, partition: FoldingPartition, error: CorruptRecords) -> None:
        """Fold this partition no further, and write what came before the damage: nobody can tell what is behind it.

        The other partitions go on. Whoever has this one after a rebalance comes to the same place and stops there.
        """
        log.critical("%s. The partition is folded no further", error)
        await partition.close()
        self._leave_off(partition)

    def _leave_off(self, partition: FoldingPartition) -> None:
        if self._partitions.get(partition.partition) is partition:  # else revoked meanwhile, or its last flush failed
            del self._partitions[partition.partition]
            self._break_off(partition.partition, partition.flushed_offset)
            left = TP(self._trades, partition.partition)
            self._held.let_go(left)
            self.app.consumer.pause_partitions({left} & self.app.consumer.assignment())

    def _break_off(self, number: int, offset: int) -> None:
        self._broken_off[number] = offset
        metrics.LEFT_ALONE.labels(number).set(1)

    async def _commit_always(self) -> None:
        committed: dict[TP, int] = {}
        while not self.should_stop:
            await self.sleep(COMMIT_INTERVAL_S)
            flushed = self._with_broken_off({number: each.flushed_offset for number, each in self._partitions.items()})
            if flushed != committed and await self.app.commit_batches(flushed):
                committed = flushed
