"""Trades that lie across the ends of minutes: which minutes they explain, and which they do not."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.reconciliation.minutes import Amounts, Bar, Candle, Why
from agents.reconciliation.pairs import Reconciliation, Series
from app.units import MINUTE_NS
from app.venues import Candles

PATIENCE_S = 300.0
BTC = Series("binance-usdm", "BTC-USDT")
TICKS = 10
"""Of a minute."""


class Fill(NamedTuple):
    tick: int
    price: int
    size: int


Trade = list[Fill]
"""What the stream tells as one: it has the time of the first."""


def trade(tick: int, price: int, *sizes: int) -> Trade:
    """A fill each tick."""
    return [Fill(tick + after, price, size) for after, size in enumerate(sizes)]


def amounts_of(fills: Iterable[Fill]) -> Amounts:
    prices, sizes = zip(*((price, size) for _, price, size in fills), strict=True)
    return Amounts(prices[0], max(prices), min(prices), prices[-1], sum(sizes))


class Market:
    """Bars of a market's trades, candles of its fills, by the numbers of minutes; a candle of each minute is told."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        whole = [Fill(one[0].tick, one[0].price, sum(fill.size for fill in one)) for one in trades]
        fills = [fill for one in trades for fill in one]
        self.minutes = range(fills[-1].tick // TICKS + 1)
        self.bars = {at: Bar(amounts_of(its), len(its)) for at in self.minutes if (its := within(whole, at))}
        self.candles = {}
        close = fills[0].price
        for at in self.minutes:
            its = within(fills, at)
            amounts = amounts_of(its) if its else Amounts(close, close, close, close, 0)
            self.candles[at], close = Candle(amounts, None, "one"), amounts.close

    def whys(self, minutes: Iterable[int] | None = None) -> dict[int, Why | None]:
        """What is told of minutes that come one after the other, once all had time."""
        told = Told()
        for at in self.minutes if minutes is None else minutes:
            told.take(at, self.bars.get(at), self.candles[at])
        return told.in_the_end()


def within(fills: Iterable[Fill], minute: int) -> list[Fill]:
    return [fill for fill in fills if fill.tick // TICKS == minute]


class Told:
    def __init__(self) -> None:
        self.check = Reconciliation(PATIENCE_S, {BTC.venue: Candles.OF_FILLS})
        self.whys: dict[int, Why | None] = {}

    def take(self, minute: int, bar: Bar | None, candle: Candle | None) -> None:
        at = BTC, 0, minute * MINUTE_NS
        verdicts = [
            None if bar is None else self.check.take_bar(*at, bar, 0.0),
            None if candle is None else self.check.take_candle(*at, candle, 0.0),
        ]
        self.whys |= {one.start_ns // MINUTE_NS: one.why for one in verdicts if one is not None}

    def in_the_end(self) -> dict[int, Why | None]:
        self.whys |= {one.start_ns // MINUTE_NS: one.why for one in self.check.overdue(PATIENCE_S)}
        return self.whys


FIRST = trade(1, 7, 5)
"""In the first minute, all of it."""


@pytest.mark.parametrize(
    ("trades", "whys"),
    [
        pytest.param([trade(8, 7, 1, 1), trade(11, 8, 1)], {1: None}, id="none is cut"),
        pytest.param([trade(9, 9, 2, 3), trade(12, 8, 1)], {0: Why.CUT, 1: Why.CUT}, id="the next opens higher"),
        pytest.param([trade(9, 6, 2, 3), trade(12, 8, 1)], {0: Why.CUT, 1: Why.CUT}, id="the next opens lower"),
        pytest.param([trade(9, 8, 2, 3), trade(12, 8, 1)], {0: Why.CUT, 1: Why.CUT}, id="only volumes differ"),
        pytest.param([trade(9, 8, 2, 3), trade(21, 8, 1)], {0: Why.CUT, 1: Why.CUT, 2: None}, id="no bar but a candle"),
        pytest.param(
            [trade(9, 8, 2, 3), trade(19, 6, 1, 4), trade(29, 9, 1, 2)], dict.fromkeys(range(4), Why.CUT), id="on end"
        ),
        pytest.param(
            [trade(9, 8, 2, 3), trade(11, 8, 1), trade(19, 7, 1, 3), trade(22, 7, 1)],
            {0: Why.CUT, 1: None, 2: Why.CUT},
            id="as much comes as goes",
        ),
    ],
)
def test_what_trades_across_ends_of_minutes_explain_is_told_as_cut(
    trades: list[Trade], whys: dict[int, Why | None]
) -> None:
    assert Market([FIRST, *trades, trade(51, 7, 1)]).whys() == dict.fromkeys((0, 5), None) | whys


def test_a_candle_of_binance_as_it_was() -> None:
    """BTCUSDT on 2024-01-01: the last aggregate of the year before, at 42314.0, has fills of the first minute."""
    market = Market([FIRST, trade(9, 423_140, 1, 13), trade(12, 423_139, 3_297), trade(31, 7, 1)])
    assert (market.bars[1].amounts.open, market.candles[1].amounts.open) == (423_139, 423_140)
    assert market.whys() == {0: Why.CUT, 1: Why.CUT, 3: None}


@pytest.mark.parametrize(
    ("minute", "changed", "why"),
    [
        (2, {"open": 7}, Why.OPEN),
        (2, {"high": 9}, Why.OPEN),
        (2, {"low": 5}, Why.OPEN),
        (2, {"close": 5}, Why.OPEN),
        (2, {"volume": 5}, Why.OPEN),
        (1, {"volume": 3}, Why.VOLUME),
        (1, {"volume": 1}, Why.VOLUME),
        (1, {"high": 9}, Why.HIGH),
        (3, {"volume": 2}, Why.VOLUME),
    ],
)
def test_what_no_such_trade_explains_is_told_by_the_field(minute: int, changed: dict[str, int], why: Why) -> None:
    market = Market([FIRST, trade(19, 8, 2, 3), trade(22, 6, 1), trade(31, 6, 1), trade(41, 6, 1)])
    assert market.whys() == {0: None, 1: Why.CUT, 2: Why.CUT, 3: None, 4: None}
    market.candles[minute] = Candle(market.candles[minute].amounts._replace(**changed), None, "one")
    assert market.whys()[minute] is why


def test_trades_of_a_candle_that_come_from_nowhere_are_told() -> None:
    market = Market([FIRST, trade(11, 7, 1), trade(21, 7, 1), trade(31, 7, 1)])
    del market.bars[1]
    assert market.whys() == {0: None, 1: Why.NO_BAR, 2: None, 3: None}


def test_what_hangs_on_the_next_minute_waits_for_its_candle_and_its_bar() -> None:
    market = Market([FIRST, trade(9, 8, 2, 3), trade(12, 6, 1), trade(21, 6, 1)])
    told = Told()
    told.take(0, market.bars[0], market.candles[0])
    assert told.in_the_end() == {}
    told.take(1, None, market.candles[1])
    assert told.in_the_end() == {}
    told.take(1, market.bars[1], None)
    list(told.check.overdue(PATIENCE_S))
    assert [one.why for one in told.check.overdue(2 * PATIENCE_S)] == [Why.CUT, Why.CUT]


def test_what_hangs_on_a_minute_before_the_first_candle_is_not_told() -> None:
    market = Market([FIRST, trade(9, 8, 2, 3), trade(19, 6, 1, 2), trade(22, 7, 1), trade(31, 7, 1)])
    assert market.whys([1, 2, 3]) == {3: None}
    del market.candles[0]
    told = Told()
    for at in range(4):
        told.take(at, market.bars[at], market.candles.get(at))
    assert told.in_the_end() == {3: None}
    told = Told()
    market.bars[0] = Bar(market.bars[0].amounts._replace(close=9), 2)
    for at in range(4):
        told.take(at, market.bars[at], market.candles.get(at))
    assert told.in_the_end() == {1: Why.OPEN, 2: Why.OPEN, 3: None}


def test_what_hangs_on_a_minute_with_trades_missing_is_not_told() -> None:
    market = Market([
        FIRST, trade(9, 8, 2, 3), trade(12, 8, 1), trade(19, 6, 1, 2), trade(22, 7, 1), trade(31, 7, 1)
    ])  # fmt: skip
    whole = market.bars[1]
    market.bars[1] = Bar(whole.amounts._replace(volume=whole.amounts.volume - 1), whole.trades - 1, missing=1)
    assert market.whys() == {1: Why.TRADES_MISSING, 3: None}


def test_what_hangs_on_a_minute_between_two_runs_of_the_bridge_is_not_told_and_does_not_wait() -> None:
    market = Market([FIRST, trade(19, 8, 2, 3), trade(22, 7, 1), trade(31, 7, 1), trade(41, 7, 1)])
    told = Told()
    for at in range(5):
        candle = None if at == 2 else replace(market.candles[at], session="one" if at < 2 else "two")
        told.take(at, market.bars[at], candle)
    assert told.in_the_end() == {0: None, 3: None, 4: None}
    assert told.check.waiting == 0


SIZE = st.integers(1, 3)
FILLS = st.lists(st.tuples(st.integers(0, 1), SIZE), min_size=1, max_size=3)


@st.composite
def markets(draw: st.DrawFn) -> list[Trade]:
    """Trades of some minutes, each of fills of a price; the first and the last minute have one that is not cut."""
    trades, tick = [FIRST], TICKS
    for after, price, fills in draw(st.lists(st.tuples(st.integers(0, 7), st.integers(6, 9), FILLS), max_size=12)):
        ticks = list(accumulate((later for later, _ in fills[1:]), initial=tick + after))
        trades.append([Fill(at, price, size) for at, (_, size) in zip(ticks, fills, strict=True)])
        tick = ticks[-1]
    return [*trades, trade((tick // TICKS + 2) * TICKS, 7, 1)]


@given(markets())
def test_every_minute_of_a_market_is_equal_or_cut(trades: list[Trade]) -> None:
    market = Market(trades)
    whys = market.whys()
    for at in market.minutes:
        bar, candle = market.bars.get(at), market.candles[at]
        if bar is None:
            assert whys.get(at, "nothing") is (Why.CUT if candle.amounts.volume else "nothing")
        else:
            assert whys[at] is (None if bar.amounts == candle.amounts else Why.CUT)


@given(markets(), st.data())
def test_no_minute_with_an_amount_that_is_wrong_is_equal_or_cut(trades: list[Trade], data: st.DataObject) -> None:
    market = Market(trades)
    at = data.draw(st.sampled_from([at for at in market.bars if at]))
    name = data.draw(st.sampled_from(Amounts._fields))
    right = market.candles[at]
    market.candles[at] = Candle(right.amounts._replace(**{name: getattr(right.amounts, name) + 1_000}), None, "one")
    assert market.whys()[at] not in (None, Why.CUT)
