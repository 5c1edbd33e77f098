"""The database on a real Postgres: migrations make exactly the tables that the code declares."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from app import database
from app.aggregates import declared
from app.database import conninfo, migrate
from app.database.aggregate_tables import aggregate_table, make_tables
from app.database.partitions import day_of, ensure_days
from app.database.tables import BY_DAY, metadata
from app.settings import PROJECT, Settings
from app.units import DAY_NS
from tests.unit.app.aggregates.test_declaration import Everything

NEW_YEAR = date(2026, 1, 1)
CANCELLATION: LiteralString = """
    INSERT INTO trade_correction VALUES
    (%s, %s, 'binance', 'BTC-USDT', 'cancel', '1', '1', 1, 1, 1, 'buy', 0, 0, '{}', 'live')
"""


def migrate_to(settings: Settings, revision: str) -> None:
    """The tables as a release of before made them."""
    database._create_database(settings)
    engine = create_engine(settings.database_url, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "app" / "database" / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_processes_that_migrate_at_once_and_again_make_the_tables_once(settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(migrate, settings) for _ in range(4)]:
            done.result()
    migrate(settings)
    engine = create_engine(settings.database_url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
            keys = {
                name: inspect(connection).get_pk_constraint(name)["constrained_columns"] for name in metadata.tables
            }
            assert keys == {name: table.primary_key.columns.keys() for name, table in metadata.tables.items()}
    finally:
        engine.dispose()


def test_the_tables_of_a_newer_release_stay_as_they_are(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    migrate(settings)
    with psycopg.connect(conninfo(settings)) as connection:
        connection.execute("ALTER TABLE gap ADD COLUMN of_a_newer_release text")
        connection.execute("UPDATE alembic_version SET version_num = 'newer'")
    migrate(settings)
    assert "of a newer release" in caplog.text
    with psycopg.connect(conninfo(settings)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("newer",)]
        assert connection.execute("SELECT of_a_newer_release FROM gap").fetchall() == []


def takes_away(migration: str) -> bool:
    """Whether an older sink could not write to the tables any more, by what the migration's text has."""
    needed = any(
        "nullable=False" in each and "server_default" not in each for each in migration.split("add_column")[1:]
    )
    changes = r"drop_|alter_column|rename_table|create_(primary_key|unique_|check_|foreign_key)|unique=True"
    return needed or re.search(rf"{changes}|(?i:\b(drop|rename|set not null)\b)", migration) is not None


def test_each_migration_behind_0007_only_adds_what_older_sinks_need_not_know() -> None:
    texts = {file.name: file.read_text() for file in (PROJECT / "app/database/migrations/versions").glob("[0-9]*.py")}
    assert [name for name, text in texts.items() if name[:4] > "0007" and takes_away(text)] == []
    assert takes_away(texts["0006_epochs_of_offsets.py"])
    assert not takes_away(texts["0005_times_of_trades.py"])


def test_rows_of_before_are_of_the_topic_that_is_stored_as_far_as_it_is(settings: Settings) -> None:
    """What is behind that is of a topic before, whose offsets come again."""
    migrate_to(settings, "0005")
    with psycopg.connect(conninfo(settings)) as connection:
        for topic in ("trades", "gaps"):
            stored = [f"{settings.namespace}.{topic}", f"id of {topic}"]
            connection.execute("INSERT INTO stream_offset VALUES (%s, 1, %s, 5)", stored)
        for at in ((1, 4), (1, 5), (2, 4)):
            connection.execute("INSERT INTO gap VALUES (%s, %s, 'binance', 'BTC-USDT', NULL, NULL, 0, 0, 'cut')", at)
            connection.execute(CANCELLATION, at)
            dead = [f"{settings.namespace}.gaps", *at]
            connection.execute("INSERT INTO dead_letter VALUES (%s, %s, %s, 'bad')", dead)
    migrate(settings)
    with psycopg.connect(conninfo(settings)) as connection:
        for table, topic in (("gap", "gaps"), ("dead_letter", "gaps"), ("trade_correction", "trades")):
            query = sql.SQL('SELECT partition, "offset", epoch FROM {} ORDER BY 1, 2').format(sql.Identifier(table))
            assert connection.execute(query).fetchall() == [(1, 4, f"id of {topic}"), (1, 5, ""), (2, 4, "")]


def test_a_field_of_an_aggregate_may_be_null_where_a_table_was_made_otherwise(settings: Settings) -> None:
    migrate(settings)
    everything = declared(Everything)
    engine = create_engine(settings.database_url, poolclass=NullPool)
    table = aggregate_table(everything).name
    with engine.begin() as connection:
        make_tables(connection, [everything])
        connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN spread SET NOT NULL"))  # as it was before
        make_tables(connection, [everything])
        nullable = {column["name"]: column["nullable"] for column in inspect(connection).get_columns(table)}
    assert (nullable["spread"], nullable["size"], nullable["seq"]) == (True, True, False)


def test_the_column_of_a_new_field_says_what_it_is(settings: Settings) -> None:
    migrate(settings)
    everything = declared(Everything)
    engine = create_engine(settings.database_url, poolclass=NullPool)
    table = aggregate_table(everything)
    with engine.begin() as connection:
        make_tables(connection, [everything])
        connection.execute(text(f"ALTER TABLE {table.name} DROP COLUMN spread"))  # as it was before its field
        make_tables(connection, [everything])
        comments = {column["name"]: column["comment"] for column in inspect(connection).get_columns(table.name)}
    assert comments == {column.name: column.comment for column in table.columns}
    assert comments["spread"]


def test_a_day_has_one_partition_whoever_makes_it(settings: Settings) -> None:
    migrate(settings)

    def make() -> None:
        with psycopg.connect(conninfo(settings)) as connection:
            for table in BY_DAY:
                ensure_days(connection, table.name, {NEW_YEAR})

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(make) for _ in range(4)]:
            done.result()
    with psycopg.connect(conninfo(settings)) as connection:
        found = connection.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'bar'::regclass")
        assert found.fetchall() == [("bar_20260101",)]


def test_a_day_that_was_detached_and_kept_is_made_anew_beside_it(settings: Settings) -> None:
    migrate(settings)
    with psycopg.connect(conninfo(settings)) as connection:
        for name in ("bar_20260101", "bar_20260101_2"):
            ensure_days(connection, "bar", {NEW_YEAR})
            connection.execute(sql.SQL("ALTER TABLE bar DETACH PARTITION {}").format(sql.Identifier(name)))
        for _ in range(2):
            ensure_days(connection, "bar", {NEW_YEAR})
        assert partitions_of_bar(connection) == ["bar_20260101_3"]


def test_a_schema_of_the_role_s_own_name_hides_no_partition_and_gets_none(settings: Settings) -> None:
    migrate(settings)
    with psycopg.connect(conninfo(settings)) as connection:
        ensure_days(connection, "bar", {NEW_YEAR})
        connection.execute("CREATE SCHEMA AUTHORIZATION CURRENT_USER")
        ensure_days(connection, "bar", {NEW_YEAR, NEW_YEAR + timedelta(days=1)})
        assert connection.execute("SELECT current_schema() = current_user").fetchall() == [(True,)]
        connection.execute("SET search_path = pg_catalog")
        assert partitions_of_bar(connection) == ["public.bar_20260101", "public.bar_20260102"]


def partitions_of_bar(connection: psycopg.Connection[Any]) -> list[str]:
    """As the search path has one name them."""
    query = "SELECT relid::text FROM pg_partition_tree('public.bar') WHERE isleaf ORDER BY 1"
    return [name for (name,) in connection.execute(query)]


def test_the_analysts_view_has_what_is_derived_and_the_start_as_a_time(settings: Settings) -> None:
    migrate(settings)
    start_ns = 1_767_225_600_000_000_000
    with psycopg.connect(conninfo(settings)) as connection:
        ensure_days(connection, "bar", {NEW_YEAR})
        connection.execute(
            """
            INSERT INTO bar SELECT 'binance', instrument, '1s', %s, %s, 1, 1, 1, 1, volume, 2, 1, NULL, 'final', 0, 0,
                'log-0', 1, 0, 1, 1, '1', '1', buy, sell, squared
            FROM (VALUES ('BTC-USDT', 3, 1, 2, 0.0002), ('ETH-USDT', 0, 0, 0, 0),
                ('SOL-USDT', 0.000003, 0.000003, 0, 1e-28), ('XRP-USDT', 3, NULL, NULL, NULL)
            ) AS of (instrument, volume, buy, sell, squared)
            """,
            [start_ns, NEW_YEAR],
        )
        rows = connection.execute(
            "SELECT vwap, order_flow_imbalance, realised_volatility, start_time FROM bar_vwap ORDER BY instrument"
        ).fetchall()
    two_thirds = Decimal("0.666666666666666667")
    assert [vwap for vwap, *_ in rows] == [two_thirds, None, Decimal("666666.666666666666666667"), two_thirds]
    assert [imbalance for _, imbalance, *_ in rows] == [Decimal("-0.333333333333333333"), None, Decimal(1), None]
    assert [volatility for *_, volatility, _ in rows] == [Decimal("0.014142135623730950"), 0, Decimal("1e-14"), None]
    assert rows[0][3].isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("time_ns", "day"),
    [
        (0, date(1970, 1, 1)),
        (-1, date(1969, 12, 31)),
        (DAY_NS - 1, date(1970, 1, 1)),
        (DAY_NS, date(1970, 1, 2)),
        (2**63 - 1, date(2262, 4, 11)),
        (-(2**63), date(1677, 9, 21)),
    ],
)
def test_the_day_is_the_utc_day_of_the_time(time_ns: int, day: date) -> None:
    assert day_of(time_ns) == day
