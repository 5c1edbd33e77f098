"""Every query of docs/sql.md does what the page says, on tables that the sink has filled."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from app import topic_admin
from app.database import conninfo
from app.settings import PROJECT, Settings
from app.units import DAY_NS, MINUTE_NS, SECOND_NS
from tests.integration.api_kit import bar, eventually
from tests.integration.sql_kit import NOON_S, Database, Tape, trade
from tests.parts import running

SECTION = re.compile(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```sql\n(.+?)^```", re.MULTILINE | re.DOTALL)
QUERIES = dict(SECTION.findall((PROJECT / "docs" / "sql.md").read_text()))
OPERATING = dict(SECTION.findall((PROJECT / "docs" / "operating.md").read_text()))

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NOON_NS = NOON_S * SECOND_NS
OHLC = (Decimal(100), Decimal("110.10"), Decimal("1e-18"), Decimal("101.5"))
VOLUME = Decimal("0.3")
VWAP = Decimal("105.666666666666666667")
NO_PRICES = (Decimal(0),) * 4
DAY_S = 86_400
MIDNIGHT_S = NOON_S + DAY_S // 2
MIDNIGHT_NS = MIDNIGHT_S * SECOND_NS
PRICE_AND_SIZE = (Decimal("100.5"), Decimal("0.1"))

ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "The newest bars": [
        (NOON.replace(minute=31), *OHLC, VOLUME, VWAP),
        (NOON.replace(minute=30), *NO_PRICES, VOLUME, VWAP),
        (NOON.replace(minute=2), *NO_PRICES, VOLUME, VWAP),
        (NOON.replace(minute=1), *OHLC[:3], Decimal(102), VOLUME, VWAP),
        (NOON, *OHLC, VOLUME, VWAP),
    ],
    "Volume and VWAP of each day": [(date(2026, 1, 1), Decimal("1.5"), Decimal("105.66666667"))],
    "Buying and selling pressure": [(date(2026, 1, 1), Decimal("1.0"), Decimal("0.20"), Decimal("0.66666667"))],
    "How much prices moved": [(NOON.replace(minute=minute), Decimal("0.02")) for minute in (0, 1, 2, 30, 31)],
    "Bars of another length": [
        (NOON_NS, *OHLC[:3], Decimal(102), Decimal("0.9")),
        (NOON_NS + 30 * MINUTE_NS, *OHLC, Decimal("0.6")),
    ],
    "A bar beside its own trades": [
        (NOON_NS, 3, 3, VOLUME, VOLUME),
        (NOON_NS + MINUTE_NS, 3, 3, VOLUME, VOLUME),
        (NOON_NS + 30 * MINUTE_NS, 3, 1, VOLUME, Decimal(0)),
        (NOON_NS + 31 * MINUTE_NS, 3, 2, VOLUME, Decimal("0.1")),
    ],
    "Trades that their venue corrected or cancelled": [
        (MIDNIGHT_NS - DAY_NS + MINUTE_NS, "8", *PRICE_AND_SIZE, "correct", Decimal(97), Decimal("0.1")),
        (NOON_NS + 40 * SECOND_NS, "2", *PRICE_AND_SIZE, "correct", Decimal(99), Decimal("0.1")),
        (NOON_NS + 31 * MINUTE_NS, "7", *PRICE_AND_SIZE, "cancel", *PRICE_AND_SIZE),
        (MIDNIGHT_NS - MINUTE_NS, "9", *PRICE_AND_SIZE, "cancel", *PRICE_AND_SIZE),
    ],
    "How a bar changed after it was final": [
        (0, "final", Decimal("101.5"), VOLUME, 7),
        (1, "revised", Decimal(102), VOLUME, 9),
    ],
    "Bars that are not complete": [(NOON_NS, 3, 2)],
    "What could not be stored": [("test.trades", 1, 0, "unknown schema id 999999")],
}


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Two minutes of trades and their bars, the second revised, and a record that is no row.

    Beside them bars none of whose trades counts for a price, trades of the same ids on other days, of which one was
    corrected too, one that was cancelled after midnight, one that was moved back over midnight, and of two bars trades
    that count for nothing and one that was cancelled.
    """
    topic_admin.apply(settings)
    tape, database = Tape(settings), Database(settings)
    tape.trades([trade(number, at_s=NOON_S + 20 * number) for number in range(6)])
    tape.trades([trade(2, price="99", at_s=NOON_S + 40) | {"action": "correct", "refers_to": "2"}])
    tape.trades([trade(2, at_s=NOON_S - DAY_S), trade(2, at_s=NOON_S + DAY_S)])
    tape.trades([trade(2, price="98", at_s=NOON_S + DAY_S) | {"action": "correct", "refers_to": "2"}])
    tape.trades([trade(9, at_s=at_s) for at_s in (MIDNIGHT_S - DAY_S - 60, MIDNIGHT_S - 60, NOON_S + DAY_S)])
    tape.trades([trade(9, at_s=MIDNIGHT_S + 60) | {"action": "cancel", "refers_to": "9"}])
    tape.trades([trade(8, at_s=MIDNIGHT_S - DAY_S + 60)])
    tape.trades([trade(8, price="97", at_s=MIDNIGHT_S - DAY_S - 1) | {"action": "correct", "refers_to": "8"}])
    unprinted = {"conditions": ["non-printable", "odd-lot"]}
    tape.trades([trade(6, at_s=NOON_S + 1_800) | unprinted, trade(10, at_s=NOON_S + 1_860) | unprinted])
    tape.trades([trade(7, at_s=NOON_S + 1_860), trade(7, at_s=NOON_S + 1_860) | {"action": "cancel", "refers_to": "7"}])
    tape.unknown_schema(partition=1)
    later = NOON_S + 60
    tape.bars([bar(NOON_S, seq=3) | {"missing": 2}, bar(later, seq=7), bar(later, seq=9, close="102", revision=1)])
    unpriced = dict.fromkeys(("open", "high", "low", "close"), Decimal(0))
    tape.bars([bar(NOON_S + 60 * minute, seq=9) | unpriced for minute in (2, 30)] + [bar(NOON_S + 60 * 31, seq=9)])
    counts = {"trade": 15, "trade_correction": 5, "bar_revision": 6, "dead_letter": 1}
    with running("sink", settings) as sink:
        eventually(lambda: {table: database.count(table) for table in counts} == counts, lambda: sink.printed)
    return settings


def test_every_query_gives_what_the_page_says(filled: Settings) -> None:
    with psycopg.connect(conninfo(filled)) as connection:
        answers = {title: _rows(connection, filled, title) for title in ANSWERS}
        offsets = _rows(connection, filled, "How far the database is")
        connection.execute(QUERIES["Making room"])
        left = connection.execute("SELECT count(*) FROM bar, trade").fetchall()
    assert answers == ANSWERS
    assert ("test.trades", 0, 20) in offsets
    assert left == [(0,)]


def test_bars_by_former_hours_are_deleted_from_the_first_day_that_has_new_ones(settings: Settings) -> None:
    def daily(day: int, hour: int, generation: int, **other: str) -> dict[str, Any]:
        of = {"venue": "nasdaq", "instrument": "AAPL-USD", "interval": "1d"} | other
        start_s = NOON_S + DAY_S * day + 3_600 * (hour - 12)
        return bar(start_s, seq=3, of=of, interval=of["interval"]) | {"generation": generation}

    topic_admin.apply(settings)
    tape, database = Tape(settings), Database(settings)
    before = [
        daily(-1, 13, 1),
        daily(0, 13, 0, instrument="MSFT-USD"),
        daily(0, 1, 0, venue="nyse"),
        daily(0, 1, 0, interval="1h"),
    ]
    anew = [daily(day, 9, 2) for day in (0, 1)] + [daily(0, 2, 2, venue="nyse")]
    former = [daily(0, 8, 1), daily(0, 13, 0), daily(1, 13, 1)]
    tape.bars([*before, *former, *anew])
    with running("sink", settings) as sink:
        eventually(lambda: database.count("bar") == len([*before, *former, *anew]), lambda: sink.printed)
    with psycopg.connect(conninfo(settings)) as connection:
        connection.execute(OPERATING["After `livetape reset`"])
        left = connection.execute("SELECT venue, instrument, interval, start_ns, generation FROM bar").fetchall()
    names = ("venue", "instrument", "interval", "start_ns", "generation")
    assert set(left) == {tuple(each[name] for name in names) for each in [*before, *anew]}


def test_the_page_has_no_query_that_is_not_tested() -> None:
    assert QUERIES.keys() == {*ANSWERS, "How far the database is", "Making room"}


def _rows(connection: psycopg.Connection[Any], settings: Settings, title: str) -> list[tuple[Any, ...]]:
    """Rows of a query of the page, with the run's namespace called `test`."""
    rows = connection.execute(QUERIES[title]).fetchall()
    return [
        tuple(str(value).replace(settings.namespace, "test") if isinstance(value, str) else value for value in row)
        for row in rows
    ]
