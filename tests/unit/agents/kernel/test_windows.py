"""Windows that overlap and windows of an exchange's hours are made of the same trades as any other bar."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from agents.kernel import CorruptState, FoldConfig
from tests.unit.agents.kernel.bar_oracle import Correction, Event, Published, Rules
from tests.unit.agents.kernel.partition_kit import (
    NOON,
    SECOND,
    Partition,
    a_clock,
    a_trade,
    read_bar,
    read_live,
    records_of,
)
from tests.unit.agents.kernel.record_sets import record_batch

MINUTE = 60 * SECOND
RULES = Rules(
    (("1s", SECOND), ("1m", MINUTE), ("1d", 86_400 * SECOND)),
    out_of_order_ns=SECOND,
    grace_ns=SECOND,
    horizon_ns=600 * SECOND,
    max_ahead_ns=SECOND,
)
HOPPING = replace(RULES, hopping=(("3m/1m", 3 * MINUTE, MINUTE),))


def hours(*minutes: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple((NOON + start * MINUTE, NOON + end * MINUTE) for start, end in minutes)


SESSIONS = replace(RULES, sessions={("binance", ""): {"1d": hours((0, 5), (10, 15)), "pre": hours((-2, 0), (8, 10))}})


def folded(rules: Rules, events: Sequence[Event]) -> Partition:
    partition = Partition(rules)
    partition.fold(record_batch(0, records_of(events)))
    partition.flush()
    return partition


def last_bars(partition: Partition, interval: str) -> dict[int, Published]:
    """By the minute after noon that the window begins with: the bar's last publication."""
    bars = (read_bar(key, value) for key, value in partition.bars)
    return {(bar.window.start_ns - NOON) // MINUTE: bar for bar in bars if bar.window.interval == interval}


def volumes(partition: Partition, interval: str) -> dict[int, Decimal]:
    return {start: bar.volume for start, bar in last_bars(partition, interval).items()}


def test_a_trade_is_in_every_hopping_window_over_it() -> None:
    partition = folded(HOPPING, [a_trade(0, 10, size="1"), a_trade(1, 70, size="2"), a_clock(2, 1000)])
    assert volumes(partition, "3m/1m") == {-2: 1, -1: 3, 0: 3, 1: 2}
    assert [key.split(b":")[2] for key, _ in partition.bars if b"3m" in key] == [b"3m/1m"] * 4


def test_a_hopping_bar_has_first_last_and_extreme_prices_of_all_of_its_minutes() -> None:
    trades: list[Event] = [
        a_trade(0, 10, price="5"),
        a_trade(1, 70, price="9"),
        a_trade(2, 130, price="4"),
        a_trade(3, 131, "6"),
    ]
    bar = last_bars(folded(HOPPING, [*trades, a_clock(4, 1000)]), "3m/1m")[0]
    assert [bar.open, bar.high, bar.low, bar.close, bar.notional] == [Decimal(price) for price in (5, 9, 4, 6, 24)]
    assert (bar.trade_count, bar.first_offset, bar.last_offset) == (4, 0, 3)


def test_a_late_trade_revises_the_hopping_bars_that_are_final_and_is_in_those_that_form() -> None:
    partition = folded(HOPPING, [a_trade(0, 10), a_clock(1, 62), a_trade(2, 11)])
    bars = last_bars(partition, "3m/1m")
    assert {start: (bar.state, bar.trade_count) for start, bar in bars.items()} == {-2: ("revised", 2)}
    live = {window: bar for value in partition.live_all().values() for window, bar in read_live(value).items()}
    assert [bar["trade_count"] for window, bar in live.items() if window.interval == "3m/1m"] == [2, 2]


def test_a_cancellation_leaves_every_hopping_bar() -> None:
    cancel = Correction(3, "binance", "BTC-USDT", "0", None, NOON + 100 * SECOND)
    partition = folded(HOPPING, [a_trade(0, 10, size="5"), a_trade(1, 20), a_clock(2, 62), cancel, a_clock(4, 400)])
    assert volumes(partition, "3m/1m") == {-2: 1, -1: 1, 0: 1}


def test_a_gap_is_missing_from_every_hopping_window_that_it_touches() -> None:
    rules = replace(HOPPING, contiguous=frozenset({"binance"}))
    partition = folded(rules, [a_trade(0, 10, trade_id="1"), a_trade(1, 250, trade_id="4"), a_clock(2, 1000)])
    assert {start: bar.missing for start, bar in last_bars(partition, "3m/1m").items()} == dict.fromkeys(
        [-2, -1, 0, 2, 3, 4], 2
    )


def test_a_forming_hopping_bar_comes_back_from_its_minutes() -> None:
    partition = folded(HOPPING, [a_trade(0, 10), a_clock(1, 62), a_trade(2, 70)])
    before = partition.live_all()
    partition.crash_and_restore(is_compacted=True)
    assert partition.live_all() == before


def test_a_daily_bar_is_of_the_hours_of_its_exchange() -> None:
    events: list[Event] = [
        a_trade(0, -61),
        a_trade(1, 0),
        a_trade(2, 299),
        a_trade(3, 300),
        a_trade(4, 660),
        a_clock(5, 2000),
    ]
    partition = folded(SESSIONS, events)
    assert {start: bar.trade_count for start, bar in last_bars(partition, "1d").items()} == {0: 2, 10: 1}
    assert {start: bar.trade_count for start, bar in last_bars(partition, "pre").items()} == {-2: 1}


def test_a_venue_without_a_calendar_keeps_the_days_of_utc() -> None:
    trade = replace(a_trade(0, -61), venue="kraken")
    partition = folded(SESSIONS, [trade, a_clock(1, 2 * 86_400, venue="kraken")])
    assert list(last_bars(partition, "1d")) == [-12 * 60]
    assert last_bars(partition, "pre") == {}


def test_an_instrument_may_have_hours_of_its_own() -> None:
    sessions = {**SESSIONS.sessions, ("binance", "ETH-USDT"): {"1d": hours((0, 15))}}
    trades: list[Event] = [a_trade(0, 0), a_trade(1, 660), replace(a_trade(2, 660), instrument="ETH-USDT")]
    partition = folded(replace(RULES, sessions=sessions), [*trades, a_clock(3, 2000)])
    bars = [read_bar(key, value).window for key, value in partition.bars]
    days = {(bar.instrument, (bar.start_ns - NOON) // MINUTE) for bar in bars if bar.interval == "1d"}
    assert days == {("BTC-USDT", 0), ("BTC-USDT", 10), ("ETH-USDT", 0)}


NEW = replace(RULES, hopping=(("2m/1m", 2 * MINUTE, MINUTE),))
CHANGED = [
    (RULES, NEW, "the intervals 1s, 1m, 1d, and now 1s, 1m, 1d, 2m/1m are configured"),
    (NEW, RULES, "the intervals 1s, 1m, 1d, 2m/1m, and now 1s, 1m, 1d are configured"),
    (
        RULES,
        SESSIONS,
        "binance in the state are of the intervals 1s, 1m, 1d, and now 1s, 1m, 1d by hours",
    ),
]


@pytest.mark.parametrize(("before", "after", "reason"), CHANGED)
def test_intervals_that_the_state_was_not_folded_with_are_refused(before: Rules, after: Rules, reason: str) -> None:
    partition = folded(before, [a_trade(0, 0)])
    with pytest.raises(CorruptState, match=reason):
        partition.come_back(after)


def test_hours_of_a_venue_that_has_not_traded_yet_can_be_added() -> None:
    partition = folded(RULES, [a_trade(0, 0), a_clock(1, 62)])
    partition.come_back(replace(RULES, sessions={("nasdaq", ""): SESSIONS.sessions["binance", ""]}))
    assert partition.next_offset == 2


def test_state_of_a_session_that_its_calendar_no_longer_has_is_refused() -> None:
    partition = folded(SESSIONS, [a_trade(0, 0), a_clock(1, 62)])
    other = replace(SESSIONS, sessions={("binance", ""): {"1d": hours((1, 5)), "pre": ()}})
    with pytest.raises(CorruptState, match=r"a bar of 1d from \d+, a window of none of the configured intervals"):
        partition.come_back(other, is_compacted=False)


HOURS = b"\1H"


def by_hours(*day: tuple[int, int]) -> Rules:
    return replace(RULES, intervals=RULES.intervals[:2], sessions={("binance", ""): {"day": hours(*day)}})


TRADED: list[Event] = [a_trade(0, 30), a_trade(1, 360)]
"""One in the first five minutes, and one behind them: both within the horizon."""
OTHER_HOURS = [
    ([(0, 5)], [(0, 15)], TRADED),
    ([(0, 15)], [(0, 5)], TRADED),
    ([(0, 5)], [(0, 15)], [*TRADED, a_clock(2, 420)]),
    ([(0, 5)], [(0, 5), (6, 10)], TRADED),
    ([(0, 5)], [(0, 30)], [*TRADED, a_clock(2, 1000)]),  # that bar is gone
    ([(0, 5)], [(0, 30)], [*TRADED, a_clock(2, 1200)]),  # and all of its instrument
]


@pytest.mark.parametrize(("before", "after", "events"), OTHER_HOURS)
def test_hours_that_bars_of_the_state_are_not_by_are_refused(
    before: list[tuple[int, int]], after: list[tuple[int, int]], events: list[Event]
) -> None:
    partition = folded(by_hours(*before), events)
    told = (
        r"of venue binance( BTC-USDT)? in the state are by other hours than are configured: day from .*, and now from"
    )
    with pytest.raises(CorruptState, match=told):
        partition.come_back(by_hours(*after))


def test_a_calendar_may_grow_and_change_what_is_long_past_or_still_to_come() -> None:
    partition = folded(by_hours((-100, -90), (0, 5), (60, 65)), [*TRADED, a_clock(2, 420)])
    for offset, seconds in ((3, 3700), (4, 3960)):
        partition.come_back(by_hours((-100, -80), (0, 5), (60, 70), (3000, 3010)))
        partition.take(a_trade(offset, seconds))
    partition.take(a_clock(5, 8000))
    assert {start: bar.trade_count for start, bar in last_bars(partition, "day").items()} == {0: 1, 60: 2}


def test_hours_are_written_once_a_day() -> None:
    partition = folded(by_hours((0, 5), (3000, 3010)), TRADED)
    for offset, seconds in ((2, 400), (3, 90_000), (4, 91_000)):
        partition.crash_and_restore(is_compacted=True)
        partition.fold(record_batch(offset, records_of([a_clock(offset, seconds)])))
        partition.flush()
    assert [key for key, _ in partition.changelog].count(HOURS) == 2


def test_state_of_a_release_that_did_not_write_its_hours_is_taken_for_what_is_configured() -> None:
    partition = folded(by_hours((0, 5)), TRADED)
    partition.changelog = [record for record in partition.changelog if record[0] != HOURS]
    partition.come_back(by_hours((0, 15)))
    partition.take(a_clock(2, 420))
    with pytest.raises(CorruptState, match="by other hours"):
        partition.come_back(by_hours((0, 5)))


@pytest.mark.parametrize(
    ("intervals", "sessions", "reason"),
    [
        ([("7m", 7 * MINUTE, 7 * MINUTE)], {}, "7m does not divide a day"),
        ([("1s", SECOND, SECOND), ("7s/2s", 7 * SECOND, 2 * SECOND)], {}, "7s/2s is no multiple of its hop"),
        ([("2m/1m", 2 * MINUTE, MINUTE)], {}, "at least one interval that does not hop"),
        ([("1h", 60 * MINUTE, 60 * MINUTE)], {"day": hours((0, 90))}, "day is not made of windows of a finer"),
        ([("1m", MINUTE, MINUTE)], {"day": hours((0, 2), (1, 3))}, "day has sessions that overlap"),
        ([("1m", MINUTE, MINUTE)], {"1m": hours((0, 1))}, "1m is the base interval"),
    ],
)
def test_windows_that_cannot_be_are_refused(
    intervals: list[tuple[str, int, int]], sessions: dict[str, tuple[tuple[int, int], ...]], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        FoldConfig(
            intervals=intervals,
            out_of_order_ns=0,
            grace_ns=0,
            horizon_ns=0,
            max_ahead_ns=0,
            sessions={("nasdaq", ""): sessions},
        )
