"""Users' aggregates with no broker, as docs/aggregates.md has them tested."""

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.aggregates import AggregateFailed
from agents.fold.driver import FoldDriver
from app.partitions import partition_of
from app.settings import PROJECT, Settings
from app.units import MINUTE_NS
from tests.topology.test_fold_driver import START_NS, trade

PAGE = (PROJECT / "docs" / "aggregates.md").read_text()
EXAMPLE, TEST = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's aggregates as `my_aggregates.py`."""
    file = tmp_path / "my_aggregates.py"
    file.write_text(EXAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    yield file
    sys.modules.pop("my_aggregates", None)


@pytest.fixture
def settings() -> Settings:
    return Settings(aggregates="my_aggregates:ALL", intervals=("1s", "1m"))


def windows(driver: FoldDriver, name: str) -> list[dict[str, Any]]:
    return [driver.decoded(record.value or b"") for record in driver.read(f"aggregates.{name}")]


@pytest.mark.usefixtures("example")
def test_the_pages_own_test_passes() -> None:
    names: dict[str, Any] = {}
    exec(TEST, names)  # noqa: S102 - the page's
    names["test_the_vwap_of_a_minute_outlives_a_crash"]()


@pytest.mark.usefixtures("example")
def test_a_cancelled_trade_revises_the_windows_of_an_aggregate(settings: Settings) -> None:
    driver = FoldDriver(settings, partitions=2)
    driver.pipe_trade(trade(1, "10", 1))
    driver.pipe_trade(trade(2, "12", 2, size=Decimal(7)))
    driver.pipe_clock("binance", START_NS + MINUTE_NS + settings.grace_ns)
    driver.flush()
    assert [window["size"] for window in windows(driver, "largest_trade")] == [Decimal("0.5"), Decimal(7), Decimal(7)]
    driver.pipe_trade(trade(2, "12", 2, action="cancel", refers_to="2"))
    driver.flush()
    revised = {window["interval"]: window for window in windows(driver, "largest_trade")}
    second, minute = revised["1s"], revised["1m"]
    assert (second["trade_count"], second["size"]) == (0, 0)
    assert (minute["revision"], minute["size"], minute["trade_id"]) == (1, Decimal("0.5"), "1")


OHLC = """
from dataclasses import dataclass, replace
from typing import Annotated

from app.aggregates import Aggregate, Amount, Trades


@dataclass(frozen=True)
class Ohlc(Aggregate):
    name = "ohlc"

    open: Annotated[int | None, Amount("Of the first trade that counts.")] = None
    high: Annotated[int | None, Amount("Highest price that counts.")] = None
    low: Annotated[int | None, Amount("Lowest price that counts.")] = None
    close: Annotated[int | None, Amount("Of the last trade that counts.")] = None
    first: Annotated[int | None, Amount("Order of the first trade.", scale=0)] = None
    first_offset: Annotated[int, Amount("Its offset.", scale=0)] = 0
    last: Annotated[int | None, Amount("Order of the last trade.", scale=0)] = None
    last_offset: Annotated[int, Amount("Its offset.", scale=0)] = 0

    def fold(self, trades: Trades) -> "Ohlc":
        now = self
        columns = trades.prices, trades.count_for_open_close, trades.count_for_high_low, trades.orders
        for price, sets_ends, sets_range, order in zip(*columns, strict=True):
            if sets_range:
                high, low = max(price, now.high or price), min(price, now.low or price)
                now = replace(now, high=high, low=low)
            if sets_ends and (now.first is None or order < (now.first, now.first_offset)):
                now = replace(now, open=price, first=order[0], first_offset=order[1])
            if sets_ends and (now.last is None or order > (now.last, now.last_offset)):
                now = replace(now, close=price, last=order[0], last_offset=order[1])
        return now

    def merge(self, later: "Ohlc") -> "Ohlc":
        highs = [each.high for each in (self, later) if each.high is not None]
        lows = [each.low for each in (self, later) if each.low is not None]
        ends = [each for each in (self, later) if each.first is not None]
        first = min(ends, key=lambda each: (each.first, each.first_offset), default=Ohlc())
        last = max(ends, key=lambda each: (each.last, each.last_offset), default=Ohlc())
        return Ohlc(
            first.open, max(highs, default=None), min(lows, default=None), last.close,
            first.first, first.first_offset, last.last, last.last_offset,
        )


ALL = [Ohlc]
"""


@pytest.mark.parametrize("is_numbered", [True, False])
def test_open_high_low_and_close_of_a_users_own_are_those_of_the_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_numbered: bool
) -> None:
    (tmp_path / "my_ohlc.py").write_text(OHLC)
    monkeypatch.syspath_prepend(tmp_path)
    venues = tmp_path / "venues.yaml"
    venues.write_text("nyse: {conditions: {range-only: [high_low, volume], volume-only: [volume]}}")
    settings = Settings(aggregates="my_ohlc:ALL", intervals=("1s", "1m"), venues_file=venues)
    driver = FoldDriver(settings)
    for number in [place * 77 % 300 for place in range(300)]:  # in no order
        conditions = ["range-only"] * (number % 5 == 0) + ["volume-only"] * (number % 3 == 0)
        own = {"venue": "nyse", "conditions": conditions, "trade_seq": number if is_numbered else None}
        driver.pipe_trade(trade(number, str(1_000 + number * 7_919 % 500), number // 5, **own))
    driver.pipe_clock("nyse", START_NS + 2 * MINUTE_NS)
    driver.flush()
    bars = [driver.decoded(record.value or b"") for record in driver.read("bars.1s") + driver.read("bars")]
    made = windows(driver, "ohlc")
    assert len(made) == len(bars) == 61
    amounts = ("open", "high", "low", "close")
    sys.modules.pop("my_ohlc")
    shown = {(each["interval"], each["start_ns"]): [each[name] or 0 for name in amounts] for each in made}
    assert shown == {(bar["interval"], bar["start_ns"]): [bar[name] for name in amounts] for bar in bars}


def test_an_aggregate_that_fails_tells_which_and_where(example: Path, settings: Settings) -> None:
    broken = EXAMPLE.replace("volumes = trades.volumes", "volumes = [1 // 0]", 1)
    assert broken != EXAMPLE
    example.write_text(broken)
    driver = FoldDriver(settings)
    with pytest.raises(AggregateFailed, match="aggregate vwap: fold of binance:BTC-USDT"):
        driver.pipe_trade(trade(1, "10", 1))


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize("method", ["fold", "merge"])
def test_what_failed_writes_nothing_until_it_is_mended_and_then_loses_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    driver = FoldDriver(settings)
    driver.pipe_trade(trade(1, "10", 1))
    driver.flush()
    with monkeypatch.context() as broken:
        broken.setattr(f"my_aggregates.LargestTrade.{method}", lambda *_: 1 // 0)
        with pytest.raises(AggregateFailed, match="aggregate largest_trade: "):
            pipe_the_rest(driver, settings)
    before = driver.table()
    with pytest.raises(AggregateFailed):
        driver.pipe_clock("binance", START_NS + 2 * MINUTE_NS)
    with pytest.raises(AggregateFailed):
        driver.flush()
    assert not any(driver.read(topic) for topic in ("bars", "bars.live", "aggregates.vwap", "aggregates.largest_trade"))
    assert driver.table() == before
    driver.crash()
    pipe_the_rest(driver, settings)
    assert published(driver) == [("1s", 1, "1"), ("1s", 1, "2"), ("1m", 2, "2")]


def pipe_the_rest(driver: FoldDriver, settings: Settings) -> None:
    """Another trade, once, and the end of its minute."""
    driver.pipe_trade(trade(2, "12", 2, size=Decimal(7)))
    driver.pipe_clock("binance", START_NS + MINUTE_NS + settings.grace_ns)
    driver.flush()


def published(driver: FoldDriver) -> list[tuple[Any, ...]]:
    """Interval, number of trades and largest trade of each window."""
    return [
        tuple(each[name] for name in ("interval", "trade_count", "trade_id"))
        for each in windows(driver, "largest_trade")
    ]


@pytest.mark.usefixtures("example")
def test_partitions_beside_one_that_failed_go_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FoldDriver(settings, partitions=2)
    names = {
        partition_of(f"binance:{name}".encode(), 2): name for name in ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT")
    }
    driver.pipe_trade(trade(1, "10", 1, instrument=names[1]))
    with monkeypatch.context() as broken:
        broken.setattr("my_aggregates.Vwap.fold", lambda *_: 1 // 0)
        with pytest.raises(AggregateFailed):
            driver.pipe_trade(trade(1, "10", 1, instrument=names[0]))
    with pytest.raises(AggregateFailed):
        driver.pipe_clock("binance", START_NS + 2 * MINUTE_NS)
    with pytest.raises(AggregateFailed):
        driver.flush()
    assert {window["instrument"] for window in windows(driver, "vwap")} == {names[1]}
    driver.crash()
    driver.flush()
    assert {window["instrument"] for window in windows(driver, "vwap")} == {names[0]}
