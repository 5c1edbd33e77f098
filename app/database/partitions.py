"""Partitions by UTC day, made when the first row of a day comes."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import sql

LOCK: Final = 0x6C74_6461  # any number that every process agrees on
_DAY_NS: Final = 86_400 * 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).date()

_CREATE = sql.SQL("CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
_ATTACH = sql.SQL("ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({first}) TO ({behind})")

# By a look at the catalogue itself: to_regclass may answer from a cache that is older than the lock.
_ABSENT: Final = """
    SELECT name FROM unnest(%s::text[]) AS name
    WHERE NOT EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = current_schema()::regnamespace)
"""


def day_of(time_ns: int) -> date:
    """UTC day of a time in nanoseconds since 1970; any that fits a `bigint`."""
    return _EPOCH + timedelta(days=time_ns // _DAY_NS)


def ensure_days(connection: psycopg.Connection[Any], table: str, days: Iterable[date]) -> None:
    """Make the missing partitions of a table, in a transaction of its own; safe for several processes at once.

    A partition is attached rather than created in its place: that locks out neither readers nor writers of the table.
    """
    wanted = {f"{table}_{day:%Y%m%d}": day for day in sorted(days)}
    if not _missing(connection, wanted):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for name in _missing(connection, wanted):
            names = {"table": sql.Identifier(table), "partition": sql.Identifier(name)}
            first = wanted[name]
            limits = {"first": sql.Literal(first), "behind": sql.Literal(first + timedelta(days=1))}
            connection.execute(_CREATE.format(**names))
            connection.execute(_ATTACH.format(**names, **limits))


def _missing(connection: psycopg.Connection[Any], names: Iterable[str]) -> list[str]:
    with connection.transaction():
        return [name for (name,) in connection.execute(_ABSENT, [list(names)])]
