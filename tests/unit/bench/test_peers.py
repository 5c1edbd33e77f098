"""What the Python peers of the stream benchmark make of trades, and what they are compared with."""

from decimal import Decimal
from pathlib import Path

from app.units import HOUR_NS, SECOND_NS
from bench.bars import BarKey, BarValues
from bench.python_trades import PeerTrade, add, first_bar
from bench.recomputed_bars import recompute
from bench.trades_topic import CLOCK_EVERY_NS, START_NS, VENUE, SchemaIds, TradesSpec, records

SCHEMAS = Path(__file__).parents[3] / "schemas"


def test_the_open_and_close_follow_the_sequence_and_not_the_arrival() -> None:
    bar = first_bar(PeerTrade(seq=5, price=100, size=2, time_ms=0))
    add(bar, PeerTrade(seq=4, price=120, size=1, time_ms=0))
    add(bar, PeerTrade(seq=9, price=90, size=3, time_ms=0))
    add(bar, PeerTrade(seq=7, price=95, size=1, time_ms=0))
    assert bar == [4, 9, 120, 120, 90, 90, 7, 2 * 100 + 120 + 3 * 90 + 95, 4]


def test_a_recomputation_has_every_trade_once_in_every_interval() -> None:
    spec = TradesSpec(trades=300, instruments=3, span_s=3)
    bars = recompute(spec, ("1s", "1m"), SCHEMAS)
    by_interval = {interval: _bars_of(interval, bars) for interval in ("1s", "1m")}
    assert {interval: sum(bar.trade_count for bar in found.values()) for interval, found in by_interval.items()} == {
        "1s": 300,
        "1m": 300,
    }
    assert {key.start_ns for key in by_interval["1s"]} == {START_NS + second * SECOND_NS for second in range(3)}
    for key, minute in by_interval["1m"].items():
        seconds = [bar for second, bar in sorted(by_interval["1s"].items()) if second.instrument == key.instrument]
        assert minute.open == seconds[0].open
        assert minute.close == seconds[-1].close
        assert minute.high == max(bar.high for bar in seconds)
        assert minute.low == min(bar.low for bar in seconds)
        assert minute.volume == sum((bar.volume for bar in seconds), Decimal(0))


def test_clocks_go_into_every_partition_and_the_last_one_closes_every_window() -> None:
    spec = TradesSpec(trades=10, instruments=2, partitions=3, span_s=1)
    written = list(records(spec, SchemaIds(trade=1, clock=2), SCHEMAS))
    clocks = [record for record in written if record.key == VENUE.encode()]
    assert {record.partitions for record in clocks} == {(0, 1, 2)}
    times = [record.time_ns for record in clocks]
    assert times[:4] == [START_NS + number * CLOCK_EVERY_NS for number in range(4)]
    assert times[-1] >= START_NS + HOUR_NS
    assert written[-1] is clocks[-1]


def _bars_of(interval: str, bars: dict[BarKey, BarValues]) -> dict[BarKey, BarValues]:
    return {key: values for key, values in bars.items() if key.interval == interval}
