"""A log whose oldest records are gone: what is published of it is what the whole log would have published."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.agents.kernel.bar_oracle import Clock, Event, Published, Rules, Trade, Window
from tests.unit.agents.kernel.partition_kit import (
    NOON,
    SECOND,
    Json,
    Partition,
    a_clock,
    a_trade,
    read_bar,
    read_live,
    records_of,
)
from tests.unit.agents.kernel.record_sets import LOG_APPEND_TIME, record_batch

MS: Final = 1_000_000
RULES: Final = Rules(
    (("1s", SECOND), ("5s", 5 * SECOND), ("1m", 60 * SECOND)),
    out_of_order_ns=SECOND,
    grace_ns=SECOND,
    horizon_ns=20 * SECOND,
    max_ahead_ns=2 * SECOND,
    hopping=(("4s/2s", 4 * SECOND, 2 * SECOND),),
)
LOST: Final = 5
"""The first offset of the logs below that is still there."""


def batch(event: Event, appended_ns: int) -> bytes:
    """The event's record as the log took it at this time."""
    return record_batch(event.offset, records_of([event]), flags=LOG_APPEND_TIME, base_timestamp_ms=appended_ns // MS)


def cut() -> Partition:
    """A partition whose log begins at offset `LOST`."""
    return cut_at(LOST)


def cut_at(first: int) -> Partition:
    partition = Partition(RULES)
    partition._fold.lacks_beginning()
    partition.next_offset = first
    return partition


def take(partition: Partition, *events: Trade | Clock) -> None:
    """Fold events that come to the log at the time that they are of, and flush."""
    for event in events:
        partition.fold(batch(event, event.event_time_ns if isinstance(event, Trade) else event.time_ns))
    partition.flush()


def starts(windows: Iterable[Window]) -> dict[str, list[float]]:
    """By interval: the seconds after noon at which they start."""
    found: dict[str, list[float]] = {}
    for window in sorted(windows, key=lambda each: each.start_ns):
        found.setdefault(window.interval, []).append((window.start_ns - NOON) / SECOND)
    return found


def published(partition: Partition) -> dict[str, list[float]]:
    """Of each bar that was published since the last call."""
    bars, partition.bars = partition.bars, []
    return starts(read_bar(key, value).window for key, value in bars)


def shown(partition: Partition) -> dict[str, list[float]]:
    """Of each bar that is shown while it forms."""
    return starts(window for value in partition.live_all().values() for window in read_live(value))


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[Event, int]]:
    """Events with the times at which the log took them; some are late, or dated ahead of their receipt."""
    log: list[tuple[Event, int]] = []
    appended_ns = NOON
    for offset in range(draw(st.integers(2, 40))):
        appended_ns += draw(st.sampled_from([0, 100 * MS, SECOND, 3 * SECOND, 20 * SECOND]))
        ahead_ns = draw(st.sampled_from([2 * SECOND, SECOND, 0, 0, -SECOND // 2, -SECOND, -3 * SECOND, -30 * SECOND]))
        if draw(st.integers(0, 4)) == 0:
            log.append((Clock(offset, "binance", appended_ns + min(ahead_ns, 0)), appended_ns))
            continue
        trade = a_trade(offset, 0, price=str(draw(st.integers(1, 9))))
        instrument = draw(st.sampled_from(["BTC-USDT", "ETH-USDT"]))
        event_time_ns = appended_ns + ahead_ns
        dated = replace(trade, instrument=instrument, event_time_ns=event_time_ns, receive_time_ns=appended_ns)
        log.append((dated, appended_ns))
    return log


def last_bars(partition: Partition) -> dict[Window, Published]:
    bars = (read_bar(key, value) for key, value in partition.bars)
    return {bar.window: bar for bar in bars}


def forming(partition: Partition) -> dict[Window, Json]:
    return {window: bar for value in partition.live_all().values() for window, bar in read_live(value).items()}


@given(logs(), st.data())
@settings(max_examples=300, deadline=None)
def test_what_is_left_of_a_log_gives_the_bars_of_all_of_it_or_none(
    log: Sequence[tuple[Event, int]], data: st.DataObject
) -> None:
    lost = data.draw(st.integers(1, len(log) - 1))
    crashes = data.draw(st.sets(st.integers(lost, len(log))))
    whole, rest = Partition(RULES), cut_at(lost)
    for event, appended_ns in log:
        whole.fold(batch(event, appended_ns))
    whole.flush()
    for event, appended_ns in log[lost:]:
        rest.fold(batch(event, appended_ns))
        if event.offset in crashes:
            rest.flush()
            rest.crash_and_restore(is_compacted=True)
    rest.flush()
    from_ns = log[lost][1] + MS + RULES.max_ahead_ns
    assert last_bars(rest) == {window: bar for window, bar in last_bars(whole).items() if window.start_ns >= from_ns}
    assert forming(rest) == {window: bar for window, bar in forming(whole).items() if window.start_ns >= from_ns}


def test_windows_that_may_have_begun_before_the_first_record_are_not_published() -> None:
    partition = cut()
    take(partition, a_trade(5, 10), a_trade(6, 12.5), a_trade(7, 13), a_trade(8, 60), a_clock(9, 200))
    assert published(partition) == {"1s": [13, 60], "5s": [60], "1m": [60], "4s/2s": [58, 60]}


def test_nor_are_their_revisions() -> None:
    partition = cut()
    take(partition, a_trade(5, 10), a_trade(6, 20), a_clock(7, 28))
    assert published(partition) == {"1s": [20], "5s": [20], "4s/2s": [18, 20]}
    take(partition, a_trade(8, 10.5), a_trade(9, 20.5))
    assert published(partition) == {"1s": [20], "5s": [20], "4s/2s": [18, 20]}


def test_nor_are_they_shown_while_they_form() -> None:
    partition = cut()
    take(partition, a_trade(5, 10))
    assert shown(partition) == {}
    take(partition, a_trade(6, 16))
    assert shown(partition) == {"1s": [16], "5s": [15], "4s/2s": [14, 16]}


def test_a_crash_does_not_bring_them_back() -> None:
    partition = cut()
    take(partition, a_trade(5, 10))
    partition.crash_and_restore(is_compacted=True)
    take(partition, a_clock(6, 200))
    assert published(partition) == {}


def test_nor_does_one_before_any_record_could_be_read() -> None:
    partition = cut()
    damaged = bytearray(batch(a_trade(5, 10), NOON))
    damaged[-1] ^= 1
    assert partition.fold(bytes(damaged))["dead"] == 1
    partition.flush()
    partition.crash_and_restore(is_compacted=True)
    assert partition.next_offset == LOST + 1
    take(partition, a_trade(6, 10), a_trade(7, 13), a_clock(8, 59))
    assert published(partition) == {"1s": [13]}


def test_a_log_that_begins_where_it_began_is_published_whole() -> None:
    partition = Partition(RULES)
    take(partition, a_trade(0, 10), a_clock(1, 200))
    assert published(partition).keys() == {"1s", "5s", "1m", "4s/2s"}
    assert b"\1W" not in dict(partition.changelog)


@pytest.mark.parametrize("appended_ms", [2**63 - 1, -(2**63)])
def test_a_time_of_the_log_may_be_any(appended_ms: int) -> None:
    partition = cut()
    event = a_trade(5, 10)
    records = records_of([event, a_clock(6, 200)])
    partition.fold(record_batch(5, records, flags=LOG_APPEND_TIME, base_timestamp_ms=appended_ms))
    partition.flush()
    partition.crash_and_restore(is_compacted=True)
    assert bool(partition.bars) == (appended_ms < 0)
