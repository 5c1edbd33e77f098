"""What the tests of the SQL sink share: records of every topic that it stores, and the rows that are due for them.

Records are made from plain Decimals and written by fastavro and the stock producer, and rows are read by plain psycopg,
so that nothing of the sink's own reading and writing says what it should have done.
"""

import struct
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, LiteralString

import httpx
import psycopg
from confluent_kafka import Producer
from psycopg import sql

from app.database import conninfo
from app.database.partitions import ensure_days
from app.settings import Settings
from app.units import SECOND_NS
from tests.integration.api_kit import BINANCE_BTC, WAIT_S, Fields, Writer, bar

NOON_S = 1_767_268_800  # 2026-01-01T12:00:00Z
CORRUPT_TRADE = b"\xff"
PROTOBUF = 'syntax = "proto3"; message Order { string id = 1; }'
LINGER_MS = 100
"""What is written by one call is one batch, unless it is large."""


def trade(number: int, *, price: str = "100.5", size: str = "0.1", at_s: float = NOON_S) -> Fields:
    """A trade with Decimal amounts."""
    time_ns = int(at_s * SECOND_NS)
    return {
        **BINANCE_BTC,
        "trade_id": str(number),
        "trade_seq": number,
        "price": Decimal(price),
        "size": Decimal(size),
        "aggressor": "buy",
        "event_time_ns": time_ns,
        "receive_time_ns": time_ns + 5,
        "conditions": ["@", 'a "b"\\'],
    }


def gap(first_id: int, last_id: int) -> Fields:
    """A gap in the trades of an instrument."""
    times = {"from_time_ns": NOON_S * SECOND_NS, "to_time_ns": NOON_S * SECOND_NS + 7}
    return {**BINANCE_BTC, "first_missing_id": first_id, "last_missing_id": last_id, **times, "reason": "cut"}


class Tape:
    """Writes to the topics that the sink reads."""

    def __init__(self, settings: Settings, codec: str = "none") -> None:
        self._settings = settings
        self._writer = Writer(settings)
        self._producer = Producer({**settings.kafka_config, "linger.ms": LINGER_MS, "compression.type": codec})

    def trades(self, trades: Sequence[Fields], partition: int = 0) -> None:
        """Write trades as a bridge does."""
        self.raw("trades", [self._writer.value("Trade", fields) for fields in trades], partition)

    def repeat(self, fields: Fields, times: int, partition: int = 0) -> None:
        """Write one trade so many times."""
        self.raw("trades", [self._writer.value("Trade", fields)] * times, partition)

    def gaps(self, gaps: Sequence[Fields]) -> None:
        """Write gaps as a bridge does."""
        self.raw("gaps", [self._writer.value("Gap", fields) for fields in gaps])

    def bars(self, bars: Sequence[Fields], *, commit: bool = True) -> None:
        """Write bars in one transaction, as the fold does."""
        self._writer.flush(bars, commit=commit)

    def corrupt_trade(self, partition: int = 0) -> bytes:
        """Write a record with a trade's schema id and no trade in it; its value."""
        value = self._writer.value("Trade", trade(1))[:5] + CORRUPT_TRADE
        self.raw("trades", [value], partition)
        return value

    def unknown_schema(self, partition: int = 0, schema_id: int = 999_999) -> bytes:
        """Write a record whose schema id nobody registered; its value."""
        value = struct.pack(">bI", 0, schema_id) + b"\0"
        self.raw("trades", [value], partition)
        return value

    def protobuf(self) -> bytes:
        """Write a record of somebody else's, whose registered schema is one of Protobuf; its value."""
        url = f"{self._settings.registry_url}/subjects/somebody-elses/versions"
        schema = {"schema": PROTOBUF, "schemaType": "PROTOBUF"}
        schema_id = httpx.post(url, json=schema, timeout=WAIT_S).raise_for_status().json()["id"]
        value = struct.pack(">bI", 0, schema_id) + b"\0\n\x03abc"
        self.raw("trades", [value])
        return value

    def raw(self, topic: str, values: Sequence[bytes], partition: int = 0) -> None:
        """Write any bytes."""
        for value in values:
            self._producer.produce(self._settings.topic(topic), value, b"binance:BTC-USDT", partition)
        assert self._producer.flush(WAIT_S) == 0


def insert(settings: Settings, table: str, row: Fields) -> None:
    """Insert a row into a table by day, which has a place for that day from then on."""
    names = (sql.SQL(", ").join(map(kind, row)) for kind in (sql.Identifier, sql.Placeholder))
    with psycopg.connect(conninfo(settings), autocommit=True) as connection:
        ensure_days(connection, table, {row["day"]})
        connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(table), *names), row)


class Database:
    """The namespace's database as an analyst sees it."""

    def __init__(self, settings: Settings) -> None:
        url = settings.database_url.replace("+psycopg", "")
        self._address = url

    def rows(self, query: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
        """Rows of a statement; none of one that gives none, or while there is no such database or table."""
        try:
            with psycopg.connect(self._address) as connection:
                done = connection.execute(query)
                return done.fetchall() if done.description else []
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []

    def count(self, table: str) -> int:
        """Rows of a table, 0 while it is not there."""
        return sum(number for (number,) in self.rows(_select([sql.SQL("count(*)")], table)))

    def trades(self) -> dict[str, Fields]:
        """All trades by id."""
        names = ["venue", "instrument", "trade_seq", "price", "size", "aggressor", "event_time_ns", "receive_time_ns"]
        names += ["trade_id", "conditions"]
        rows = self.rows(_select(map(sql.Identifier, names), "trade"))
        return {row[8]: dict(zip(names, row, strict=True)) for row in rows}

    def bars(self, table: str = "bar") -> list[Fields]:
        """All bars of a table by interval, start and revision, as the fields of bar.avsc."""
        rows = self.table(table, list(bar(0, seq=0)))
        return sorted(rows, key=lambda row: (row["interval"], row["start_ns"], row["revision"]))

    def table(self, name: str, columns: Sequence[str]) -> list[Fields]:
        """Some columns of all rows of a table."""
        rows = self.rows(_select(map(sql.Identifier, columns), name))
        return [dict(zip(columns, row, strict=True)) for row in rows]


def _select(columns: Iterable[sql.Composable], table: str) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), sql.Identifier(table))
