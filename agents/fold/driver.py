"""The fold with no broker, no registry and no clock of the machine, for tests: records in, records out, at once.

What is between is what a worker runs: the same kernel, settings, schemas and aggregates of the user's own, and record
batches in Kafka's own format.
Time is what the records say, so a test moves it by piping clocks; a flush happens when it is asked for.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias

import fastavro
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from agents.aggregates import AggregateFailed, AggregateOutput, Origin, PartitionAggregates
from agents.dead_letters import Headers, dead_letter
from agents.epoch import FIRST_GENERATION
from agents.fold.setup import make_setup, new_fold
from agents.kernel import CorruptBatch, PackedBatch, PartitionFold, read_records
from agents.schema_lookup import know_own
from app.aggregates.schema import avro_schema
from app.partitions import partition_of
from app.schema_registry import own_schemas
from app.settings import Settings

Fields: TypeAlias = Mapping[str, Any]
KeyValue: TypeAlias = tuple[bytes, bytes | None]

EPOCH: Final = "driven"
OUTPUTS: Final = ("bars.1s", "bars", "bars.live", "late", "trades.dead")
_WIRE_HEADER_BYTES: Final = 5
_MAX_BATCH_BYTES: Final = 16 * 1024 * 1024


class Output(NamedTuple):
    """A record of an output topic. `value` is as it is on the wire: `FoldDriver.decoded` reads it."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class FoldDriver:
    """Folds what is piped in, in as many partitions as `trades` shall have.

    Prices and sizes are Decimals, times are nanoseconds UTC, as in the schemas. What `fold_trades` would write to a
    topic is returned by `read`, each record once; `aggregates.NAME` is a topic of an aggregate of the settings.

    Where an aggregate's own code fails, AggregateFailed is raised by whatever was called. Its partition then stands
    still as a worker's does: it takes records into its log, writes nothing, and raises the same, until `crash` goes on
    from the last flush. The other partitions go on.
    """

    def __init__(self, settings: Settings, *, partitions: int = 1) -> None:
        self._settings = settings
        own = own_schemas(settings)
        self._ids = {schema.record: number for number, schema in enumerate(own, start=1)}
        self._schemas = {self._ids[schema.record]: fastavro.parse_schema(json.loads(schema.text)) for schema in own}
        self._setup = make_setup(settings, self._ids)
        know_own(settings, self._setup.writer_schemas, self._ids, "livetape.Trade", "livetape.Clock")
        self._outputs: dict[str, list[Output]] = {name: [] for name in OUTPUTS}
        for number, aggregate in enumerate(self._setup.aggregates, start=len(own) + 1):
            self._ids[aggregate.record] = number
            self._schemas[number] = fastavro.parse_schema(avro_schema(aggregate))
            self._outputs[aggregate.topic] = []
        self._partitions = [
            _Partition(number, self._new_fold(number), self._new_aggregates(number)) for number in range(partitions)
        ]
        for partition in self._partitions:
            partition.restore_aggregates()

    def pipe_trade(self, fields: Fields) -> tuple[int, int]:
        """Write and fold a trade; its partition and offset."""
        key = f"{fields['venue']}:{fields['instrument']}".encode()
        return self.pipe_raw(key, self._encoded("livetape.Trade", fields))

    def pipe_clock(self, venue: str, time_ns: int) -> None:
        """Let a venue's time come to `time_ns`, in every partition."""
        value = self._encoded("livetape.Clock", {"venue": venue, "time_ns": time_ns})
        self._in_each(lambda partition: self._fold(partition, venue.encode(), value))

    def pipe_raw(self, key: bytes, value: bytes | None) -> tuple[int, int]:
        """Write and fold any bytes; their partition and offset."""
        partition = self._partitions[partition_of(key, len(self._partitions))]
        return partition.number, self._fold(partition, key, value)

    def flush(self) -> None:
        """Write what changed, as a worker does each `flush_ms`."""
        self._in_each(self._flush)

    def read(self, topic: str) -> list[Output]:
        """What came to an output topic since it was read last; `bars.live` holds what changed since then.

        Raises:
            KeyError: the fold has no such output.
        """
        if topic == "bars.live":
            for partition in self._partitions:
                if partition.failure is None:
                    self._add("bars.live", partition, unpacked(partition.fold.live()))
        records, self._outputs[topic] = self._outputs[topic], []
        return records

    def decoded(self, value: bytes) -> dict[str, Any]:
        """The fields of an Avro value behind its Confluent wire header."""
        body = io.BytesIO(value)
        schema_id = int.from_bytes(body.read(_WIRE_HEADER_BYTES)[1:], "big")
        fields: Any = fastavro.schemaless_reader(body, self._schemas[schema_id], None)
        return dict(fields)

    def table(self) -> dict[bytes, bytes]:
        """The state as the changelog holds it after compaction, over all partitions; progress records left out."""
        return {key: value for each in self._partitions for key, value in each.state.items() if key != each.progress}

    def crash(self) -> None:
        """Lose what was not flushed, restore every partition from its changelog, and fold the log from there on."""
        self._in_each(self._restart)

    def _in_each(self, act: Callable[["_Partition"], object]) -> None:
        """Act in every partition; where aggregates fail the first failure is raised, once all had their turn."""
        failures = []
        for partition in self._partitions:
            try:
                act(partition)
            except AggregateFailed as failure:
                failures.append(failure)
        if failures:
            raise failures[0]

    def _restart(self, partition: "_Partition") -> None:
        partition.failure = None
        partition.fold = self._new_fold(partition.number)
        for first_offset, batch in _batches(partition.state.items()):
            partition.fold.restore(batch, [], first_offset)
        progress = partition.fold.restored()
        partition.next_offset = 0 if progress is None else progress.next_offset
        partition.aggregates = self._new_aggregates(partition.number)
        with partition.whole():
            partition.restore_aggregates()
        self._fold_log(partition)

    def _new_fold(self, number: int) -> PartitionFold:
        return new_fold(self._setup, number, EPOCH)

    def _new_aggregates(self, number: int) -> PartitionAggregates:
        origin = Origin(EPOCH, FIRST_GENERATION, number)
        return PartitionAggregates(self._setup.aggregates, self._setup.config, self._ids, origin)

    def _encoded(self, name: str, fields: Fields) -> bytes:
        body = io.BytesIO()
        body.write(b"\0" + self._ids[name].to_bytes(4, "big"))
        fastavro.schemaless_writer(body, self._schemas[self._ids[name]], dict(fields))
        return body.getvalue()

    def _fold(self, partition: "_Partition", key: bytes, value: bytes | None) -> int:
        offset = len(partition.log)
        partition.log.append(_batch(offset, (key, value)))
        self._fold_log(partition)
        return offset

    def _fold_log(self, partition: "_Partition") -> None:
        with partition.whole():
            while partition.next_offset < len(partition.log):
                self._fold_next(partition)

    def _fold_next(self, partition: "_Partition") -> None:
        record_set = partition.log[partition.next_offset]
        outcome = partition.fold.fold(record_set, [], partition.next_offset)
        partition.next_offset = outcome.next_offset
        if outcome.corrupt:
            raise CorruptBatch(outcome.corrupt)
        if outcome.needs_schema is not None:
            self._setup.writer_schemas.refuse(outcome.needs_schema, f"unknown schema id {outcome.needs_schema}")
        if outcome.needs_history is not None:
            for again in partition.log[outcome.needs_history : outcome.next_offset]:
                partition.fold.reread(again, [])
        if partition.aggregates:
            partition.aggregates.take(partition.fold.take_accepted())

    def _flush(self, partition: "_Partition") -> None:
        with partition.whole():
            flush = partition.fold.take_flush()
            has_aggregates = partition.aggregates and not flush.is_empty
            aggregates = partition.aggregates.flush(flush) if has_aggregates else AggregateOutput()
        self._add("bars.1s", partition, unpacked(flush.bars_1s))
        self._add("bars", partition, unpacked(flush.bars))
        self._outputs["late"] += [Output(partition.number, key, value, []) for key, value, _, _ in flush.late]
        for key, value, offset, reason in flush.dead:
            place = (self._settings.topic("trades"), partition.number, offset)
            letter = dead_letter(*place, reason, key=key, value=value)
            self._outputs["trades.dead"].append(Output(partition.number, *letter))
        partition.take(unpacked(flush.changelog))
        for topic, records in aggregates.records.items():
            self._add(topic, partition, records)
        partition.aggregate_state.update(aggregates.changelog)

    def _add(self, topic: str, partition: "_Partition", records: Sequence[KeyValue]) -> None:
        self._outputs[topic] += [Output(partition.number, key, value, []) for key, value in records]


class _Partition:
    """A partition's log, a record batch an offset, and the state that was flushed from it."""

    def __init__(self, number: int, fold: PartitionFold, aggregates: PartitionAggregates) -> None:
        self.number = number
        self.fold = fold
        self.aggregates = aggregates
        self.log: list[bytes] = []
        self.next_offset = 0
        self.state: dict[bytes, bytes] = {}
        self.progress: bytes | None = None
        self.aggregate_state: dict[bytes, bytes | None] = {}
        self.failure: AggregateFailed | None = None

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Act on the fold and its aggregates, unless one has failed: they do not agree any more."""
        if self.failure is not None:
            raise self.failure
        try:
            yield
        except AggregateFailed as failure:
            self.failure = failure
            raise

    def take(self, changelog: Iterable[KeyValue]) -> None:
        """Let a flush's state records take the place of those before; progress is the last of them."""
        for key, value in changelog:
            self.state.pop(key, None)
            if value is not None:
                self.state[key] = value
            self.progress = key

    def restore_aggregates(self) -> None:
        """Bring new aggregates to where the fold is now."""
        for key, value in self.aggregate_state.items():
            self.aggregates.restore(key, value)
        self.aggregates.restored(self.next_offset, self.fold.has_bar)


def unpacked(batches: Iterable[PackedBatch]) -> list[KeyValue]:
    """Key and value of each record that would be written."""
    read = [read_records(batch.stamped(0)) for batch in batches]
    return [(record.key or b"", record.value) for records, _ in read for record in records]


def _batch(offset: int, record: KeyValue) -> bytes:
    """A record batch of one record, which is at this offset."""
    builder = _new_batch()
    builder.append(0, 0, *record, [])
    return _placed(builder, offset)


def _batches(records: Iterable[KeyValue]) -> Iterator[tuple[int, bytes]]:
    """Record batches as large as a broker takes them, each behind its first offset."""
    builder, first, count = _new_batch(), 0, 0
    for key, value in records:
        if builder.append(count, 0, key, value, []) is None:  # it is full
            yield first, _placed(builder, first)
            builder, first, count = _new_batch(), first + count, 0
            builder.append(count, 0, key, value, [])
        count += 1
    if count:
        yield first, _placed(builder, first)


def _new_batch() -> DefaultRecordBatchBuilder:
    return DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, _MAX_BATCH_BYTES)


def _placed(builder: DefaultRecordBatchBuilder, first_offset: int) -> bytes:
    """The batch at its offset, which a broker writes over the first 8 bytes."""
    return first_offset.to_bytes(8, "big") + bytes(builder.build())[8:]
