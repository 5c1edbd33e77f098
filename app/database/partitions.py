"""Partitions by UTC day, made when the first row of a day comes."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import chain, count
from typing import Any, Final

import psycopg
from psycopg import sql

from app.units import DAY_NS

LOCK: Final = 0x6C74_6461  # any number that every process agrees on
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).date()

_CREATE = sql.SQL("CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
_ATTACH = sql.SQL("ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({first}) TO ({behind})")

# By looks at the catalogue itself: to_regclass may answer from a cache that is older than the lock, but for the table,
# which stays. A day's partition has the day's name, or one made of it: what has been detached may keep the day's.
_ABSENT: Final = """
    SELECT name FROM unnest(%s::text[]) AS name
    WHERE NOT EXISTS (
        SELECT FROM pg_class JOIN pg_inherits ON inhrelid = pg_class.oid
        WHERE inhparent = to_regclass(%s) AND relname BETWEEN name::name AND (name || '_~')::name
    )
"""
_SCHEMA: Final = """
    SELECT oid, nspname FROM pg_namespace WHERE oid = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%s))
"""
_TAKEN: Final = """
    SELECT relname FROM pg_class
    WHERE relnamespace = %s AND relname BETWEEN %s::name AND (%s || '_~')::name
"""


def day_of(time_ns: int) -> date:
    """UTC day of a time in nanoseconds since 1970; any that fits a `bigint`."""
    return _EPOCH + timedelta(days=time_ns // DAY_NS)


def ensure_days(connection: psycopg.Connection[Any], table: str, days: Iterable[date]) -> None:
    """Make the missing partitions of a table, in a transaction of its own; safe for several processes at once.

    A partition is attached rather than created in its place: that locks out neither readers nor writers of the table.
    It is in the table's schema, whichever of a search path that is. A table that has its name and is no partition, as
    one that was detached, stays as it is: the partition has a number at its name's end.
    """
    wanted = {f"{table}_{day:%Y%m%d}": day for day in sorted(days)}
    if not _missing(connection, table, wanted):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for name in _missing(connection, table, wanted):
            names = {"table": sql.Identifier(table), "partition": _free(connection, table, name)}
            first = wanted[name]
            limits = {"first": sql.Literal(first), "behind": sql.Literal(first + timedelta(days=1))}
            connection.execute(_CREATE.format(**names))
            connection.execute(_ATTACH.format(**names, **limits))


def _missing(connection: psycopg.Connection[Any], table: str, names: Iterable[str]) -> list[str]:
    with connection.transaction():
        return [name for (name,) in connection.execute(_ABSENT, [list(names), table])]


def _free(connection: psycopg.Connection[Any], table: str, name: str) -> sql.Identifier:
    """The name in the table's schema, with the first number that makes it one which nothing has."""
    ((schema_id, schema),) = connection.execute(_SCHEMA, [table])
    taken = {taken for (taken,) in connection.execute(_TAKEN, [schema_id, name, name])}
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    return sql.Identifier(schema, next(each for each in names if each not in taken))
