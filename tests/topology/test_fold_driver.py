"""The fold from trades to topics with no broker, and with time in the test's hand."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.fold.driver import FoldDriver, Output
from app.settings import Settings
from app.units import MINUTE_NS, SECOND_NS

START_NS = 1_700_000_040 * SECOND_NS  # a whole minute
SETTINGS = Settings(intervals=("1s", "1m"))
STATE_KINDS = {b"B": "bar", b"I": "trade ids", b"L": "intervals", b"T": "patience", b"R": "rules"}


def trade(number: int, price: str, at_s: int, **other: Any) -> dict[str, Any]:
    event_time_ns = START_NS + at_s * SECOND_NS
    return {
        "venue": "binance",
        "instrument": "BTC-USDT",
        "trade_id": str(number),
        "trade_seq": number,
        "price": Decimal(price),
        "size": Decimal("0.5"),
        "aggressor": "buy",
        "event_time_ns": event_time_ns,
        "receive_time_ns": event_time_ns,
        **other,
    }


def bars(driver: FoldDriver, records: Iterable[Output]) -> list[tuple[Any, ...]]:
    fields = (driver.decoded(record.value) for record in records if record.value is not None)
    return [tuple(bar[name] for name in ("start_ns", "revision", "open", "high", "low", "close")) for bar in fields]


def state_kinds(driver: FoldDriver) -> set[str]:
    """What a driver's table has records of."""
    return {STATE_KINDS[key[1:2]] for key in driver.table()}


def test_a_bar_is_published_once_the_clock_has_passed_its_end_and_its_grace() -> None:
    driver = FoldDriver(SETTINGS)
    driver.pipe_trade(trade(1, "10", 1))
    driver.pipe_trade(trade(2, "12", 2))
    driver.pipe_clock("binance", START_NS + MINUTE_NS)
    driver.flush()
    assert driver.read("bars") == []
    driver.pipe_clock("binance", START_NS + MINUTE_NS + SETTINGS.grace_ns)
    driver.flush()
    amounts = (Decimal(10), Decimal(12), Decimal(10), Decimal(12))
    assert bars(driver, driver.read("bars")) == [(START_NS, 0, *amounts)]
    assert driver.read("bars") == []


def test_what_cannot_be_read_and_what_comes_too_late_is_put_aside() -> None:
    driver = FoldDriver(SETTINGS)
    driver.pipe_raw(b"binance:BTC-USDT", b"no trade")
    driver.pipe_clock("binance", START_NS + SETTINGS.horizon_ns + MINUTE_NS)
    driver.pipe_trade(trade(1, "10", 0))
    driver.flush()
    (dead,) = driver.read("trades.dead")
    assert (dead.value, dict(dead.headers)["offset"]) == (b"no trade", b"0")
    (late,) = driver.read("late")
    assert late.value is not None
    assert driver.decoded(late.value)["trade_id"] == "1"


def test_a_cancelled_trade_leaves_its_final_bar() -> None:
    driver = FoldDriver(SETTINGS)
    driver.pipe_trade(trade(1, "10", 1))
    driver.pipe_trade(trade(2, "12", 2))
    driver.pipe_clock("binance", START_NS + MINUTE_NS + SETTINGS.grace_ns)
    driver.flush()
    driver.read("bars")
    driver.pipe_trade(trade(2, "12", 2, action="cancel", refers_to="2"))
    driver.flush()
    assert bars(driver, driver.read("bars")) == [(START_NS, 1, *[Decimal(10)] * 4)]


def test_a_packet_feed_of_any_name_has_the_rules_of_its_conditions(tmp_path: Path) -> None:
    venues = tmp_path / "venues.yaml"
    venues.write_text("arca: {trade_ids: unknown}\nown: {conditions: {odd-lot: []}}")
    driver = FoldDriver(SETTINGS.model_copy(update={"venues_file": venues}))
    for venue in ("arca", "unnamed", "own"):
        driver.pipe_trade(trade(1, "10", 1, venue=venue))
        driver.pipe_trade(trade(2, "12", 2, venue=venue, conditions=["odd-lot"]))
        driver.pipe_trade(trade(3, "14", 3, venue=venue, conditions=["non-printable"]))
        driver.pipe_clock(venue, START_NS + MINUTE_NS + SETTINGS.grace_ns)
    driver.flush()
    made = [driver.decoded(record.value) for record in driver.read("bars") if record.value is not None]
    assert {bar["venue"]: (bar["high"], bar["close"], bar["volume"]) for bar in made} == {
        "arca": (Decimal(10), Decimal(10), Decimal(1)),
        "unnamed": (Decimal(10), Decimal(10), Decimal(1)),
        "own": (Decimal(14), Decimal(14), Decimal(1)),
    }


def folded(*, crashes: bool) -> list[tuple[Any, ...]]:
    """The bars of two minutes, a trade a second."""
    driver = FoldDriver(SETTINGS, partitions=2)
    for number in range(1, 120):
        driver.pipe_trade(trade(number, str(100 + number % 7), number))
        if number % 10 == 0:
            driver.flush()
        if crashes and number % 13 == 0:
            driver.crash()
    driver.pipe_clock("binance", START_NS + 3 * MINUTE_NS)
    driver.flush()
    return bars(driver, driver.read("bars.1s") + driver.read("bars"))


def test_a_crash_between_flushes_changes_no_bar() -> None:
    whole = folded(crashes=False)
    assert len(whole) == 119 + 2
    assert folded(crashes=True) == whole


def test_a_state_of_several_batches_is_restored_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = folded(crashes=False)
    monkeypatch.setattr("agents.fold.driver._MAX_BATCH_BYTES", 1_000)
    assert folded(crashes=True) == whole


def test_the_table_lets_go_of_bars_that_nothing_can_change_any_more() -> None:
    driver = FoldDriver(SETTINGS)
    driver.pipe_trade(trade(1, "10", 0))
    driver.flush()
    assert state_kinds(driver) == {"bar", "trade ids", "intervals", "patience", "rules"}
    driver.pipe_clock("binance", START_NS + SETTINGS.horizon_ns + 10 * MINUTE_NS)
    driver.flush()
    # the newest id tells how many are missing before the next
    assert state_kinds(driver) == {"trade ids", "intervals", "patience", "rules"}


def test_a_closing_auction_is_in_its_exchanges_day_and_not_in_the_hours_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "venues.yaml"
    hours = "{calendar: NASDAQ, closing_auction: 5s, bars: {1d: [regular], post: [post]}}"
    path.write_text(f"nasdaq: {{hours: {hours}}}")
    driver = FoldDriver(Settings(venues_file=path, intervals=("1s", "5s", "1d")))
    closes_ns = int(datetime(2025, 11, 4, 21, tzinfo=UTC).timestamp()) * SECOND_NS
    opens_ns = closes_ns - 390 * MINUTE_NS
    times_ns = [opens_ns + SECOND_NS // 3, closes_ns - 1, closes_ns + SECOND_NS // 7, closes_ns + 5 * SECOND_NS]
    for number, time_ns in enumerate(times_ns, start=1):
        times = {"event_time_ns": time_ns, "receive_time_ns": time_ns}
        driver.pipe_trade(trade(number, str(100 + number), 0, venue="nasdaq", **times))
    driver.pipe_clock("nasdaq", closes_ns + 300 * MINUTE_NS)
    driver.flush()
    fields = [driver.decoded(record.value) for record in driver.read("bars") if record.value is not None]
    closed = {bar["interval"]: (bar["start_ns"], bar["trade_count"], bar["close"]) for bar in fields}
    assert closed["1d"] == (opens_ns, 3, Decimal(103))
    assert closed["post"] == (closes_ns + 5 * SECOND_NS, 1, Decimal(104))
