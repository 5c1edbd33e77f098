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
