"""What the API reads of a Postgres of the test's own, which may freeze."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import psycopg
import pytest

from app import history
from app.aggregate_bars import READ
from app.bars import Bar, Instrument, SeriesKey
from app.database import conninfo, migrate
from app.history import History, HistoryUnavailable, Positions
from app.settings import Settings
from app.units import MINUTE_NS
from local import ports
from local.postgres import Postgres
from tests.integration.api_kit import Fields, bar
from tests.integration.sql_kit import insert
from tests.own_server import frozen, launched

BTC = Instrument("binance", "BTC-USDT")
CHANNEL = "aggregates.mean"


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    (port,) = ports.free_ports(1)
    with launched(Postgres(tmp_path, port)) as server:
        yield server


@pytest.fixture
def settings(postgres: Postgres) -> Settings:
    settings = Settings(postgres_url=f"postgresql+psycopg://livetape@127.0.0.1:{postgres.ports['sql']}")
    migrate(settings)
    return settings


@pytest.fixture
def stored(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """What is waited for half a second and left alone no longer."""
    monkeypatch.setattr(history, "ANSWER_S", 0.5)
    monkeypatch.setattr(history, "LEFT_ALONE_S", 0.0)
    stored = History(settings)
    yield stored
    stored.close()


def test_a_server_that_freezes_is_away_until_it_answers_again(stored: History, postgres: Postgres) -> None:
    assert stored.trades(BTC, 1) == []
    with frozen(postgres):
        for _ in range(2):  # by the connection that is there, and by a new one
            with pytest.raises(HistoryUnavailable, match="timeout"):
                stored.trades(BTC, 1)
            assert stored.is_away
    assert stored.trades(BTC, 1) == []
    assert not stored.is_away


def test_a_start_is_handed_stored_bars_in_chunks_as_long_as_it_goes_on(
    settings: Settings, stored: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CHUNK", 2)
    store_bars(settings, 5)
    chunks: list[list[int]] = []

    def take(bars: list[tuple[SeriesKey, Bar]]) -> None:
        chunks.append([each.start_ns // MINUTE_NS for _, each in bars])

    stored.load(10, take, lambda: True)
    assert chunks == [[4, 3], [2, 1], [0]]
    stored.load(10, take, lambda: len(chunks) < 4)
    assert chunks[3:] == [[4, 3]]


def test_a_start_goes_on_though_the_server_freezes_while_bars_are_loaded(
    settings: Settings, stored: History, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CHUNK", 1)
    store_bars(settings, 3)
    taken: list[tuple[SeriesKey, Bar]] = []
    with ExitStack() as freezing:

        def take(bars: list[tuple[SeriesKey, Bar]]) -> None:
            taken.extend(bars)
            if len(taken) == 1:
                freezing.enter_context(frozen(postgres))

        with pytest.raises(HistoryUnavailable, match="timeout"):
            stored.load(10, take, lambda: True)
        assert [each.start_ns for _, each in taken] == [2 * MINUTE_NS]
    taken.clear()
    stored.load(10, taken.extend, lambda: True)
    assert [each.start_ns // MINUTE_NS for _, each in taken] == [2, 1, 0]


@pytest.fixture
def declared(settings: Settings) -> Settings:
    """With an aggregate that Postgres holds a window of, and a bar; both topics are stored up to 5."""
    declared = settings.model_copy(update={"aggregates": "tests.unit.app.mean:ALL"})
    migrate(declared)
    store_bars(declared, 1)
    store_window(declared, bar(0, seq=1))
    stored_up_to = "INSERT INTO stream_offset (topic, partition, epoch, next_offset) VALUES (%s, 0, '', 5)"
    with psycopg.connect(conninfo(declared), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executemany(stored_up_to, [[declared.topic("bars")], [declared.topic(CHANNEL)]])
    return declared


def loaded(stored: History) -> tuple[list[str], Positions]:
    """Of which channels a start is handed a bar, and from where it reads the topics on."""
    taken: list[tuple[SeriesKey, Bar]] = []
    try:
        positions = stored.load(10, taken.extend, lambda: True)
    finally:
        stored.close()
    return [key.channel for key, _ in taken], positions


def test_a_start_has_stored_windows_beside_bars(declared: Settings) -> None:
    assert loaded(History(declared)) == (["bars", CHANNEL], {("bars", 0): 5, (CHANNEL, 0): 5})


def test_an_aggregate_whose_table_somebody_holds_costs_a_start_that_aggregate_alone(
    declared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STATEMENT_MS", 1_000)
    stored = History(declared)
    with psycopg.connect(conninfo(declared)) as holder:
        holder.execute("LOCK TABLE aggregate_mean")
        assert loaded(stored) == (["bars"], {("bars", 0): 5})
    assert not stored.is_away


def test_windows_that_all_have_a_field_of_another_type_are_read_from_their_topic_and_told_once(
    declared: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    store_window(declared, bar(60, seq=2))
    with psycopg.connect(conninfo(declared), autocommit=True) as connection:
        connection.execute("ALTER TABLE aggregate_mean ALTER COLUMN trade_count TYPE numeric")
    assert loaded(History(declared)) == (["bars"], {("bars", 0): 5})
    (told,) = [record.getMessage() for record in caplog.records if record.name == history.__name__]
    assert "none of 2 rows of aggregate_mean can be shown" in told


def store_bars(settings: Settings, count: int) -> None:
    """Have Postgres hold so many bars of a minute each."""
    for number in range(count):
        insert(settings, "bar", {"day": date(1970, 1, 1), **bar(60 * number, seq=number)})


def store_window(settings: Settings, final: Fields) -> None:
    """Have Postgres hold the aggregate's window of this bar."""
    window = {name: final[name] for name in (*READ, "partition")}
    insert(settings, "aggregate_mean", {"day": date(1970, 1, 1), **window, "mean": 1.5})
