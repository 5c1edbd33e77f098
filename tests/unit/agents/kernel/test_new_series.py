"""The fold tells of each series once, and of all that a restored state has."""

from dataclasses import replace

from agents.kernel import PartitionFold
from app.units import SECOND_NS
from tests.unit.agents.kernel.bar_oracle import Rules, Trade
from tests.unit.agents.kernel.partition_kit import a_clock, a_trade, new_fold, records_in, records_of
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

RULES = Rules((("1s", SECOND_NS),), 0, 0, 10 * SECOND_NS, SECOND_NS)
BTC, ETH, SOL = (("binance", f"{name}-USDT") for name in ("BTC", "ETH", "SOL"))


def of(series: tuple[str, str], offset: int, seconds: float) -> Trade:
    return replace(a_trade(offset, seconds), venue=series[0], instrument=series[1])


def told(fold: PartitionFold, *events: Trade) -> list[tuple[str, str]]:
    first = events[0].offset
    return fold.fold(record_batch(first, records_of(events)), [], first).new_series


def test_a_series_is_told_with_the_call_that_it_came_with() -> None:
    fold = new_fold(RULES)
    assert told(fold, of(ETH, 0, 0), of(BTC, 1, 0), of(ETH, 2, 1)) == [ETH, BTC]
    assert told(fold, of(BTC, 3, 1)) == []
    assert told(fold, of(SOL, 4, 1), of(BTC, 5, 1)) == [SOL]


def test_those_of_a_restored_state_are_told_with_the_first_call() -> None:
    before = new_fold(RULES)
    told(before, of(ETH, 0, 0), of(BTC, 1, 0))
    changelog = [KafkaRecord(key, value) for key, value in records_in(before.take_flush().changelog)]
    fold = new_fold(RULES)
    fold.restore(record_batch(0, changelog), [], 0)
    fold.restored()
    clock = fold.fold(record_batch(2, records_of([a_clock(2, 1)])), [], 2)
    assert clock.new_series == [BTC, ETH]
    assert told(fold, of(SOL, 3, 2), of(ETH, 4, 2)) == [SOL]
