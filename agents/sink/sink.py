"""What the SQL sink does with record sets: gather, write at short intervals, go on from where the database is."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final

from faust.types import TP

from agents import crash_points
from agents.epoch import RecordsGone, check_progress, epoch_of
from agents.held_partitions import HeldPartitions, MustWait
from agents.kernel import CorruptBatch
from agents.lag import LagWatch
from agents.log_bounds import log_bounds
from agents.metrics_server import serve_metrics
from agents.schema_lookup import ASKING
from agents.sink import metrics
from agents.sink.gathered import Gathered, Place
from agents.sink.patience import patiently
from agents.sink.rows import RowMaker, Rows
from agents.sink.writer import Pending, SqlWriter
from agents.topic_check import partitions_of
from agents.transport import BatchApp, RecordSet
from app.aggregates import load_aggregates
from app.database import migrate, tables
from app.records import RecordReader
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.settings import Settings

log = logging.getLogger(__name__)

BUFFER_ROWS: Final = 50_000
"""Gathered and not yet being written; above it the sink takes no more, and fetching stops by itself."""
LAST_WRITE_S: Final = 5.0
"""How long a worker that ends waits for a write that is under way."""


class SqlSink:
    """Stores `trades`, `bars`, `bars.1s` and `gaps`, each record once, in the namespace's database."""

    name: Final = "sql"

    def __init__(self, app: BatchApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._writer = SqlWriter(settings)
        aggregates = load_aggregates(settings)
        written = (*tables.metadata.tables, *(each.table for each in aggregates))
        self.outputs: Final = [f"{table} (Postgres)" for table in written]
        reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings), aggregates)
        self._maker = RowMaker(reader, settings.max_ahead_ns, aggregates)
        self._gathered = Gathered()
        self._held = HeldPartitions(app, self._take)
        self._asking = asyncio.Semaphore(ASKING)
        self._has_rows = asyncio.Event()
        self._has_room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_started = False
        app.read_batches_from(self)
        app.on_before_shutdown.connect(self._shut_down)

    async def assigned(self, partitions: set[TP]) -> None:
        """Bring the database up to date, and find out where each partition goes on.

        Raises:
            TopicsUnfit: topics that it stores are not there.
            EpochMismatch: what is stored came from another log than the one that is there now.
        """
        await self.revoked()
        if not self._is_started:
            await self._start()
        await patiently(lambda: asyncio.to_thread(migrate, self._settings))
        bounds = await asyncio.to_thread(log_bounds, self._settings, partitions)
        epochs = {topic: await asyncio.to_thread(epoch_of, self._settings, topic) for topic, _ in partitions}
        for tp, (first, end) in bounds.items():
            try:
                self._gathered.begin(tp, await self._begin(tp, epochs[tp.topic], first, end))
            except RecordsGone as error:
                self._leave_alone(tp, error)
            crash_points.reach("during-recovery")
        self._has_room.set()
        self._task = asyncio.create_task(self._write_always())

    async def revoked(self) -> None:
        """Let go of everything that is not stored: it will be read again by whoever has the partition then."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._gathered.clear()
        self._held.let_all_go()
        metrics.LEFT_ALONE.clear()
        self._has_room.set()

    async def _shut_down(self, *_args: object, **_options: object) -> None:
        """Let go, and do not wait long for a database that hangs: a thread that waits keeps the process alive."""
        await self.revoked()
        await asyncio.to_thread(self._writer.finish, LAST_WRITE_S)

    def position(self, tp: TP) -> int | None:
        """Where fetching of a partition goes on."""
        return self._gathered.position(tp)

    async def take(self, record_set: RecordSet) -> None:
        """Gather the rows of a record set; waits while too much is gathered already."""
        await self._held.take(record_set)

    async def _start(self) -> None:
        await asyncio.to_thread(partitions_of, self._settings, sorted(self._app.batch_topics))
        if self._settings.sink_metrics_port:
            serve_metrics(self._settings.metrics_host, self._settings.sink_metrics_port)
            self._app.add_future(self._lag_watch().run())
        self._is_started = True  # not before it is: a rebalance may cancel it

    async def _take(self, record_set: RecordSet) -> None:
        await self._has_room.wait()
        tp, place = TP(record_set.topic, record_set.partition), self._gathered.next_of(record_set)
        if place is None:
            return
        try:
            rows = await self._rows(record_set, place)
        except RegistryAway as away:
            if not self._gathered.is_at(tp, place):
                return
            log.warning("%s partition %d waits: %s", *tp, away)
            raise MustWait(record_set, lambda rest: patiently(lambda: self._ask(rest, place))) from away
        except CorruptBatch as error:
            if self._gathered.is_at(tp, place):
                self._leave_off(tp, error)
            return
        self._gathered.add(tp, rows, place, record_set.next_offset)
        self._has_rows.set()
        if self._gathered.rows > BUFFER_ROWS:
            self._has_room.clear()
            metrics.FULL.inc()

    async def _rows(self, record_set: RecordSet, place: Place) -> Rows:
        return await asyncio.to_thread(self._maker.rows, record_set, place.offset, place.epoch)

    async def _ask(self, record_set: RecordSet, place: Place) -> None:
        async with self._asking:
            await self._rows(record_set, place)

    def _leave_alone(self, tp: TP, error: RecordsGone) -> None:
        """Store nothing of a partition that was left off for longer than its records are kept; the others go on."""
        log.critical("%s partition %d is not stored: %s", *tp, error)
        self._gathered.stored[tp] = error.next_offset
        metrics.LEFT_ALONE.labels(*tp).set(1)

    def _leave_off(self, tp: TP, error: CorruptBatch) -> None:
        log.critical("%s partition %d is stored no further: %s", *tp, error)
        self._gathered.leave_off(tp)
        self._held.let_go(tp)
        metrics.LEFT_ALONE.labels(*tp).set(1)
        self._app.consumer.pause_partitions({tp} & self._app.consumer.assignment())

    async def _begin(self, tp: TP, epoch: str, first: int, end: int) -> Place:
        stored_epoch, position = await patiently(lambda: asyncio.to_thread(self._writer.begin, tp, epoch, first))
        remedy = (
            f"delete the rows of {tp.topic} in stream_offset, and it is stored from its start; or use another namespace"
        )
        check_progress(
            tp.topic,
            recorded=stored_epoch,
            current=epoch,
            next_offset=position,
            first=first,
            end=end,
            remedy=remedy,
        )
        return Place(epoch, position)

    async def _write_always(self) -> None:
        """Write at intervals; what waiting cannot mend ends the worker."""
        try:
            while True:
                await self._has_rows.wait()
                await asyncio.sleep(self._settings.sink_flush_ms / 1_000)
                self._has_rows.clear()
                batch = self._gathered.take()
                self._has_room.set()
                if batch:  # a rebalance may have taken all of it away
                    await self._write(batch)
        except Exception as error:
            log.critical("nothing more is stored: %s", error)
            await self._app.crash(error)

    async def _write(self, batch: list[Pending]) -> None:
        began = time.monotonic()
        stored = await patiently(lambda: asyncio.to_thread(self._writer.write, batch))
        metrics.WRITE_S.observe(time.monotonic() - began)
        elsewhere: dict[TP, int] = {}
        for pending in batch:
            if stored[pending.tp] == pending.end:
                _report(pending)
            else:
                elsewhere[pending.tp] = stored[pending.tp]
        await self._app.commit_batches(self._gathered.store(stored))
        if elsewhere:
            await self._begin_anew(elsewhere)

    def _lag_watch(self) -> LagWatch:
        gauges = metrics.LAG_RECORDS, metrics.LAG_S
        return LagWatch(self._settings, lambda: self._gathered.stored, gauges, lambda tp: (tp.topic, str(tp.partition)))

    async def _begin_anew(self, stored: Mapping[TP, int]) -> None:
        """The database is elsewhere: another sink wrote, or the last commits were lost in a failover. Go by it again.

        All is assigned anew: after a mere seek Faust leaves out what it takes to be read already.
        """
        for tp, offset in stored.items():
            log.warning("%s partition %d: the database is at offset %d by now; beginning anew from there", *tp, offset)
            metrics.FENCED.labels(topic=tp.topic).inc()
            self._gathered.drop(tp)
        await self._app.rejoin()


def _report(pending: Pending) -> None:
    """Count what was stored, and log every dead letter."""
    for table, rows in pending.rows.of.items():
        metrics.ROWS.labels(table=table).inc(len(rows))
    for topic, partition, offset, _, reason, *_ in pending.rows.of.get("dead_letter", ()):
        log.warning("dead letter: topic %s partition %d offset %d: %s", topic, partition, offset, reason)
        metrics.DEAD.labels(topic=topic).inc()
    metrics.STORED.labels(topic=pending.tp.topic, partition=pending.tp.partition).set(pending.end)
