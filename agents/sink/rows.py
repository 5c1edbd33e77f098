"""Records of the topics as rows of the tables; what is no row becomes a dead letter."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any, Final

from sqlalchemy import Column, Table, Text

from agents.kernel import read_records
from agents.transport import RecordSet
from app.aggregates import Declared
from app.amounts import plain, unscaled
from app.database import tables
from app.database.aggregate_tables import aggregate_table
from app.database.partitions import day_of
from app.records import BadRecord, RecordReader
from app.units import DAY_NS, MILLISECOND_NS

Row = tuple[Any, ...]
"""Values in the order of the table's columns; amounts as plain decimals in text."""
Fields = Mapping[str, Any]

AMOUNT_LIMIT: Final = 10**38
"""Of prices and sizes, unscaled and exclusive: what the fold takes."""
KEY_TEXT_BYTES: Final = 500
"""Longest text in an index, whose entries in Postgres hold 2,704 bytes; none of ours has more than three texts."""
NAME: Final = re.compile("[!-~]{1,256}")
"""What the fold takes for the name of a venue or an instrument, and for a trade's id."""
CORRECTION: Final = "a trade that corrects or cancels another"
TABLES: Final = {
    "livetape.Trade": (tables.trade, "event_time_ns"),
    CORRECTION: (tables.trade_correction, None),
    "livetape.Bar": (tables.bar, "start_ns"),
    "livetape.Gap": (tables.gap, None),
}


@dataclass
class Rows:
    """Rows by table, and the days whose partitions they need."""

    of: dict[str, list[Row]] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)

    def __len__(self) -> int:
        return sum(map(len, self.of.values()))

    def add(self, table: str, row: Row) -> None:
        """Add a row of a table."""
        self.of.setdefault(table, []).append(row)

    def extend(self, later: "Rows") -> None:
        """Add all of the rows that came later."""
        for table, rows in later.of.items():
            self.of.setdefault(table, []).extend(rows)
        self.days |= later.days


class RowMaker:
    """Makes rows of the records of a record set."""

    def __init__(self, reader: RecordReader, max_ahead_ns: int, aggregates: Iterable[Declared] = ()) -> None:
        self._reader = reader
        self._max_ahead_ns = max_ahead_ns
        self._tables = {**TABLES, **{each.record: (aggregate_table(each), "start_ns") for each in aggregates}}
        self._columns = {
            name: [_getter(column, day_of_field) for column in table.columns]
            for name, (table, day_of_field) in self._tables.items()
        }
        self._key_texts = {name: _indexed_texts(table) for name, (table, _) in self._tables.items()}

    def rows(self, record_set: RecordSet, from_offset: int, epoch: str) -> Rows:
        """Rows of all records at `from_offset` and behind it; `epoch` is Kafka's id of their topic.

        Raises:
            CorruptBatch: nobody can tell where the batch behind a damaged one begins.
            RegistryAway: a writer's schema is not known and cannot be asked for now.
        """
        rows = Rows()
        source = (record_set.topic, record_set.partition)
        records, damaged = read_records(record_set.data, record_set.aborted)
        for offset, _, key, value, _, appended_ms in records:
            if offset < from_offset:
                continue
            try:
                place = {"partition": record_set.partition, "offset": offset, "epoch": epoch}
                self._add(rows, value, place, appended_ms)
            except BadRecord as bad:
                rows.add("dead_letter", (*source, offset, epoch, _storable(str(bad)), key, value))
        for first, end, batch, reason in damaged:
            if end > from_offset:
                told = f"the record batch up to offset {end - 1} cannot be read: {reason}"
                rows.add("dead_letter", (*source, first, epoch, told, None, batch))
        return rows

    def _add(self, rows: Rows, value: bytes | None, place: Fields, appended_ms: int) -> None:
        name, fields = self._reader.read(value)
        if name == "livetape.Clock":
            return
        if name not in self._tables:
            raise BadRecord(f"{name} belongs into no table")
        if name == "livetape.Trade":
            self._check_trade(fields, appended_ms)
            name = name if fields["action"] == "trade" else CORRECTION
        placed = {**place, **fields}  # a bar tells where its trades were
        self._check_texts(name, placed)
        table, day_of_field = self._tables[name]
        try:
            row = tuple(get(placed) for get in self._columns[name])
        except ValueError as error:  # Python writes numbers of 4,300 digits at most
            raise BadRecord(f"an amount is too long: {error}") from error
        rows.add(table.name, row)
        if day_of_field is not None:
            rows.days.add(day_of(fields[day_of_field]))

    def _check_texts(self, name: str, fields: Fields) -> None:
        """Refuse what Postgres would refuse, and every record of the transaction with it."""
        texts = [text for text in fields.values() if isinstance(text, str)]
        conditions = fields["conditions"] if name in {"livetape.Trade", CORRECTION} else ()
        if "\0" in "".join(chain(texts, conditions)):
            raise BadRecord("a text has a NUL character in it, which Postgres does not store")
        for key in self._key_texts[name]:
            if len((fields[key] or "").encode()) > KEY_TEXT_BYTES:
                raise BadRecord(f"{key} is longer than {KEY_TEXT_BYTES} bytes, which Postgres does not index")

    def _check_trade(self, trade: Fields, appended_ms: int) -> None:
        """Refuse what the fold refuses: a row that is in no bar would be a trade that nobody counted."""
        is_cancel = trade["action"] == "cancel"
        for name in ("venue", "instrument") if is_cancel else ("venue", "instrument", "trade_id"):
            if NAME.fullmatch(trade[name]) is None:
                raise BadRecord(f"{name} is no name: 1 to 256 letters of ASCII that can be seen")
        for name in ("price", "size"):
            amount = unscaled(trade[name])
            if abs(amount) >= AMOUNT_LIMIT or (amount <= 0 and not is_cancel):
                raise BadRecord(f"{name} is not positive or has more than 38 digits")
        if trade["event_time_ns"] - trade["receive_time_ns"] > self._max_ahead_ns:
            raise BadRecord("event time is too far ahead of its receive time")
        if appended_ms >= 0 and trade["event_time_ns"] - appended_ms * MILLISECOND_NS > DAY_NS:
            raise BadRecord("event time is more than a day ahead of when the record came to the log")


def _getter(column: Column[Any], day_of_field: str | None) -> Callable[[Fields], Any]:
    """How to read a column's value off the fields of a record."""
    name = column.name
    if name == "day":
        return lambda fields: day_of(fields[str(day_of_field)])
    if tables.SCALE in column.info:
        scale = int(column.info[tables.SCALE])
        if column.nullable:
            return lambda fields: None if fields[name] is None else plain(unscaled(fields[name]), scale)
        return lambda fields: plain(unscaled(fields[name]), scale)
    return lambda fields: fields[name]


def _storable(reason: str) -> str:
    """A reason as Postgres stores texts: what a foreign schema calls itself may be in it."""
    return reason.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _indexed_texts(table: Table) -> list[str]:
    """Names of the table's text columns that its key or another index has in it."""
    indexes = [table.primary_key.columns, *(index.columns for index in table.indexes)]
    indexed = {column.name for columns in indexes for column in columns}
    return [column.name for column in table.columns if column.name in indexed and isinstance(column.type, Text)]


def columns_of(table: Table) -> list[str]:
    """Names of a table's columns, in the order of a row."""
    return [column.name for column in table.columns]
