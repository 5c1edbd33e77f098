"""What `livetape reconcile` does with record sets of `bars` and `candles`: compare, count, and log what differs."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from faust.types import TP

from agents.held_partitions import HeldPartitions, MustWait
from agents.kernel import CorruptBatch, read_records
from agents.lag import LagWatch
from agents.log_bounds import offsets_since
from agents.log_errors import OffsetJump
from agents.metrics_server import serve_metrics
from agents.reconciliation import metrics
from agents.reconciliation.minutes import Amounts, Bar, Candle, Why
from agents.reconciliation.pairs import Reconciliation, Series, Verdict
from agents.schema_lookup import ASKING
from agents.topic_check import check_topics
from agents.transport import BatchApp, RecordSet
from app.amounts import PRICE_SCALE, plain, unscaled
from app.intervals import COMPARED
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.settings import Settings
from app.units import MILLISECOND_NS, SECOND_NS
from app.venues import read_venues

log = logging.getLogger(__name__)

SOURCES: Final = ("bars", "candles")
BAR: Final = "livetape.Bar"
CANDLE: Final = "livetape.Candle"
LOOKBACK_MS: Final = {"candles": 3_600_000, "bars": 7_200_000}
"""How much is read again when partitions come: more of bars, which are there before their candles."""
LOOK_S: Final = 1.0
REGISTRY_PAUSE_S: Final = 1.0
Fields = Mapping[str, Any]


class CandleCheck:
    """Compares the bars of a minute with the candles of venues that venues.yaml says candles of.

    It keeps nothing: where its partitions are assigned it reads the last hour of candles again, and what this process
    has told already is not told twice.
    """

    name: Final = "reconcile"
    outputs: Final = ("livetape_reconcile_bars_total (metrics)",)

    def __init__(self, app: BatchApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings))
        declared = read_venues(settings.venues_file)
        self._venues = {name: venue.candles for name, venue in declared.items() if venue.candles is not None}
        self._check = Reconciliation(settings.reconcile_patience_ms / 1_000, self._venues)
        self._held = HeldPartitions(app, self._take)
        self._asking = asyncio.Semaphore(ASKING)
        self._positions: dict[TP, int] = {}  # of this assignment: the next one has another dict
        self._is_started = False
        app.read_batches_from(self)

    async def assigned(self, partitions: set[TP]) -> None:
        """Find out where each partition's last hours begin."""
        await self.revoked()
        if not self._is_started:
            await self._start()
        now_ms = time.time_ns() // MILLISECOND_NS
        for name in SOURCES:
            topic = self._settings.topic(name)
            of_topic = {tp for tp in partitions if tp.topic == topic}
            begins = await asyncio.to_thread(offsets_since, self._settings, of_topic, now_ms - LOOKBACK_MS[name])
            self._positions.update(begins)

    async def revoked(self) -> None:
        """Let go of what waits: whoever has the partition then reads it again."""
        self._positions = {}
        self._held.let_all_go()
        metrics.LEFT_ALONE.clear()
        self._check.forget_waiting()

    def position(self, tp: TP) -> int | None:
        """Where fetching of a partition goes on."""
        return self._positions.get(tp)

    async def take(self, record_set: RecordSet) -> None:
        """Compare the records of a record set of a partition that this worker has."""
        await self._held.take(record_set)

    async def _take(self, record_set: RecordSet) -> None:
        tp = TP(record_set.topic, record_set.partition)
        positions = self._positions
        position = positions.get(tp)
        if position is None:
            return
        if record_set.start_offset != position:
            raise OffsetJump(*tp, f"offset {position} is next", record_set.start_offset)
        try:
            records = await self._read(record_set, position)
        except RegistryAway as away:
            if self._positions is not positions:
                return
            raise MustWait(record_set, lambda rest: self._until_told(rest, position)) from away
        except CorruptBatch as error:
            if self._positions is positions:
                self._leave_off(tp, error)
            return
        if self._positions is not positions:
            return  # it was taken away meanwhile, and may have been given back
        positions[tp] = record_set.next_offset
        for name, fields in records:
            self._tell(self._compare(tp.partition, name, fields))

    def _leave_off(self, tp: TP, error: CorruptBatch) -> None:
        log.critical("%s partition %d is compared no further: %s", *tp, error)
        self._positions.pop(tp, None)
        self._held.let_go(tp)
        metrics.LEFT_ALONE.labels(*tp).set(1)
        self._app.consumer.pause_partitions({tp} & self._app.consumer.assignment())

    async def _start(self) -> None:
        await asyncio.to_thread(check_topics, self._settings, *SOURCES)
        if self._settings.reconcile_metrics_port:
            serve_metrics(self._settings.metrics_host, self._settings.reconcile_metrics_port)
            gauges = metrics.LAG_RECORDS, metrics.LAG_S
            watch = LagWatch(self._settings, lambda: self._positions, gauges, lambda tp: (tp.topic, str(tp.partition)))
            self._app.add_future(watch.run())
        self._app.add_future(self._look_always())
        self._is_started = True  # not before it is: a rebalance may cancel it

    async def _look_always(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for verdict in self._check.overdue(time.monotonic()):
                self._tell(verdict)
            metrics.WAITING.set(self._check.waiting)

    async def _read(self, record_set: RecordSet, position: int) -> list[tuple[str, Fields]]:
        """The wanted records at a position and behind it. Raises RegistryAway, CorruptBatch."""
        return await asyncio.to_thread(lambda: list(self._wanted(record_set, position)))

    async def _until_told(self, record_set: RecordSet, position: int) -> None:
        """Wait until the registry tells all schemas of a record set."""
        while True:
            try:
                async with self._asking:
                    await self._read(record_set, position)
            except RegistryAway as error:
                waits = "%s partition %d waits %.0f s: %s"
                log.warning(waits, record_set.topic, record_set.partition, REGISTRY_PAUSE_S, error)
                await asyncio.sleep(REGISTRY_PAUSE_S)
            else:
                return

    def _wanted(self, record_set: RecordSet, position: int) -> Iterable[tuple[str, Fields]]:
        records, damaged = read_records(record_set.data, record_set.aborted)
        for first, end, _, reason in damaged:
            log.warning("%s partition %d: the batch from offset %d to %d cannot be read: %s",
                        record_set.topic, record_set.partition, first, end - 1, reason)  # fmt: skip
        for offset, _, key, value, *_ in records:
            if offset < position or not self._is_wanted(key):
                continue
            try:
                yield self._read_compared(value)
            except BadRecord as bad:
                log.warning("%s partition %d offset %d: %s", record_set.topic, record_set.partition, offset, bad)

    def _read_compared(self, value: bytes | None) -> tuple[str, Fields]:
        """A record of one of the two compared types.

        Raises:
            BadRecord: it cannot be read, or is of another type.
        """
        name, fields = self._reader.read(value)
        if name not in (BAR, CANDLE):
            raise BadRecord(f"{name} is neither a bar nor a candle")
        return name, fields

    def _is_wanted(self, key: bytes | None) -> bool:
        """By the key, of bars with `:interval:start_ns` behind `venue:instrument`: most bars are of other lengths."""
        parts = (key or b"").decode(errors="replace").split(":")
        return parts[0] in self._venues and parts[2:3] in ([], [COMPARED])

    def _compare(self, partition: int, name: str, fields: Fields) -> Verdict | None:
        series = Series(fields["venue"], fields["instrument"])
        amounts = Amounts(*(unscaled(fields[part]) for part in Amounts._fields))
        at = series, partition, fields["start_ns"]
        if name == BAR:
            bar = Bar(amounts, fields["trade_count"], fields["missing"])
            return self._check.take_bar(*at, bar, time.monotonic())
        candle = Candle(amounts, fields["trade_count"], fields["bridge_session"])
        return self._check.take_candle(*at, candle, time.monotonic())

    def _tell(self, verdict: Verdict | None) -> None:
        if verdict is None:
            return
        venue, why = verdict.series.venue, verdict.why
        result = "equal" if why is None else "different"
        metrics.BARS.labels(venue=venue, result=result, why=why or "").inc()
        if why not in (None, Why.CUT):  # of busy instruments many minutes are cut, and nothing is wrong with them
            told = venue, verdict.series.instrument, _time(verdict.start_ns), why
            log.warning("%s %s at %s: %s; bar %s; candle %s", *told, _text(verdict.bar), _text(verdict.candle))


def _time(start_ns: int) -> str:
    return f"{datetime.fromtimestamp(start_ns // SECOND_NS, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _text(side: Bar | Candle | None) -> str:
    if side is None:
        return "none"
    amounts = " ".join(f"{name} {plain(value, PRICE_SCALE)}" for name, value in side.amounts._asdict().items())
    missing = f" missing {side.missing}" if isinstance(side, Bar) and side.missing else ""
    return f"{amounts} trades {'unknown' if side.trades is None else side.trades}{missing}"
