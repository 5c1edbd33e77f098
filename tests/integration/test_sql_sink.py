"""What is in the topics is in the tables: each record once, amounts exact, whatever happens to the sink meanwhile."""

import asyncio
import random
import string
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg.sql
import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from faust.types import TP

from agents.sink import writer
from agents.sink.patience import patiently
from agents.sink.rows import Row, Rows
from agents.sink.writer import Pending, SqlWriter, _ensure_days
from app import topic_admin
from app.database import migrate
from app.kafka_admin import admin_client
from app.settings import Settings
from app.units import SECOND_NS
from tests.integration.api_kit import WAIT_S, bar, eventually
from tests.integration.broker_files import damage
from tests.integration.fold_kit import make_anew, read
from tests.integration.sql_kit import NOON_S, Database, Tape, gap, trade
from tests.parts import Part, running

NEW_YEAR = date(2026, 1, 1)


@pytest.fixture
def tape(settings: Settings) -> Tape:
    topic_admin.apply(settings)
    return Tape(settings)


def random_text(length: int) -> str:
    """Text that does not compress: Postgres would squeeze any other into an index after all."""
    chance = random.Random(length)  # noqa: S311 - no secret
    return "".join(chance.choices(string.ascii_letters, k=length))


def stored(sink: Part, database: Database, **counts: int) -> None:
    """Wait until the tables have so many rows."""
    eventually(
        lambda: all(database.count(table) == count for table, count in counts.items()),
        lambda: f"{ {table: database.count(table) for table in counts} }\n{sink.printed}",
    )


def cut_off(topic: str, settings: Settings) -> None:
    """Delete all records that a topic has, as retention does."""
    admin = admin_client(settings)
    partitions = admin.list_topics(topic, WAIT_S).topics[topic].partitions
    for cut in admin.delete_records([TopicPartition(topic, number, OFFSET_END) for number in partitions]).values():
        cut.result(WAIT_S)


def test_trades_bars_and_gaps_are_stored_as_they_are(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    trades = [trade(1), trade(2, price="0.000000000000000001", size="99999999999999999999"), trade(3)]
    bars = [bar(NOON_S, seq=3), bar(NOON_S, seq=3, interval="1s"), bar(NOON_S + 60, seq=7, close="1e-18")]
    tape.trades(trades)
    tape.bars(bars)
    of_any = {**gap(0, 0), "instrument": "*", "first_missing_id": None, "last_missing_id": None}
    tape.gaps([gap(4, 9), of_any])
    with running("sink", settings) as sink:
        stored(sink, database, trade=3, bar=3, bar_revision=3, gap=2)
    assert database.trades() == {fields["trade_id"]: fields for fields in trades}
    assert database.bars() == [bars[0], bars[2], bars[1]]
    gaps = database.rows("SELECT instrument, first_missing_id, last_missing_id, reason FROM gap ORDER BY 2")
    assert gaps == [(trades[0]["instrument"], 4, 9, "cut"), ("*", None, None, "cut")]


def test_corrections_and_cancellations_are_beside_the_trades_that_they_are_about(
    settings: Settings, tape: Tape
) -> None:
    database = Database(settings)
    corrected = trade(2, price="99") | {"action": "correct", "refers_to": "2"}
    cancelled = trade(1, price="0", size="0") | {"action": "cancel", "refers_to": "1"}
    tape.trades([trade(1), trade(2), corrected, cancelled])
    with running("sink", settings) as sink:
        stored(sink, database, trade=2, trade_correction=2, dead_letter=0)
    assert [fields["price"] for fields in database.trades().values()] == [Decimal("100.5"), Decimal("100.5")]
    query = 'SELECT "offset", action, refers_to, trade_id, price FROM trade_correction ORDER BY "offset"'
    assert database.rows(query) == [(2, "correct", "2", "2", Decimal(99)), (3, "cancel", "1", "1", Decimal(0))]


def test_a_trade_delivered_twice_is_stored_once(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    tape.trades([trade(1), trade(1), trade(2)])
    with running("sink", settings) as sink:
        stored(sink, database, trade=2)
        tape.trades([trade(2), trade(3)])
        stored(sink, database, trade=3)
    assert list(database.trades()) == ["1", "2", "3"]


def test_the_table_of_bars_has_the_last_revision_and_bar_revision_all_of_them(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    versions = [bar(NOON_S, seq=seq, close=str(seq), revision=revision) for revision, seq in enumerate((5, 8, 13, 21))]
    tape.bars(versions[:2])
    with running("sink", settings) as sink:
        stored(sink, database, bar_revision=2)
        assert database.bars() == [versions[1]]
        tape.bars(versions[2:])
        stored(sink, database, bar_revision=4)
    assert database.bars() == [versions[3]]
    assert database.bars("bar_revision") == versions


def test_what_the_fold_did_not_commit_is_not_stored(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    tape.bars([bar(NOON_S, seq=1)], commit=False)
    tape.bars([bar(NOON_S + 60, seq=2)])
    with running("sink", settings) as sink:
        stored(sink, database, bar=1)
    assert [fields["seq"] for fields in database.bars()] == [2]


def test_a_sink_that_starts_again_goes_on_where_the_database_is(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    tape.trades([trade(1)], partition=2)
    with running("sink", settings) as sink:
        stored(sink, database, trade=1)
        assert sink.stop() == 0
    assert database.rows("SELECT next_offset FROM stream_offset WHERE topic LIKE '%.trades' AND partition = 2") == [
        (1,)
    ]
    tape.trades([trade(2)], partition=2)
    with running("sink", settings) as sink:
        stored(sink, database, trade=2)


def test_a_sink_stores_again_what_a_database_lost_that_it_had_committed(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    tape.trades([trade(1)])
    with running("sink", settings) as sink:
        stored(sink, database, trade=1)
        kept = database.rows("SELECT max(next_offset) FROM stream_offset WHERE topic LIKE '%.trades' AND partition = 0")
        tape.trades([trade(2), trade(3)])
        stored(sink, database, trade=3)
        went_back = psycopg.sql.SQL(
            "WITH lost AS (DELETE FROM trade WHERE trade_id <> '1') UPDATE stream_offset SET next_offset = {} "
            "WHERE topic LIKE '%.trades' AND partition = 0"
        )
        database.rows(went_back.format(psycopg.sql.Literal(kept[0][0])))
        tape.trades([trade(4)])
        stored(sink, database, trade=4)
    assert sorted(database.trades()) == ["1", "2", "3", "4"]


def test_what_is_no_row_becomes_a_dead_letter_and_nothing_else_stops(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    in_2099 = trade(4, at_s=4_070_908_800) | {"receive_time_ns": NOON_S * SECOND_NS}
    values = [tape.corrupt_trade(), tape.unknown_schema(), tape.unknown_schema(schema_id=2**32 - 1), tape.protobuf()]
    tape.trades([trade(3, price="0"), in_2099, trade(5) | {"trade_id": "5\0"}, trade(5) | {"conditions": ["\0"]}])
    tape.trades([trade(5) | {"trade_id": random_text(3_000)}])
    tape.trades([trade(5) | {"action": "cancel", "refers_to": random_text(3_000)}])
    tape.raw("trades", [b""])
    tape.trades([trade(6)])
    with running("sink", settings) as sink:
        stored(sink, database, trade=1, dead_letter=11)
        eventually(lambda: sink.printed.count("dead letter:") == 11, lambda: sink.printed)
    letters = database.rows('SELECT "offset", reason, value FROM dead_letter ORDER BY "offset"')
    assert [value for _, _, value in letters[:4]] == values
    assert [reason.partition(":")[0] for _, reason, _ in letters] == [
        "corrupt livetape.Trade",
        "unknown schema id 999999",
        "unknown schema id 4294967295",
        f"schema id {int.from_bytes(values[3][1:5], 'big')} is no Avro schema",
        "price is not positive or has more than 38 digits",
        "event time is too far ahead of its receive time",
        "trade_id is no name",
        "a text has a NUL character in it, which Postgres does not store",
        "trade_id is no name",
        "refers_to is longer than 500 bytes, which Postgres does not index",
        "no Confluent wire header",
    ]
    assert list(database.trades()) == ["6"]


def test_a_batch_that_cannot_be_read_is_one_dead_letter_and_what_is_behind_it_is_stored(
    settings: Settings, tape: Tape
) -> None:
    database = Database(settings)
    tape.trades([trade(1)])
    tape.trades([trade(2), trade(3)])
    tape.trades([trade(4)])
    damage(settings, next(record for record in read(settings, "trades") if record.offset == 1))
    with running("sink", settings) as sink:
        stored(sink, database, trade=2, dead_letter=1)
    assert list(database.trades()) == ["1", "4"]
    reason = "the record batch up to offset 2 cannot be read: CRC mismatch"
    assert database.rows('SELECT "offset", reason FROM dead_letter') == [(1, reason)]


def test_a_topic_made_anew_is_refused_by_name(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    tape.trades([trade(1)])
    with running("sink", settings) as sink:
        stored(sink, database, trade=1)
    database.rows("UPDATE stream_offset SET epoch = 'another' RETURNING 1")
    with running("sink", settings) as sink:
        assert sink.wait() != 0
        assert "what is stored came from another" in sink.printed


def test_a_topic_made_anew_is_stored_beside_the_one_before_once_its_offsets_are_forgotten(
    settings: Settings, tape: Tape
) -> None:
    """Its offsets begin anew, and what had one before does not stand in the way."""
    database = Database(settings)
    counts = {"trade": 1, "trade_correction": 1, "gap": 1, "dead_letter": 1}

    def write(number: int) -> None:
        tape.trades([trade(number), trade(number) | {"action": "cancel", "refers_to": str(number)}])
        tape.corrupt_trade()
        tape.gaps([gap(number, number)])

    write(1)
    with running("sink", settings) as sink:
        stored(sink, database, **counts)
    for topic in ("trades", "gaps"):
        make_anew(settings, topic)
    with running("sink", settings) as sink:
        assert sink.wait() != 0
        assert "delete the rows of" in sink.printed
    database.rows("DELETE FROM stream_offset WHERE topic LIKE '%.trades' OR topic LIKE '%.gaps'")
    write(2)
    with running("sink", settings) as sink:
        stored(sink, database, **{table: 2 * count for table, count in counts.items()})
    assert database.rows("SELECT first_missing_id FROM gap ORDER BY 1") == [(1,), (2,)]


def test_a_table_that_refuses_rows_ends_the_sink_and_nothing_is_lost(settings: Settings, tape: Tape) -> None:
    migrate(settings)
    database = Database(settings)
    database.rows("ALTER TABLE trade ADD CONSTRAINT cheap CHECK (price < 200)")
    tape.trades([trade(1), trade(2, price="300")])
    with running("sink", settings) as sink:
        assert sink.wait(WAIT_S) != 0
        assert "nothing more is stored" in sink.printed
        assert 'violates check constraint "cheap"' in sink.printed
    assert database.trades() == {}
    database.rows("ALTER TABLE trade DROP CONSTRAINT cheap")
    with running("sink", settings) as sink:
        stored(sink, database, trade=2)


def test_a_log_that_was_cut_in_front_of_a_running_sink_ends_it_with_the_place(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    tape.trades([trade(1)])
    with running("sink", settings.model_copy(update={"sink_flush_ms": 1})) as sink:  # nor do its fetches wait longer
        stored(sink, database, trade=1)
        sink.freeze()
        for number in (2, 3):  # the fetch that is under way may have the first of them
            tape.trades([trade(number)])
            cut_off(settings.topic("trades"), settings)
        tape.trades([trade(4)])
        sink.thaw()
        assert sink.wait() != 0
        assert "and the fetch begins at" in sink.printed
    assert not {"3", "4"} & database.trades().keys()


def test_a_partition_whose_next_records_are_gone_is_left_alone_and_all_others_are_stored(
    settings: Settings, tape: Tape
) -> None:
    database = Database(settings)
    tape.trades([trade(1)], partition=2)
    with running("sink", settings) as sink:
        stored(sink, database, trade=1)
        assert sink.stop() == 0
    tape.trades([trade(2)], partition=2)
    cut_off(settings.topic("trades"), settings)
    tape.trades([trade(3)], partition=2)
    tape.trades([trade(4)], partition=1)
    tape.bars([bar(NOON_S, seq=3)])
    with running("sink", settings) as sink:
        stored(sink, database, trade=2, bar=1)
        assert f"{settings.topic('trades')} partition 2 is not stored: " in sink.printed
        assert sink.stop() == 0
    assert database.trades().keys() == {"1", "4"}


@pytest.mark.parametrize(
    ("taken_out", "made_anew"),
    [
        pytest.param("DROP TABLE trade_20260101", {}, id="dropped"),
        pytest.param(
            "ALTER TABLE trade DETACH PARTITION trade_20260101",
            {"trade_20260101": 1, "trade_20260101_2": 1},
            id="detached and kept",
        ),
    ],
)
def test_a_day_that_was_taken_out_is_made_anew_when_rows_of_it_come(
    settings: Settings, tape: Tape, taken_out: str, made_anew: dict[str, int]
) -> None:
    database = Database(settings)
    tape.trades([trade(1)])
    with running("sink", settings) as sink:
        stored(sink, database, trade=1)
        database.rows(taken_out)
        tape.trades([trade(2)])
        stored(sink, database, trade=1, **made_anew)
    assert list(database.trades()) == ["2"]


async def test_a_day_that_goes_between_its_making_and_its_rows_is_made_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(settings)
    sink, database, tp = SqlWriter(settings), Database(settings), TP(settings.topic("trades"), 0)
    row: Row = ("v", "A-B", "1", NEW_YEAR, 1, "1", "1", "buy", NOON_S * SECOND_NS, 0, [], "live", None, None, 0, 0)
    batch = [Pending(tp, 0, 1, Rows({"trade": [row]}, {NEW_YEAR}))]
    sink.begin(tp, "epoch", 0)
    makings: list[int] = []

    def make_and_drop_once(*what: Any) -> None:
        _ensure_days(*what)
        if not makings:
            database.rows("DROP TABLE trade_20260101")
        makings.append(1)

    monkeypatch.setattr(writer, "_ensure_days", make_and_drop_once)
    assert await patiently(lambda: asyncio.to_thread(sink.write, batch)) == {tp: 1}
    sink._connected().close()
    assert (len(makings), list(database.trades())) == (2, ["1"])


def test_volumes_add_up_by_sql(settings: Settings, tape: Tape) -> None:
    database = Database(settings)
    tape.trades([trade(number, size="0.1", price="3") for number in range(1, 11)])
    with running("sink", settings) as sink:
        stored(sink, database, trade=10)
    assert database.rows("SELECT sum(size), sum(size * price) FROM trade") == [(Decimal(1), Decimal(3))]
