"""Bars against candles: what is told of each minute, and when."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agents.reconciliation.minutes import Amounts, Bar, Candle, Why, difference
from agents.reconciliation.pairs import KEPT_MINUTES, Reconciliation, Series, Verdict
from app.units import MINUTE_NS
from app.venues import Candles

PATIENCE_S = 300.0
BTC = Series("kraken", "BTC-USD")
AMOUNTS = Amounts(open=10, high=14, low=9, close=12, volume=5)
NOTHING = Amounts(open=12, high=12, low=12, close=12, volume=0)


def bar(missing: int | None = 0, trades: int = 3, **changed: int) -> Bar:
    return Bar(AMOUNTS._replace(**changed), trades, missing)


def candle(trades: int | None = 3, session: str = "one", **changed: int) -> Candle:
    return Candle(AMOUNTS._replace(**changed), trades, session)


class Told:
    """A reconciliation of one instrument; minutes by their numbers."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.check = Reconciliation(patience_s, {"kraken": Candles.OF_TRADES})
        self.verdicts: list[Verdict] = []

    def bar(self, minute: int, of: Bar, at_s: float = 0.0) -> None:
        self._add(self.check.take_bar(BTC, 0, minute * MINUTE_NS, of, at_s))

    def candle(self, minute: int, of: Candle, at_s: float = 0.0) -> None:
        self._add(self.check.take_candle(BTC, 0, minute * MINUTE_NS, of, at_s))

    def at(self, now_s: float) -> None:
        for verdict in self.check.overdue(now_s):
            self._add(verdict)

    def _add(self, verdict: Verdict | None) -> None:
        self.verdicts += [] if verdict is None else [verdict]

    @property
    def whys(self) -> list[tuple[int, Why | None]]:
        return [(verdict.start_ns // MINUTE_NS, verdict.why) for verdict in self.verdicts]


def test_what_is_equal_is_told_at_once_and_once() -> None:
    told = Told()
    told.bar(7, bar())
    told.candle(7, candle())
    assert told.verdicts == [Verdict(BTC, 7 * MINUTE_NS, None, bar(), candle())]
    told.candle(7, candle(high=99))
    told.bar(7, bar(close=99))
    told.at(10 * PATIENCE_S)
    assert len(told.verdicts) == 1


def test_what_differs_has_time_to_be_revised() -> None:
    told = Told()
    told.candle(7, candle())
    told.bar(7, bar(volume=4), at_s=1.0)
    told.at(PATIENCE_S - 1)
    assert told.whys == []
    told.bar(7, bar())
    assert told.whys == [(7, None)]
    told.at(10 * PATIENCE_S)
    assert told.whys == [(7, None)]


def test_what_still_differs_is_told_with_both_sides_and_no_revision_changes_that() -> None:
    told = Told()
    told.bar(7, bar(low=1))
    told.candle(7, candle())
    told.at(PATIENCE_S)
    assert told.verdicts == [Verdict(BTC, 7 * MINUTE_NS, Why.LOW, bar(low=1), candle())]
    told.bar(7, bar())
    assert told.whys == [(7, Why.LOW)]


def test_each_field_has_its_name() -> None:
    for name in Amounts._fields:
        assert difference(bar(), Candle(AMOUNTS._replace(**{name: 99}), 3, "one")) is Why(name)
    assert difference(bar(), candle(trades=4)) is Why.COUNT
    assert difference(bar(trades=4), candle(trades=None)) is None
    assert difference(bar(missing=1), candle(volume=99)) is Why.TRADES_MISSING
    assert difference(bar(missing=1), candle()) is None
    assert difference(bar(missing=None), candle(volume=99)) is Why.VOLUME


def test_a_candle_that_opens_at_the_close_before_it_is_equal_but_for_that_price() -> None:
    for price, high, low in ((10, 14, 9), (99, 99, 9), (1, 14, 1)):
        told = candle(open=price, high=high, low=low)
        assert difference(bar(), told, Candles.FROM_LAST_CLOSE) is None
        for name in ("high", "low", "close", "volume"):
            assert difference(bar(**{name: 20}), told, Candles.FROM_LAST_CLOSE) is (
                None if (name, price) in {("high", 99), ("low", 1)} else Why(name)
            )
    assert difference(bar(), candle(open=99, high=99), Candles.OF_TRADES) is Why.OPEN
    assert difference(bar(trades=4), candle(open=11), Candles.FROM_LAST_CLOSE) is Why.COUNT
    assert difference(bar(missing=1), candle(open=11, high=99), Candles.FROM_LAST_CLOSE) is Why.TRADES_MISSING


def test_a_minute_without_trades_is_no_difference() -> None:
    empty = Candle(NOTHING, 0, "one")
    assert difference(None, empty) is None
    assert difference(Bar(AMOUNTS._replace(volume=0), 0), empty) is None
    assert difference(Bar(AMOUNTS._replace(volume=0), 0), None) is None
    assert difference(bar(), empty) is Why.OPEN
    told = Told()
    told.candle(7, empty)
    told.bar(8, bar())
    told.at(10 * PATIENCE_S)
    assert told.whys == []


def test_a_candle_without_a_bar_is_told_once_the_fold_is_known_to_be_further() -> None:
    told = Told()
    told.candle(7, candle())
    told.at(PATIENCE_S)
    assert told.whys == []
    told.bar(8, bar(), at_s=PATIENCE_S)
    told.at(2 * PATIENCE_S)
    assert told.whys == [(7, Why.NO_BAR)]


def test_without_patience_what_differs_is_told_at_the_next_look_and_what_cannot_be_told_yet_at_a_later_one() -> None:
    told = Told(patience_s=0.0)
    told.candle(7, candle())
    told.at(0.0)
    assert (told.whys, told.check.waiting) == ([], 1)
    told.bar(8, bar())
    told.candle(8, candle(close=13))
    told.at(0.0)
    assert (told.whys, told.check.waiting) == ([(7, Why.NO_BAR), (8, Why.CLOSE)], 0)


def test_bars_of_another_partition_say_nothing_of_this_one() -> None:
    told = Told()
    told.candle(7, candle())
    told.check.take_bar(Series("kraken", "ETH-USD"), 1, 8 * MINUTE_NS, bar(), 0.0)
    told.at(PATIENCE_S)
    assert told.whys == []


def test_a_bar_without_a_candle_is_told_once_the_same_run_has_told_a_later_one() -> None:
    told = Told()
    told.candle(6, candle())
    told.bar(6, bar())
    told.bar(7, bar())
    told.at(10 * PATIENCE_S)
    told.candle(8, candle(), at_s=11 * PATIENCE_S)
    told.bar(8, bar())
    told.at(12 * PATIENCE_S)
    assert told.whys == [(6, None), (8, None), (7, Why.NO_CANDLE)]


def test_bars_before_the_first_candle_or_between_two_runs_of_the_bridge_are_not_told() -> None:
    told = Told()
    for minute in (5, 6, 7, 8):
        told.bar(minute, bar())
    told.candle(6, candle())
    told.candle(8, candle(session="two"))
    told.at(10 * PATIENCE_S)
    assert told.whys == [(6, None), (8, None)]


def test_memory_is_bounded_and_what_is_far_behind_is_not_told() -> None:
    told = Told()
    for minute in range(1_000):
        told.bar(minute, bar())
    tape = told.check._tapes[BTC]
    assert len(tape.pairs) <= KEPT_MINUTES
    told.candle(999 - KEPT_MINUTES, candle())
    told.candle(1_000 - KEPT_MINUTES, candle())
    assert told.whys == [(1_000 - KEPT_MINUTES, None)]
    for minute in range(1_000, 2_000):
        told.bar(minute, bar())
        told.candle(minute, candle())
    assert len(tape.told) <= KEPT_MINUTES


def test_what_was_told_is_not_told_again_when_partitions_come_back() -> None:
    told = Told()
    told.bar(6, bar())
    told.candle(6, candle())
    told.bar(7, bar(open=1))
    told.candle(7, candle())
    told.check.forget_waiting()
    told.at(10 * PATIENCE_S)
    assert told.whys == [(6, None)]
    for minute in (6, 7):
        told.bar(minute, bar())
        told.candle(minute, candle())
    assert told.whys == [(6, None), (7, None)]


MINUTES = range(1, 6)
LAST = len(MINUTES) + 1
AMOUNT = st.sampled_from([1, 2])
BARS = st.lists(st.builds(lambda volume, missing: bar(missing, volume=volume), AMOUNT, st.sampled_from([0, 2])))
CANDLE = st.none() | st.builds(lambda volume: candle(volume=volume), AMOUNT)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, Bar | Candle]]:
    """Bars with their revisions and candles, each kind in its order, mixed in any way."""
    candles: list[tuple[int, Bar | Candle]] = [(minute, one) for minute in MINUTES if (one := draw(CANDLE)) is not None]
    bars: list[tuple[int, Bar | Candle]] = draw(
        st.permutations([(minute, one) for minute in MINUTES for one in draw(BARS)])
    )
    turns = draw(st.permutations([True] * len(bars) + [False] * len(candles)))
    return [(bars if is_bar else candles).pop(0) for is_bar in turns]


def expected(events: Sequence[tuple[int, Bar | Candle]], minute: int) -> Why | str | None:
    """What is to be told of a minute in the end, by its own events alone."""
    own = [one for at, one in events if at == minute]
    bars = [one for one in own if isinstance(one, Bar)]
    candles = [(at, one) for at, one in enumerate(own) if isinstance(one, Candle)]
    if not candles:
        first = min((at for at, one in events if isinstance(one, Candle)), default=LAST)
        return Why.NO_CANDLE if bars and first <= minute else "nothing"
    if not bars:
        return Why.NO_BAR
    at, other = candles[0]
    met = [one for one in own[:at] if isinstance(one, Bar)][-1:] + [one for one in own[at:] if isinstance(one, Bar)]
    if any(one.amounts.volume == other.amounts.volume for one in met):
        return None
    return Why.TRADES_MISSING if bars[-1].missing else Why.VOLUME


@given(histories())
def test_in_the_end_each_minute_is_told_once_and_as_its_own_bars_and_candle_say(
    events: list[tuple[int, Bar | Candle]],
) -> None:
    told = Told()
    for minute, one in [*events, (LAST, bar()), (LAST, candle())]:
        if isinstance(one, Bar):
            told.bar(minute, one)
        else:
            told.candle(minute, one)
    told.at(PATIENCE_S)
    wanted = {minute: expected(events, minute) for minute in MINUTES}
    assert dict(told.whys) == {minute: why for minute, why in wanted.items() if why != "nothing"} | {LAST: None}
    assert len(told.whys) == len(dict(told.whys))
    assert told.check.waiting == 0
