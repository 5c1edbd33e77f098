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


def day_of(time_ns: int) -> date:
    """UTC day of a time in nanoseconds since 1970; any that fits a `bigint`."""
    return _EPOCH + timedelta(days=time_ns // _DAY_NS)


def ensure_days(connection: psycopg.Connection[Any], table: str, days: Iterable[date]) -> None:
    """Make the missing partitions of a table, in a transaction of its own; safe for several processes at once.

    A partition is attached rather than created in its place: that locks out neither readers nor writers of the table.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for day in sorted(days):
            name = f"{table}_{day:%Y%m%d}"
            if connection.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,):
                continue
            names = {"table": sql.Identifier(table), "partition": sql.Identifier(name)}
            limits = {"first": sql.Literal(day), "behind": sql.Literal(day + timedelta(days=1))}
            connection.execute(_CREATE.format(**names))
            connection.execute(_ATTACH.format(**names, **limits))
