"""The table of trades and quotes that are being joined: a Faust table whose state is in the kernel."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import faust
from faust.types import TP

from agents import memory
from agents.epoch import RecordsGone
from agents.held_partitions import HeldPartitions, MustWait
from agents.join import metrics
from agents.join.partition import JoiningPartition, Side
from agents.join.recovery import CHANGELOG, INPUTS, OUTPUTS, make_join_setup, recover_join
from agents.lag import LagWatch
from agents.log_errors import CorruptRecords
from agents.metrics_server import serve_metrics
from agents.schema_lookup import know_own
from agents.topic_check import check_topics
from agents.transaction import Fenced
from agents.transport import BatchApp, RecordSet
from agents.transport.table_manager import SelfRecovering
from app.schema_registry import register_own
from app.settings import Settings

log = logging.getLogger(__name__)

COMMIT_INTERVAL_S = 0.2


class JoinTable(SelfRecovering, faust.Table[Any, Any]):
    """Trades with the quotes of their time, made of record sets of `trades` and `quotes`.

    State, outputs and progress are written by the table itself, one transaction a flush, as the table of bars does.
    """

    app: BatchApp

    def __init__(self, app: BatchApp, *, settings: Settings, **options: Any) -> None:  # noqa: ANN401 - Faust's own
        super().__init__(app, name="quotes", default=None, **options)
        self._settings = settings
        self._partitions: dict[int, JoiningPartition] = {}
        self._held = HeldPartitions(app, self._take)
        self._paused: set[TP] = set()
        self._broken_off: dict[TP, int] = {}  # logs of partitions that are joined no further than these offsets
        gauges = metrics.LAG_RECORDS, metrics.LAG_S
        self._lag = LagWatch(settings, self._next_offsets, gauges, lambda tp: (tp.topic, str(tp.partition)))
        app.read_batches_from(self)

    @property
    def outputs(self) -> list[str]:
        """All topics that it writes, and how."""
        return [f"{self._settings.topic(name)} (one transaction a flush)" for name in (CHANGELOG, *OUTPUTS)]

    async def on_start(self) -> None:
        """Make ready what all partitions share, and keep the group's committed offsets near the join."""
        if self._settings.join_metrics_port:
            serve_metrics(self._settings.metrics_host, self._settings.join_metrics_port)
            self.add_future(self._lag.run())
        await asyncio.to_thread(check_topics, self._settings, "trades", "quotes", CHANGELOG, *OUTPUTS)
        schema_ids = await asyncio.to_thread(register_own, self._settings)
        self._setup = make_join_setup(self._settings, schema_ids)
        know_own(self._settings, self._setup.trade_schemas, schema_ids, "livetape.Trade", "livetape.Clock")
        know_own(self._settings, self._setup.quote_schemas, schema_ids, "livetape.Quote", "livetape.Clock")
        memory.settle()
        self.add_future(self._commit_always())

    async def on_stop(self) -> None:
        """Flush a last time."""
        await self.revoked()
        await super().on_stop()

    async def assigned(self, partitions: set[TP]) -> None:
        """Recover every partition that the worker has now, side by side.

        Faust assigns topics with as many partitions together, so that a worker has the same ones of both.
        """
        await self.revoked()
        await asyncio.gather(*(self._open(number) for number in {tp.partition for tp in partitions}))

    async def revoked(self) -> None:
        """Flush and drop all state: from now on the partitions may be another worker's."""
        partitions, self._partitions = self._partitions, {}
        self.app.consumer.resume_partitions(self._paused & self.app.consumer.assignment())
        self._paused = set()
        self._broken_off.clear()
        metrics.LEFT_ALONE.clear()
        await asyncio.gather(*(partition.close() for partition in partitions.values()))
        self._held.let_all_go()  # now none can begin to wait

    def position(self, tp: TP) -> int | None:
        """Where fetching of a partition goes on."""
        partition = self._partitions.get(tp.partition)
        return None if partition is None else partition.side(tp.topic).next_offset

    def _sides(self) -> list[Side]:
        return [side for each in self._partitions.values() for side in (each.trades, each.quotes)]

    def _next_offsets(self) -> dict[TP, int]:
        return self._broken_off | {side.tp: side.next_offset for side in self._sides()}

    async def take(self, record_set: RecordSet) -> None:
        """Take a record set of a partition that this worker has; one of any other came before a rebalance."""
        await self._held.take(record_set)

    async def _take(self, record_set: RecordSet) -> None:
        partition = self._partitions.get(record_set.partition)
        if partition is None:
            return
        try:
            await partition.take(record_set)
        except CorruptRecords as error:
            await self._log_damaged(partition, error)
        except MustWait:
            raise
        except Exception:
            partition.break_off()  # a record may be taken by half
            raise
        else:
            self._pace(partition)

    async def _log_damaged(self, partition: JoiningPartition, error: CorruptRecords) -> None:
        """Join this partition no further, and write what came before the damage: nobody can tell what is behind it.

        The other partitions go on. Whoever has this one after a rebalance comes to the same place and stops there.
        """
        log.critical("%s. The partition is joined no further", error)
        await partition.close()
        if self._partitions.get(partition.partition) is partition:  # else revoked meanwhile, or its last flush failed
            del self._partitions[partition.partition]
            left = {side.tp: side.flushed_offset for side in (partition.trades, partition.quotes)}
            self._break_off(partition.partition, left)
            self._held.let_go(*left)
            self.app.consumer.pause_partitions(left.keys() & self.app.consumer.assignment())
            self._paused |= left.keys()

    def _pace(self, partition: JoiningPartition) -> None:
        """Fetch no more of a log that is far ahead of the other."""
        both = {partition.trades.tp, partition.quotes.tp}
        now = partition.paused(self._held.waiting) | self._held.paused & both
        was = self._paused & both
        self.app.consumer.pause_partitions(now)  # of these one may be fetched again since it need not wait any more
        self.app.consumer.resume_partitions((was - now) & self.app.consumer.assignment())
        self._paused = self._paused - was | now

    async def _open(self, number: int) -> None:
        try:
            recovered = await recover_join(self._setup, number)
        except RecordsGone as error:
            self._leave_alone(number, error)
            return
        partition = JoiningPartition(self._setup, number, recovered)
        partition.start(self._settings.flush_ms / 1_000, self._flush_failed)
        self._partitions[number] = partition

    def _leave_alone(self, number: int, error: RecordsGone) -> None:
        """Join nothing of this partition, which was left off for longer than its records are kept; the others go on."""
        log.critical("partition %d is not joined: %s", number, error)
        self._break_off(number, {TP(error.topic, number): error.next_offset})

    def _break_off(self, number: int, reached: Mapping[TP, int]) -> None:
        """Neither log of the partition goes on without the other."""
        self._broken_off |= reached
        for name in INPUTS:
            metrics.LEFT_ALONE.labels(self._settings.topic(name), number).set(1)

    def _flush_failed(self, partition: JoiningPartition, error: Exception) -> None:
        """Nobody knows what was committed: drop the state, and have the group say whose partition it is now."""
        what = "fenced" if isinstance(error, Fenced) else "flush failed"
        log.warning("partition %d: %s, its state is dropped: %s", partition.partition, what, error)
        if self._partitions.get(partition.partition) is not partition:
            return  # revoked already
        del self._partitions[partition.partition]
        partition.drop()
        self.add_future(self.app.rejoin())

    async def _commit_always(self) -> None:
        committed: dict[TP, int] = {}
        while not self.should_stop:
            await self.sleep(COMMIT_INTERVAL_S)
            for partition in self._partitions.values():  # nothing may come of a log that is held until it is let go
                if not partition.is_busy:
                    self._pace(partition)
            flushed = self._broken_off | {side.tp: side.flushed_offset for side in self._sides()}
            if flushed != committed and await self.app.commit_batches(flushed):
                committed = flushed
