"""One database transaction a write: the rows, and how far each topic is stored, together or not at all.

The row of `stream_offset` is the fence. It is locked and compared before any table is touched, so of two sinks that
believe to own a partition only the one that begins where the other ended can write. What takes long, sending the rows,
comes before the lock; and a sink that is frozen while it holds the lock is put out by Postgres.
"""

import os
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from faust.types import TP
from psycopg import sql
from sqlalchemy import Table

from agents import crash_points
from agents.sink.rows import Rows, columns_of
from app.aggregates import load_aggregates
from app.database import conninfo, tables
from app.database.aggregate_tables import aggregate_table
from app.database.partitions import ensure_days
from app.settings import Settings

if TYPE_CHECKING:
    from datetime import date

CONNECT_S: Final = 5
STATEMENT_MS: Final = 60_000
FROZEN_MS: Final = 10_000
"""A session that does nothing for so long inside a transaction is ended by Postgres, and its locks with it."""

LOCK: Final = """
    SELECT topic, partition, next_offset FROM stream_offset
    JOIN unnest(%s::text[], %s::bigint[]) AS wanted (topic, partition) USING (topic, partition)
    ORDER BY topic, partition FOR UPDATE OF stream_offset
"""
ADVANCE: Final = """
    UPDATE stream_offset SET next_offset = written.next_offset
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS written (topic, partition, next_offset)
    WHERE (stream_offset.topic, stream_offset.partition) = (written.topic, written.partition)
"""
BEGIN: Final = """
    INSERT INTO stream_offset (topic, partition, epoch, next_offset) VALUES (%s, %s, %s, %s)
    ON CONFLICT (topic, partition) DO UPDATE SET topic = excluded.topic
    RETURNING epoch, next_offset
"""


class DayAway(Exception):
    """A day's partition was dropped or detached before its rows came: the next attempt makes it anew."""


@dataclass
class Pending:
    """What is to be written of one partition: the rows of the offsets [start, end)."""

    tp: TP
    start: int
    end: int
    rows: Rows


class SqlWriter:
    """Writes to the namespace's database. Its methods wait, one at a time: call them in a thread.

    Every method raises psycopg.OperationalError when Postgres does not answer; the next call connects anew.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tables = _Tables([aggregate_table(each) for each in load_aggregates(settings)])
        self._busy = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def begin(self, tp: TP, epoch: str, first_offset: int) -> tuple[str, int]:
        """Epoch and next offset of a partition; `epoch` and `first_offset` where nothing of it is stored yet."""
        with self._busy:
            row = self._connected().execute(BEGIN, [tp.topic, tp.partition, epoch, first_offset]).fetchone()
        if row is None:
            raise RuntimeError("INSERT … RETURNING gave no row")
        return str(row[0]), int(row[1])

    def write(self, batch: Sequence[Pending]) -> Mapping[TP, int]:
        """Write what begins where the database ends; returns the next offset of every partition afterwards.

        Nothing was written of one that differs from what the caller wanted to reach: another sink has moved it on, or
        Postgres has lost commits. Raises DayAway too.
        """
        with self._busy:
            connection = self._connected()
            _ensure_days(connection, batch, self._tables)
            try:
                return _write(connection, batch, self._tables)
            except psycopg.errors.CheckViolation as error:
                if error.diag.constraint_name is not None:  # the table's owner wants no such rows
                    raise
                raise DayAway(str(error)) from error

    def finish(self, within_s: float) -> None:
        """Wait for a write that is under way; one that lasts longer has its connection cut, and fails."""
        if self._busy.acquire(timeout=within_s):
            self._busy.release()
        elif self._connection is not None:
            with socket.socket(fileno=os.dup(self._connection.fileno())) as connected:
                connected.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            connection = psycopg.connect(
                conninfo(self._settings),
                autocommit=True,
                connect_timeout=CONNECT_S,
                options=f"-c statement_timeout={STATEMENT_MS} -c idle_in_transaction_session_timeout={FROZEN_MS}",
            )
            for table in self._tables.incoming:
                names = {"incoming": _incoming(table.name), "table": sql.Identifier(table.name)}
                connection.execute(_TEMPORARY.format(**names))
            self._connection = connection
        return self._connection


class _Tables:
    """What is written, and how rows that were staged get into it."""

    def __init__(self, aggregates: Sequence[Table]) -> None:
        self.incoming = (*_INCOMING, *aggregates)
        self.merges = (*_MERGES, *map(_upsert, aggregates))
        self.by_day = (*tables.BY_DAY, *aggregates)
        self.columns = {table.name: _names(columns_of(table)) for table in self.incoming}


def _ensure_days(connection: psycopg.Connection[Any], batch: Sequence[Pending], written: _Tables) -> None:
    days: set[date] = set().union(*(pending.rows.days for pending in batch))
    for table in written.by_day:
        ensure_days(connection, table.name, days)


def _write(connection: psycopg.Connection[Any], batch: Sequence[Pending], written: _Tables) -> dict[TP, int]:
    """Write all of the batch; or, when something of it is not due, begin anew with what is."""
    with connection.transaction() as transaction, connection.cursor() as cursor:
        _stage(cursor, batch, written)
        stored = _lock(cursor, batch)
        due = [pending for pending in batch if stored[pending.tp] == pending.start]
        if len(due) < len(batch):
            raise psycopg.Rollback(transaction)
        for statement in written.merges:
            cursor.execute(statement)
        crash_points.reach("mid-flush")
        _advance(cursor, due)
        crash_points.reach("before-commit")
    if len(due) < len(batch):
        return {**stored, **(_write(connection, due, written) if due else {})}
    crash_points.reach("after-commit")
    return {pending.tp: pending.end for pending in batch}


def _stage(cursor: psycopg.Cursor[Any], batch: Sequence[Pending], written: _Tables) -> None:
    """Send the rows to tables that only this session sees."""
    rows = Rows()
    for pending in batch:
        rows.extend(pending.rows)
    for name, incoming in rows.of.items():
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(_incoming(name), written.columns[name])) as copy:
            for row in incoming:
                copy.write_row(row)


def _lock(cursor: psycopg.Cursor[Any], batch: Sequence[Pending]) -> dict[TP, int]:
    cursor.execute(LOCK, [[pending.tp.topic for pending in batch], [pending.tp.partition for pending in batch]])
    return {TP(topic, partition): next_offset for topic, partition, next_offset in cursor.fetchall()}


def _advance(cursor: psycopg.Cursor[Any], due: Sequence[Pending]) -> None:
    columns = zip(*((pending.tp.topic, pending.tp.partition, pending.end) for pending in due), strict=True)
    cursor.execute(ADVANCE, [list(column) for column in columns])


def _incoming(table: str) -> sql.Identifier:
    return sql.Identifier(f"incoming_{table}")


def _insert_new(table: Table, into: Table | None = None) -> sql.Composed:
    """Rows whose key is not there yet; of two with one key, the first that came."""
    return sql.SQL("INSERT INTO {into} SELECT * FROM {incoming} ON CONFLICT DO NOTHING").format(
        into=sql.Identifier((table if into is None else into).name), incoming=_incoming(table.name)
    )


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _upsert(table: Table) -> sql.Composed:
    """The latest version of each bar or window, over an older one only."""
    key = [column.name for column in table.primary_key.columns]
    others = [name for name in columns_of(table) if name not in key]
    return sql.SQL("""
        INSERT INTO {table} ({all}) SELECT DISTINCT ON ({key}) {all} FROM {incoming}
        ORDER BY {key}, generation DESC, revision DESC
        ON CONFLICT ({key}) DO UPDATE SET ({others}) = ROW({excluded})
        WHERE (excluded.generation, excluded.revision) > ({table}.generation, {table}.revision)
    """).format(
        table=sql.Identifier(table.name),
        all=_names(columns_of(table)),
        key=_names(key),
        incoming=_incoming(table.name),
        others=_names(others),
        excluded=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in others),
    )


_TEMPORARY: Final = sql.SQL("CREATE TEMP TABLE {incoming} (LIKE {table}) ON COMMIT DELETE ROWS")
_INCOMING: Final = (tables.trade, tables.trade_correction, tables.bar, tables.gap, tables.dead_letter)
_MERGES: Final = (
    _insert_new(tables.trade),
    _insert_new(tables.trade_correction),
    _upsert(tables.bar),
    _insert_new(tables.bar, tables.bar_revision),
    _insert_new(tables.gap),
    _insert_new(tables.dead_letter),
)
