"""The API on the real broker and Postgres: stored bars and the topic meet at the stored offset."""

import asyncio
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import psycopg.sql
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from app.partitions import partition_of
from app.settings import Settings
from app.topic_admin import apply
from app.topics import load_topics
from app.units import MINUTE_NS, SECOND_NS
from tests.integration.api_kit import BINANCE_BTC, WAIT_S, Api, Fields, Writer, bar, eventually, serving, shown

TABLES = """
    CREATE TABLE bar (
        venue text, instrument text, interval text, start_ns bigint, day date DEFAULT '1970-01-01',
        open numeric, high numeric, low numeric, close numeric, volume numeric, notional numeric,
        buy_volume numeric, sell_volume numeric, squared_returns numeric,
        trade_count bigint, missing bigint, state text, revision int, generation int, epoch text, seq bigint,
        partition int, first_offset bigint, last_offset bigint, first_trade_id text, last_trade_id text,
        PRIMARY KEY (venue, instrument, interval, start_ns, day));
    CREATE TABLE trade (
        venue text, instrument text, trade_id text, day date DEFAULT '1970-01-01', trade_seq bigint, price numeric,
        size numeric, aggressor text, event_time_ns bigint, receive_time_ns bigint, conditions text[],
        action text, source text,
        partition int, "offset" bigint, PRIMARY KEY (venue, instrument, trade_id, day));
    CREATE TABLE stream_offset (
        topic text, partition int, epoch text, next_offset bigint, PRIMARY KEY (topic, partition));
"""


class Database:
    """Writes rows as the SQL sink does."""

    def __init__(self, connection: psycopg.Connection[Any], settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    def store(self, bars: Iterable[Fields]) -> None:
        """Insert bars."""
        for fields in bars:
            self._insert("bar", fields)

    def drop_bars(self) -> None:
        """Drop what is stored of bars, as retention does with old days."""
        self._connection.execute("TRUNCATE bar")

    def trade(self, number: int, price: str, *conditions: str) -> None:
        """Insert a trade of these conditions."""
        row = {
            "trade_id": str(number),
            "trade_seq": number,
            "price": Decimal(price),
            "size": Decimal("0.5000"),
            "aggressor": "buy",
            "event_time_ns": number * SECOND_NS,
            "receive_time_ns": number * SECOND_NS + 1,
            "conditions": list(conditions),
        }
        self._insert("trade", BINANCE_BTC | row)

    def leave(self) -> None:
        """Be away: nobody can connect any more, and who was connected is put out."""
        server, name = self._settings.postgres_url.replace("+psycopg", ""), self._settings.namespace
        barred = psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(psycopg.sql.Identifier(name))
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s"
        ours = " AND usename = current_user"  # autovacuum is the superuser's
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(barred)
            connection.execute(others + ours, [name, self._connection.info.backend_pid])

    def read_up_to(self, topic: str, next_offset: int, partition: int = 0) -> None:
        """Say how far a partition of a topic is stored."""
        row = {
            "topic": self._settings.topic(topic),
            "partition": partition,
            "epoch": "log-0",
            "next_offset": next_offset,
        }
        self._insert("stream_offset", row)

    def read_on_to(self, topic: str, next_offset: int) -> None:
        """Say that it is stored further."""
        statement = "UPDATE stream_offset SET next_offset = %s WHERE topic = %s"
        self._connection.execute(statement, [next_offset, self._settings.topic(topic)])

    def _insert(self, table: str, row: Fields) -> None:
        columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, row))
        values = psycopg.sql.SQL(", ").join(map(psycopg.sql.Placeholder, row))
        statement = psycopg.sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        self._connection.execute(statement.format(psycopg.sql.Identifier(table), columns, values), row)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    server = settings.postgres_url.replace("+psycopg", "")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        name = psycopg.sql.Identifier(settings.namespace)
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(name))
    with psycopg.connect(f"{server}/{settings.namespace}", autocommit=True) as connection:
        connection.execute(TABLES)
        yield Database(connection, settings)


@pytest.fixture
def writer(settings: Settings) -> Writer:
    apply(settings)
    return Writer(settings)


async def test_the_topic_goes_on_exactly_where_the_stored_bars_end(
    settings: Settings, writer: Writer, database: Database
) -> None:
    writer.flush([bar(0, seq=1, close="1"), bar(60, seq=2, close="2")])  # offsets 0 and 1, 2 is the commit's own
    writer.flush([bar(120, seq=3), bar(60, seq=4, revision=1, close="44")])
    stored = bar(60, seq=2, close="2.000")  # bar 0 is not stored: it must not come from the topic
    database.store([stored])
    database.read_up_to("bars", 3)
    expected = [shown(bar(60, seq=4, revision=1, close="44")), shown(bar(120, seq=3))]
    with serving(settings) as api:
        assert api.bars() == expected
        assert api.get("/readyz").json()["history"] == "postgres"
        async with api.ws() as client:
            assert client.hello["history"] == "postgres"
            assert await client.subscribe() == expected


def test_rest_goes_back_further_than_the_ring(settings: Settings, writer: Writer, database: Database) -> None:
    bars = [bar(60 * number, seq=number) for number in range(700)]
    database.store(bars[:-1])
    writer.flush(bars[-1:])
    with serving(settings) as api:
        assert api.bars(limit=5000) == [shown(fields) for fields in bars]
        assert api.bars(limit=600) == [shown(fields) for fields in bars[100:]]
        assert api.bars(limit=3, end_ns=bars[50]["start_ns"]) == [shown(fields) for fields in bars[47:50]]
        assert api.bars(start_ns=bars[10]["start_ns"], end_ns=bars[12]["start_ns"]) == [
            shown(fields) for fields in bars[10:12]
        ]
        assert api.bars(end_ns=0) == []


def test_the_newest_stored_trades_are_shown_oldest_first(
    settings: Settings, writer: Writer, database: Database
) -> None:
    writer.flush([bar(0, seq=1)])
    database.trade(1, "64001.10")
    database.trade(3, "64003.10", "odd-lot")
    database.trade(2, "64002.10")
    with serving(settings) as api:
        trades = api.get("/api/v1/trades", **BINANCE_BTC, limit=2).json()["trades"]
    assert trades == [
        {
            "trade_id": str(number),
            "price": f"6400{number}.1",
            "size": "0.5",
            "aggressor": "buy",
            "event_time_ns": f"{number}000000000",
            "receive_time_ns": f"{number}000000001",
            "counts_for": counts_for,
        }
        for number, counts_for in ((2, ["open_close", "high_low", "volume"]), (3, ["volume"]))
    ]


async def test_without_postgres_the_bars_of_the_topic_are_served_and_the_api_says_so(
    settings: Settings, writer: Writer
) -> None:
    alone = settings.model_copy(update={"postgres_url": "postgresql+psycopg://livetape@127.0.0.1:1"})
    writer.flush([bar(0, seq=1), bar(60, seq=2)])
    with serving(alone) as api:
        assert api.bars() == [shown(bar(0, seq=1)), shown(bar(60, seq=2))]
        standing = api.get("/readyz")
        assert (standing.status_code, standing.json()["history"]) == (200, "topic")
        assert "127.0.0.1:1" in standing.json()["history_reason"]
        async with api.ws() as client:
            assert client.hello["history"] == "topic"
        trades = api.get("/api/v1/trades", **BINANCE_BTC)
        assert (trades.status_code, trades.json()["error"]["code"]) == (503, "database_unavailable")
        assert refused(api, end_ns=0) == (503, "database_unavailable")
        assert api.bars(start_ns=MINUTE_NS) == [shown(bar(60, seq=2))]


def test_bars_older_than_the_ring_are_refused_while_postgres_is_away(
    settings: Settings, writer: Writer, database: Database
) -> None:
    bars = [bar(60 * number, seq=number) for number in range(600)]
    few = [bar(60 * number, seq=number, interval="5m") for number in range(0, 600, 5)]
    database.store([*bars[:-1], *few])
    writer.flush(bars[-1:])
    with serving(settings) as api:
        eventually(lambda: api.bars(limit=1) == [shown(bars[-1])])
        database.leave()
        assert api.bars(limit=500) == [shown(fields) for fields in bars[100:]]
        assert api.bars(start_ns=bars[590]["start_ns"]) == [shown(fields) for fields in bars[590:]]
        assert api.bars(interval="5m") == [shown(fields) for fields in few]  # memory has all that there are
        assert refused(api, limit=501) == (503, "database_unavailable")
        assert refused(api, limit=1, end_ns=bars[100]["start_ns"]) == (503, "database_unavailable")
        assert refused(api, limit=5000, start_ns=bars[99]["start_ns"]) == (503, "database_unavailable")


def test_bars_that_left_the_ring_and_are_not_stored_yet_are_refused(
    settings: Settings, writer: Writer, database: Database
) -> None:
    bars = [bar(60 * number, seq=number) for number in range(700)]
    starts = [fields["start_ns"] for fields in bars]
    writer.flush(bars)
    with serving(settings) as api:
        database.store(bars[:100])
        assert api.bars(limit=500) == [shown(fields) for fields in bars[200:]]
        assert api.bars(start_ns=starts[97], end_ns=starts[99]) == [shown(fields) for fields in bars[97:99]]
        assert refused(api, limit=501) == (503, "database_unavailable")
        assert refused(api, limit=5000, start_ns=starts[90]) == (503, "database_unavailable")
        assert refused(api, start_ns=starts[90], end_ns=starts[150]) == (503, "database_unavailable")
        assert "is behind" in api.get("/api/v1/bars", **BINANCE_BTC, interval="1m", limit=501).text
        database.store(bars[100:201])
        assert api.bars(limit=5000) == [shown(fields) for fields in bars]


def test_bars_whose_days_were_dropped_are_missed_by_nobody(
    settings: Settings, writer: Writer, database: Database
) -> None:
    bars = [bar(60 * number, seq=number) for number in range(600)]
    fives = [bar(300 * number, seq=number, interval="5m") for number in range(600)]
    writer.flush(bars)  # offsets 0 to 599
    database.store(fives)
    database.read_up_to("bars", 0)
    with serving(settings) as api:
        assert len(api.bars(interval="5m", limit=600)) == 600
        database.drop_bars()
        assert api.bars(interval="5m", limit=600) == [shown(fields) for fields in fives[100:]]
        database.read_on_to("bars", 599)
        assert refused(api, limit=600) == (503, "database_unavailable")
        database.read_on_to("bars", 600)
        assert api.bars(limit=600) == [shown(fields) for fields in bars[100:]]


def test_bars_before_those_that_a_view_began_with_are_refused_until_they_are_stored(
    settings: Settings, writer: Writer, database: Database
) -> None:
    bars = [bar(60 * number, seq=number) for number in range(10)]
    partition = partition_of(b"binance:BTC-USDT", load_topics(settings)["bars"].partitions)
    writer.flush(bars, partition=partition)
    cut(settings, "bars", partition, before=5)
    database.store(bars[:3])
    database.read_up_to("bars", 3, partition)
    with serving(settings) as api:
        assert api.bars(limit=5) == [shown(fields) for fields in bars[5:]]
        assert refused(api, limit=6) == (503, "database_unavailable")
        assert refused(api, end_ns=bars[3]["start_ns"]) == (503, "database_unavailable")
        assert asyncio.run(subscribed(api)) == [shown(fields) for fields in bars[5:]]
        database.store(bars[3:])
        assert refused(api, limit=6) == (503, "database_unavailable")
        database.read_on_to("bars", 11)
        assert api.bars() == [shown(fields) for fields in bars]
        assert api.bars(end_ns=bars[3]["start_ns"]) == [shown(fields) for fields in bars[:3]]


def test_forming_bars_wait_for_nothing_to_be_stored(settings: Settings, writer: Writer, database: Database) -> None:
    stored = [bar(60 * number, seq=number) for number in range(600)]
    database.store(stored)
    with serving(settings) as api:
        forming = [bar(60 * number, seq=1_000 + number) for number in range(600, 1_100)]
        writer.live(*forming)
        eventually(lambda: api.bars(limit=1) == [shown(forming[-1], "forming")])
        expected = [*map(shown, stored), *(shown(fields, "forming") for fields in forming)]
        assert api.bars(limit=5000) == expected


async def subscribed(api: Api) -> list[Fields]:
    """The bars of a snapshot."""
    async with api.ws() as client:
        return await client.subscribe()


def cut(settings: Settings, topic: str, partition: int, *, before: int) -> None:
    """Have a partition of a topic begin later, as retention does."""
    admin = AdminClient(settings.kafka_config)
    (gone,) = admin.delete_records([TopicPartition(settings.topic(topic), partition, before)]).values()
    gone.result(WAIT_S)


def refused(api: Api, **query: int) -> tuple[int, str]:
    """Status and code of a refused request for bars of 1 minute."""
    answer = api.get("/api/v1/bars", **BINANCE_BTC, interval="1m", **query)
    return answer.status_code, answer.json()["error"]["code"]
