"""The fold of trades into bars and their join with quotes, in C++: pure functions of state and record sets.

Nothing in here knows a broker, a clock or a thread. Times are nanoseconds, offsets are Kafka's, and every call that
reads bytes releases the interpreter's lock.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from agents.kernel import _native
from agents.kernel._native import (
    CorruptBatch,
    CorruptState,
    Flush,
    FoldConfig,
    FoldOutcome,
    JoinConfig,
    JoinFlush,
    JoinOutcome,
    JoinProgress,
    Level,
    PackedBatch,
    PartitionFold,
    Progress,
    QuoteJoin,
    RecordBatchWriter,
    TradeBatch,
    VenueRules,
    end_of,
    progress_record,
    read_progress,
)
from agents.kernel.decode_plan import QUOTES, SCHEMAS, TRADES, IncompatibleSchema, compile_plan

__all__ = [
    "QUOTES",
    "CorruptBatch",
    "CorruptState",
    "Damaged",
    "Flush",
    "FoldConfig",
    "FoldOutcome",
    "IncompatibleSchema",
    "JoinConfig",
    "JoinFlush",
    "JoinOutcome",
    "JoinProgress",
    "Level",
    "PackedBatch",
    "PartitionFold",
    "Progress",
    "QuoteJoin",
    "Record",
    "RecordBatchWriter",
    "SessionTables",
    "TradeBatch",
    "VenueRules",
    "WriterSchemas",
    "end_of",
    "progress_record",
    "read_progress",
    "read_records",
]

SessionTables: TypeAlias = Mapping[tuple[str, str], Mapping[str, Sequence[tuple[int, int]]]]
"""By venue and instrument (none for all others of the venue), and by interval: start and end of each window, in ns."""


class WriterSchemas(_native.WriterSchemas):
    """How to read each schema met so far in a topic, by its registry id; shared by all partitions of a worker."""

    def __init__(self, records: Collection[str] = TRADES, schemas_dir: Path = SCHEMAS) -> None:
        """`records` are the full names of what the topic has, and `schemas_dir` has our schemas of them."""
        super().__init__()
        self._records = records
        self._schemas_dir = schemas_dir

    def add(self, schema_id: int, schema_json: str) -> None:
        """Read records of this schema from now on.

        Raises:
            IncompatibleSchema: they cannot be read as what the topic has.
        """
        self.add_plan(schema_id, *compile_plan(schema_json, self._records, self._schemas_dir))

    def refuse(self, schema_id: int, reason: str) -> None:
        """Send records of this schema to the dead letters. A name in a schema, and so in the reason, may be no text."""
        super().refuse(schema_id, reason.encode(errors="backslashreplace").decode())


class Record(NamedTuple):
    """One record of a record set."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    appended_ms: int
    """When the log took it; -1 where it does not say."""


class Damaged(NamedTuple):
    """A batch with the offsets [first_offset, next_offset) that cannot be read, as it came."""

    first_offset: int
    next_offset: int
    data: bytes
    reason: str


def read_records(
    record_set: bytes | memoryview, aborted: Sequence[tuple[int, int]] = ()
) -> tuple[list[Record], list[Damaged]]:
    """The committed records of a record set, and its batches that are damaged or of a codec that is refused.

    `aborted` are the (producer id, first offset) pairs of the fetch.

    Raises:
        CorruptBatch: nobody can tell where the next batch begins; the message has the offset.
    """
    records, damaged = _native.read_records(record_set, list(aborted))
    return [Record(*record) for record in records], [Damaged(*batch) for batch in damaged]
