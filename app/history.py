"""What Postgres holds, for the view's start and for what is older than its rings.

A slow or absent database costs its own answers only: it is asked with a short timeout, and left alone for a while
after it did not answer.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.bars import Bar, Instrument, SeriesKey
from app.settings import Settings

CONNECT_S = 2
STATEMENT_MS = 10_000
REST_S = 5.0
"""How long an absent database is not asked again."""
CHUNK = 1_000

BAR_COLUMNS = """
    venue, instrument, interval, start_ns, open, high, low, close, volume, buy_volume, sell_volume, notional,
    squared_returns, trade_count, missing, state, revision, seq, epoch, generation, first_trade_id, last_trade_id
"""

# Jumps from one series to the next in the key's index: DISTINCT would read the whole table.
NEWEST_BARS = text(f"""
    WITH RECURSIVE series AS (
        (SELECT venue, instrument, interval FROM bar ORDER BY venue, instrument, interval LIMIT 1)
        UNION ALL
        SELECT later.* FROM series, LATERAL (
            SELECT venue, instrument, interval FROM bar
            WHERE (bar.venue, bar.instrument, bar.interval) > (series.venue, series.instrument, series.interval)
            ORDER BY venue, instrument, interval LIMIT 1
        ) AS later
    )
    SELECT newest.* FROM series, LATERAL (
        SELECT {BAR_COLUMNS} FROM bar
        WHERE (bar.venue, bar.instrument, bar.interval) = (series.venue, series.instrument, series.interval)
        ORDER BY start_ns DESC LIMIT :depth
    ) AS newest
""")  # noqa: S608 - made of this module's constants only
OLDER_BARS = text(f"""
    SELECT {BAR_COLUMNS} FROM bar
    WHERE venue = :venue AND instrument = :instrument AND interval = :interval
      AND start_ns >= :start_ns AND start_ns < :end_ns
    ORDER BY start_ns DESC LIMIT :limit
""")  # noqa: S608 - as above
NEWEST_TRADES = text("""
    SELECT venue, instrument, trade_id, price, size, aggressor, event_time_ns, receive_time_ns FROM trade
    WHERE venue = :venue AND instrument = :instrument
    ORDER BY event_time_ns DESC, trade_seq DESC NULLS LAST, "offset" DESC LIMIT :limit
""")
OFFSETS = text("SELECT topic, partition, next_offset FROM stream_offset")

Positions = Mapping[tuple[str, int], int]
"""Next offset by (topic name without namespace, partition)."""


class HistoryUnavailable(Exception):
    """Postgres did not answer; the message says where and why."""


class History:
    """Reads the namespace's database; connects on first use. Its methods wait: call them outside the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine = create_engine(
            settings.database_url,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_S, "options": f"-c statement_timeout={STATEMENT_MS}"},
        )
        self._rests_until = 0.0
        self._reason = ""

    def load(self, depth: int, take: Callable[[list[tuple[SeriesKey, Bar]]], None]) -> Positions:
        """Hand out the newest `depth` bars of every series in chunks; the offsets from which the topics go on.

        Both are one snapshot of the database.

        Raises:
            HistoryUnavailable: what was handed out by then is true, but not all.
        """
        with self._snapshot() as connection:
            rows = connection.execute(OFFSETS)
            prefix = f"{self._settings.namespace}."
            positions = {(row.topic.removeprefix(prefix), row.partition): row.next_offset for row in rows}
            bars = connection.execution_options(yield_per=CHUNK).execute(NEWEST_BARS, {"depth": depth})
            for chunk in bars.mappings().partitions():
                take(
                    [
                        (SeriesKey(row["venue"], row["instrument"], row["interval"]), Bar.stored(dict(row)))
                        for row in chunk
                    ]
                )
        return positions

    def bars(self, key: SeriesKey, start_ns: int, end_ns: int, limit: int) -> list[Bar]:
        """The newest `limit` bars that start in [start_ns, end_ns), oldest first; raise HistoryUnavailable."""
        wanted = {**key._asdict(), "start_ns": start_ns, "end_ns": end_ns, "limit": limit}
        with self._snapshot() as connection:
            rows = connection.execute(OLDER_BARS, wanted).mappings().all()
        return [Bar.stored(dict(row)) for row in reversed(rows)]

    def trades(self, key: Instrument, limit: int) -> list[Mapping[str, Any]]:
        """The newest `limit` trades, oldest first, as rows of the table `trade`; raise HistoryUnavailable."""
        with self._snapshot() as connection:
            rows = connection.execute(NEWEST_TRADES, {**key._asdict(), "limit": limit}).mappings().all()
        return [dict(row) for row in reversed(rows)]

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        if time.monotonic() < self._rests_until:
            raise HistoryUnavailable(self._reason)
        try:
            with self._engine.connect() as connection:
                yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        except SQLAlchemyError as error:
            self._reason = f"{self._where()}: {_first_line(error)}"
            self._rests_until = time.monotonic() + REST_S
            raise HistoryUnavailable(self._reason) from error

    def _where(self) -> str:
        return f"Postgres at {self._engine.url.host}:{self._engine.url.port}, database {self._engine.url.database}"


def _first_line(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0]
