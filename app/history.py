"""What Postgres holds, for the view's start and for what is older than its rings.

A slow or absent database costs its own answers only: it is asked with a short timeout, and left alone for a while
after nobody answered. What a server refuses, or breaks off since it takes too long, is one question: all others are
still asked.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import UndefinedTable
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, TextClause, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.aggregate_bars import READ, from_row
from app.aggregates import Declared, load_aggregates
from app.bars import Bar, Instrument, SeriesKey
from app.settings import Settings

log = logging.getLogger(__name__)

CONNECT_S = 2
STATEMENT_MS = 10_000
ANSWER_S = 12.0
"""How long an answer is waited for: longer than a server that is there takes to break a statement off."""
LEFT_ALONE_S = 5.0
"""How long an absent database is not asked again."""
INTERVAL_S = 0.1
"""How often psycopg looks up from waiting."""
CHUNK = 1_000
GONE = ("08", "57P01", "57P02", "57P03")
"""How the codes of errors begin by which a server tells that it stops, crashed, starts or lost the connection."""

BAR_COLUMNS = (
    *("venue", "instrument", "interval", "start_ns", "open", "high", "low", "close", "volume", "buy_volume"),
    *("sell_volume", "notional", "squared_returns", "trade_count", "missing", "state", "revision", "seq", "epoch"),
    *("generation", "first_trade_id", "last_trade_id"),
)


def _newest_bars(table: str, columns: str) -> TextClause:
    """Jumps from one series to the next in the key's index: DISTINCT would read the whole table."""
    return text(f"""
        WITH RECURSIVE series AS (
            (SELECT venue, instrument, interval FROM {table} ORDER BY venue, instrument, interval LIMIT 1)
            UNION ALL
            SELECT later.* FROM series, LATERAL (
                SELECT venue, instrument, interval FROM {table} AS bar
                WHERE (bar.venue, bar.instrument, bar.interval) > (series.venue, series.instrument, series.interval)
                ORDER BY venue, instrument, interval LIMIT 1
            ) AS later
        )
        SELECT newest.* FROM series, LATERAL (
            SELECT {columns} FROM {table} AS bar
            WHERE (bar.venue, bar.instrument, bar.interval) = (series.venue, series.instrument, series.interval)
            ORDER BY start_ns DESC LIMIT :depth
        ) AS newest
    """)  # noqa: S608 - names of tables and columns only, checked where they are declared


def _older_bars(table: str, columns: str) -> TextClause:
    return text(f"""
        SELECT {columns} FROM {table}
        WHERE venue = :venue AND instrument = :instrument AND interval = :interval
          AND start_ns >= :start_ns AND start_ns < :end_ns
        ORDER BY start_ns DESC LIMIT :limit
    """)  # noqa: S608 - as above


def _bars_from(table: str) -> TextClause:
    return text(f"""
        SELECT EXISTS (
            SELECT FROM {table}
            WHERE venue = :venue AND instrument = :instrument AND interval = :interval AND start_ns >= :end_ns
        )
    """)  # noqa: S608 - as above


class _Stored(NamedTuple):
    """Where the bars of a channel are stored, and how a row becomes one."""

    channel: str
    table: str
    columns: tuple[str, ...]
    bar: Callable[[Mapping[str, Any]], Bar]

    def selected(self, present: Container[str]) -> str:
        """Its columns in SQL; one that the table gets only when the sink meets the new field has no value yet."""
        return ", ".join(f'"{name}"' if name in present else f'NULL AS "{name}"' for name in self.columns)


NEWEST_TRADES = text("""
    SELECT trade_id, price, size, aggressor, event_time_ns, receive_time_ns, conditions FROM trade
    WHERE venue = :venue AND instrument = :instrument
    ORDER BY event_time_ns DESC, trade_seq DESC NULLS LAST, "offset" DESC LIMIT :limit
""")
COLUMNS = text("""
    SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
""")
OFFSETS = text("SELECT topic, partition, next_offset FROM stream_offset")

T = TypeVar("T")


class _Connection(psycopg.Connection[Any]):
    """One that ends when an answer does not come: a frozen server's machine acknowledges all that is sent to it."""

    def wait(self, gen: PQGen[T], interval: float = INTERVAL_S, timeout: float | None = None) -> T:
        """Let psycopg ask one thing of the server; raise OperationalError where it does not answer in time."""
        try:
            return super().wait(gen, interval, ANSWER_S if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.info.transaction_status is TransactionStatus.ACTIVE:  # it was not the server who told of an error
                self.close()
            raise


Take = Callable[[list[tuple[SeriesKey, Bar]]], None]
Positions = Mapping[tuple[str, int], int]
"""Next offset by (topic name without namespace, partition)."""


class HistoryUnavailable(Exception):
    """Postgres did not answer, or does not have all of it yet; the message says where and why."""


class _NoneShown(Exception):
    """A table has rows, and none of the first can be shown."""


class History:
    """Reads the namespace's database; connects on first use. Its methods wait: call them outside the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: Engine = create_engine(
            settings.database_url,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_S, "options": f"-c statement_timeout={STATEMENT_MS}"},
        )
        event.listen(self._engine, "do_connect", _connect)
        bars = _Stored("bars", "bar", BAR_COLUMNS, Bar.stored)
        self._stored = {each.channel: each for each in (bars, *map(_stored, load_aggregates(settings)))}
        self.is_away = False
        """Whether it did not answer when it was asked last."""
        self._left_alone_until = 0.0
        self._reason = ""

    def load(self, depth: int, take: Take, goes_on: Callable[[], bool]) -> Positions:
        """Hand out the newest `depth` bars of every series in chunks; the offsets from which the topics go on.

        Both are one snapshot of the database. An aggregate whose table cannot be read has no offsets: what its topic
        holds has to do. It ends early when `goes_on` no longer says so.

        Raises:
            HistoryUnavailable: what was handed out by then is true, but not all.
        """
        with self._snapshot() as connection:
            positions = self._positions(connection)
            for stored in self._stored.values():
                try:
                    with connection.begin_nested():
                        if not _hand_out(connection, stored, depth, take, goes_on):
                            return positions
                except (SQLAlchemyError, _NoneShown) as error:
                    if stored is self._stored["bars"] or _is_away(error):
                        raise
                    log.warning("no history of %s: %s", stored.channel, _first_line(error))
                    positions = {place: after for place, after in positions.items() if place[0] != stored.channel}
        return positions

    def bars(
        self, key: SeriesKey, start_ns: int, end_ns: int, limit: int, *, read_up_to: Positions, needed: Positions
    ) -> list[Bar]:
        """The newest `limit` bars that start in [start_ns, end_ns), oldest first; raise HistoryUnavailable.

        `read_up_to` says behind which position of the topics no final bar of the series is known. Until they are stored
        up to there some may be missing, unless one at `end_ns` or later is stored: a series is stored in its order. So
        may some before the topics are stored up to the `needed` positions.
        """
        stored = self._stored[key.channel]
        wanted: dict[str, str | int] = {"venue": key.venue, "instrument": key.instrument, "interval": key.interval}
        wanted |= {"start_ns": start_ns, "end_ns": end_ns, "limit": limit}
        with self._snapshot() as connection:
            columns = _columns_of(connection, stored)
            stored_up_to = self._positions(connection) if needed or read_up_to else {}
            if _is_behind(stored_up_to, needed):
                raise HistoryUnavailable(f"{self._where()}, is behind: what the topics had is still to be stored")
            is_behind = _is_behind(stored_up_to, read_up_to)
            if is_behind and not (columns and connection.scalar(_bars_from(stored.table), wanted)):
                raise HistoryUnavailable(f"{self._where()}, is behind: the bars that follow are still to be stored")
            if not columns:
                return []
            rows = connection.execute(_older_bars(stored.table, stored.selected(columns)), wanted).mappings().all()
        return [bar for _, bar in _shown(stored, reversed(rows), may_be_none=True)]

    def trades(self, key: Instrument, limit: int) -> list[Mapping[str, Any]]:
        """The newest `limit` trades, oldest first, as rows of the table `trade`; raise HistoryUnavailable."""
        with self._snapshot() as connection:
            rows = connection.execute(NEWEST_TRADES, {**key._asdict(), "limit": limit}).mappings().all()
        return [dict(row) for row in reversed(rows)]

    async def watch(self) -> None:
        """Ask a database that is away for ever, so that it is known to be back though nobody needs anything of it."""
        while True:
            await asyncio.sleep(LEFT_ALONE_S)
            if self.is_away:
                with suppress(HistoryUnavailable):
                    await asyncio.to_thread(self._ask)

    def _ask(self) -> None:
        with self._snapshot() as connection:
            columns = _columns_of(connection, self._stored["bars"])
        self.is_away = not columns  # the sink makes the database first

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        if time.monotonic() < self._left_alone_until:
            raise HistoryUnavailable(self._reason)
        try:
            with self._engine.connect() as connection:
                yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                self.is_away = False
        except (SQLAlchemyError, _NoneShown) as error:
            reason = f"{self._where()}: {_first_line(error)}"
            self.is_away = _is_away(error)
            if self.is_away:
                self._reason, self._left_alone_until = reason, time.monotonic() + LEFT_ALONE_S
            raise HistoryUnavailable(reason) from error

    def _positions(self, connection: Connection) -> Positions:
        prefix = f"{self._settings.namespace}."
        rows = connection.execute(OFFSETS)
        return {(row.topic.removeprefix(prefix), row.partition): row.next_offset for row in rows}

    def _where(self) -> str:
        return f"Postgres at {self._engine.url.host}:{self._engine.url.port}, database {self._engine.url.database}"


def _connect(_dialect: object, _record: object, arguments: list[Any], parameters: dict[str, Any]) -> _Connection:
    """Connect in SQLAlchemy's place."""
    return _Connection.connect(*arguments, **parameters)


def _is_away(error: Exception) -> bool:
    """Whether no other question would be answered either: nobody is there, or the sink has not made the tables yet."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    if error.connection_invalidated or isinstance(error.orig, UndefinedTable):
        return True
    state = getattr(error.orig, "sqlstate", None)  # none where it was no server that told of it
    return isinstance(error, OperationalError | InterfaceError) and (state is None or state.startswith(GONE))


def _is_behind(stored: Positions, wanted: Positions) -> bool:
    return any(stored.get(place, -1) < position for place, position in wanted.items())


def _stored(declared: Declared) -> _Stored:
    columns = (*READ, *(field.name for field in declared.fields))
    return _Stored(declared.topic, declared.table, columns, partial(from_row, declared))


def _hand_out(connection: Connection, stored: _Stored, depth: int, take: Take, goes_on: Callable[[], bool]) -> bool:
    """Hand out the newest `depth` bars of every series of a channel in chunks; whether it went on to the last."""
    columns = _columns_of(connection, stored)
    if not columns:
        return True
    newest = _newest_bars(stored.table, stored.selected(columns))
    some_shown = False
    with connection.execute(newest, {"depth": depth}, execution_options={"stream_results": True}) as rows:
        for chunk in rows.mappings().partitions(CHUNK):  # of a statement that is text, `yield_per` would be forgotten
            if not goes_on():
                return False
            take(_shown(stored, chunk, may_be_none=some_shown))
            some_shown = True
    return True


def _shown(stored: _Stored, rows: Iterable[Mapping[Any, Any]], *, may_be_none: bool) -> list[tuple[SeriesKey, Bar]]:
    """Rows as bars, but for those that have an amount which nobody can write down.

    Raises:
        _NoneShown: that is so of all of them, and may not be.
    """
    shown: list[tuple[SeriesKey, Bar]] = []
    flaws: list[str] = []
    for row in rows:
        key = _key(row, stored.channel)
        try:
            shown.append((key, stored.bar(dict(row))))
        except (ValueError, ArithmeticError, TypeError) as error:  # of a field whose column has another type, too
            flaws.append(f"{key}: {error}")
    if flaws and not shown and not may_be_none:
        raise _NoneShown(f"none of {len(flaws)} rows of {stored.table} can be shown, as {flaws[0]}")
    if flaws:
        log.warning("%d rows of %s cannot be shown, as %s", len(flaws), stored.table, flaws[0])
    return shown


def _columns_of(connection: Connection, stored: _Stored) -> frozenset[str]:
    """What the channel's table has; nothing of an aggregate that no sink has met yet."""
    return frozenset(connection.scalars(COLUMNS, {"table": stored.table}))


def _key(row: Mapping[Any, Any], channel: str) -> SeriesKey:
    return SeriesKey(row["venue"], row["instrument"], row["interval"], channel)


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0]
