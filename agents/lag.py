"""How far behind the log a worker is, for each of its partitions, in records and in seconds of event time.

Lag in records is the log's end less the next offset that the worker will take. Lag in seconds compares two places of
the log by what its records say: the newest event time among the last records before its end, less the newest among the
last records before the worker's next offset. No wall clock is in it, so a replayed log shows the lag of its own time,
and what waits in front of a worker that stands still is seen to grow. With nothing unread it is 0; where a place has no
record with a time, or its records cannot be read, as while the registry is away, it is NaN.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from confluent_kafka import KafkaException, Message, TopicPartition
from faust.types import TP
from prometheus_client import Gauge

from app.aggregates import load_aggregates
from app.log_end import is_end, is_read_to
from app.log_reader import log_reader, no_answer
from app.records import BadRecord, RecordReader, SchemaLookup
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.settings import Settings
from app.units import SECOND_NS

log = logging.getLogger(__name__)

INTERVAL_S: Final = 2.0
LOOKBACK: Final = 64
"""Records looked at before a place: a venue's clock is written into every partition each 250 ms."""
TIMEOUT_S: Final = 2.0
FETCH_BYTES: Final = 64 * 1024
_TIMES: Final = {
    "livetape.Trade": "event_time_ns",
    "livetape.Quote": "event_time_ns",
    "livetape.Clock": "time_ns",
    "livetape.Bar": "start_ns",
    "livetape.Gap": "to_time_ns",
    "livetape.Candle": "start_ns",
}


class Lag(NamedTuple):
    """What is between a worker and the end of a partition's log."""

    records: int
    seconds: float


class LagWatch:
    """Measures the lag of a worker's partitions at intervals, and sets two gauges with labels that `labels` makes."""

    def __init__(
        self,
        settings: Settings,
        positions: Callable[[], Mapping[TP, int]],
        gauges: tuple[Gauge, Gauge],
        labels: Callable[[TP], tuple[str, ...]],
    ) -> None:
        """`positions` are the next offsets of the partitions that the worker has now; `gauges` records and seconds."""
        self._settings = settings
        self._positions = positions
        self._gauges = gauges
        self._labels = labels
        self._shown: set[TP] = set()

    async def run(self) -> None:
        """Measure for ever; what cannot be measured now is measured later."""
        meter = LagMeter(self._settings)
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                self._show(await asyncio.to_thread(meter.measure, dict(self._positions())))
            except KafkaException as error:
                log.debug("lag is not known now: %s", error)
                self._show({})

    def _show(self, lags: Mapping[TP, Lag]) -> None:
        for tp, lag in lags.items():
            for gauge, value in zip(self._gauges, lag, strict=True):
                gauge.labels(*self._labels(tp)).set(value)
        for tp in self._shown - lags.keys():  # another worker's by now
            for gauge in self._gauges:
                gauge.remove(*self._labels(tp))
        self._shown = set(lags)


class _SchemasOfRound:
    """Asks the registry until it does not answer, then no more in this round: each time may take seconds."""

    def __init__(self, schemas: SchemaLookup) -> None:
        self._schemas = schemas
        self._away: str | None = None

    def begin(self) -> None:
        """A new round: the registry may have come back."""
        self._away = None

    def __call__(self, schema_id: int) -> str:
        if self._away is not None:
            raise RegistryAway(self._away)
        try:
            return self._schemas(schema_id)
        except RegistryAway as error:
            self._away = str(error)
            raise


class LagMeter:
    """Looks at the log with a consumer of its own, outside of any group. Its methods wait: call them in a thread."""

    def __init__(self, settings: Settings) -> None:
        aggregates = load_aggregates(settings)
        self._schemas = _SchemasOfRound(RegistrySchemas(settings))
        self._reader = RecordReader(settings.schemas_dir, self._schemas, aggregates)
        self._time_of = _TIMES | {each.record: "start_ns" for each in aggregates}
        properties = {"fetch.wait.max.ms": 10, "max.partition.fetch.bytes": FETCH_BYTES, "log_level": 0}
        self._consumer = log_reader(settings, "lag", properties)

    def measure(self, positions: Mapping[TP, int]) -> dict[TP, Lag]:
        """The lag of each partition from its next offset.

        Raises:
            KafkaException: the broker does not answer.
        """
        self._schemas.begin()
        return {tp: self._lag(tp, next_offset) for tp, next_offset in positions.items()}

    def _lag(self, tp: TP, next_offset: int) -> Lag:
        first, end = self._consumer.get_watermark_offsets(TopicPartition(*tp), TIMEOUT_S, cached=False)
        if next_offset >= end:
            return Lag(0, 0.0)
        return Lag(end - next_offset, self._seconds(tp, next_offset, first, end))

    def _seconds(self, tp: TP, next_offset: int, first: int, end: int) -> float:
        try:
            newest, reached = self._time_before(tp, end, first), self._time_before(tp, next_offset, first)
        except (KafkaException, RegistryAway) as error:  # damaged, or of a new schema: its length is known all the same
            log.debug("%s partition %d: the lag in seconds is not known now: %s", *tp, error)
            return math.nan
        return math.nan if newest is None or reached is None else max(0, newest - reached) / SECOND_NS

    def _time_before(self, tp: TP, offset: int, first: int) -> int | None:
        """The newest event time in ns among the last records before an offset; at the log's begin, its first one's."""
        begin = max(first, offset - LOOKBACK)
        times = [time_ns for value in self._values(tp, begin, max(offset, first + 1)) for time_ns in self._times(value)]
        return max(times, default=None)

    def _values(self, tp: TP, begin: int, end: int) -> list[bytes | None]:
        self._consumer.assign([TopicPartition(*tp, begin)])
        values: list[bytes | None] = []
        try:
            for message in self._messages():
                error = message.error()
                if error is not None and not is_end(error):
                    raise KafkaException(error)
                if error is None and (message.offset() or 0) < end:
                    values.append(message.value())
                if is_read_to(end, message):
                    break
            return values
        finally:
            self._consumer.unassign()

    def _messages(self) -> Iterator[Message]:
        """What comes, without end. The first alone is waited for: behind a log's last record no more may come."""
        while first := self._consumer.consume(1, TIMEOUT_S):
            yield from first + self._consumer.consume(LOOKBACK, 0)
        raise no_answer()

    def _times(self, value: bytes | None) -> list[int]:
        try:
            name, fields = self._reader.read(value)
        except BadRecord:
            return []
        return [int(fields[self._time_of[name]])] if name in self._time_of else []
