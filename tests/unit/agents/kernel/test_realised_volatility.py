"""Squared log returns from close to close: exact sums of doubles that are the same everywhere, close to the truth."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.agents.kernel.bar_oracle import EXACT, Event, Published, Rules, total
from tests.unit.agents.kernel.log_returns import PLACES, squared_in_decimals, squared_in_floats
from tests.unit.agents.kernel.partition_kit import NOON, SECOND, Partition, a_clock, a_trade, read_bar, records_of
from tests.unit.agents.kernel.record_sets import record_batch

RULES = Rules(
    (("1s", SECOND), ("5s", 5 * SECOND), ("1m", 60 * SECOND)),
    out_of_order_ns=0,
    grace_ns=0,
    horizon_ns=900 * SECOND,
    max_ahead_ns=SECOND,
)
CLOSENESS = Decimal("1e-12")
UNIT = Decimal(1).scaleb(-PLACES)

any_prices = st.integers(1, 10**38 - 1).map(lambda unscaled: EXACT.scaleb(Decimal(unscaled), -18))
near_prices = st.integers(6_000_000, 6_100_000).map(lambda ticks: Decimal(ticks).scaleb(-2))


def last_bars(events: list[Event]) -> dict[tuple[str, int], Published]:
    """The newest version of each bar, by interval and seconds after noon."""
    partition = Partition(RULES)
    for event in events:
        partition.fold(record_batch(event.offset, records_of([event])))
    partition.flush()
    bars = [read_bar(key, value) for key, value in partition.bars]
    return {(bar.window.interval, (bar.window.start_ns - NOON) // SECOND): bar for bar in bars}


def minute_of(closes: list[Decimal]) -> Published:
    """The bar of a minute with a base bar a second that closes so."""
    events: list[Event] = [a_trade(number, number, price=f"{close:f}") for number, close in enumerate(closes)]
    return last_bars([*events, a_clock(len(closes), 60)])["1m", 0]


@given(st.lists(near_prices, min_size=2, max_size=40) | st.lists(any_prices, min_size=2, max_size=6))
@settings(max_examples=150)
@example([Decimal("1e-18"), Decimal(10) ** 20 - 1])
@example([Decimal("99999999999999999999.999999999999999999"), Decimal("99999999999999999999.999999999999999998")])
@example([Decimal(60_000), Decimal("60000.01"), Decimal(60_000)])
@example([Decimal(1), Decimal(2), Decimal(1)])
def test_the_sum_is_that_of_ieee_doubles_to_the_last_bit_and_close_to_the_logarithm(closes: list[Decimal]) -> None:
    found = minute_of(closes).squared_returns
    assert found is not None
    assert found == total(squared_in_floats(*pair) for pair in pairwise(closes))
    exact = total(squared_in_decimals(*pair) for pair in pairwise(closes))
    assert abs(found - exact) <= CLOSENESS * exact + UNIT * (len(closes) - 1)


def test_a_bar_with_one_close_has_no_returns() -> None:
    bars = last_bars([a_trade(0, 1, price="10"), a_trade(1, 1.5, price="11"), a_clock(2, 60)])
    assert [bar.squared_returns for bar in bars.values()] == [None, None, None]


def test_equal_closes_have_no_volatility_which_is_not_none() -> None:
    assert minute_of([Decimal(7), Decimal(7)]).squared_returns == 0


def test_a_return_from_one_window_to_the_next_is_in_neither_but_in_the_window_of_both() -> None:
    bars = last_bars([a_trade(0, 4, price="10"), a_trade(1, 5, price="11"), a_clock(2, 60)])
    assert bars["5s", 0].squared_returns is None
    assert bars["5s", 5].squared_returns is None
    assert bars["1m", 0].squared_returns == squared_in_floats(Decimal(10), Decimal(11))


def test_a_late_trade_that_is_a_base_bars_new_close_revises_both_returns_beside_it() -> None:
    before: list[Event] = [a_trade(0, 1, price="10"), a_trade(1, 2, price="11"), a_trade(2, 3, price="12")]
    bars = last_bars([*before, a_clock(3, 60), a_trade(4, 2.5, price="13")])
    beside = ((Decimal(10), Decimal(13)), (Decimal(13), Decimal(12)))
    expected = total(squared_in_floats(*pair) for pair in beside)
    assert {bars["5s", 0].squared_returns, bars["1m", 0].squared_returns} == {expected}
    assert bars["1m", 0].revision == 1


def test_a_late_trade_in_a_second_that_had_none_splits_a_return() -> None:
    before: list[Event] = [a_trade(0, 1, price="10"), a_trade(1, 13, price="12")]
    bars = last_bars([*before, a_clock(2, 60), a_trade(3, 7, price="20")])
    parts = ((Decimal(10), Decimal(20)), (Decimal(20), Decimal(12)))
    assert bars["1m", 0].squared_returns == total(squared_in_floats(*pair) for pair in parts)
