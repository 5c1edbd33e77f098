"""At the bounds of what a bar can hold: the last amount that fits is exact, and one more is a dead letter."""

from decimal import Decimal

import pytest

from app.units import MILLISECOND_NS
from tests.unit.agents.kernel.bar_oracle import EXACT, Event, Rules, Tape, Trade
from tests.unit.agents.kernel.partition_kit import (
    NOON,
    SECOND,
    Partition,
    a_clock,
    a_trade,
    read_bar,
    records_of,
    trade_value,
)
from tests.unit.agents.kernel.record_sets import LOG_APPEND_TIME, KafkaRecord, record_batch

MINUTES = Rules((("1m", 60 * SECOND),), out_of_order_ns=0, grace_ns=0, horizon_ns=900 * SECOND, max_ahead_ns=SECOND)
TICK = Decimal("0.000000000000000001")
LARGEST = Decimal("99999999999999999999.999999999999999999")
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)


def folded(*trades: Trade) -> Partition:
    """A partition that has taken the trades and a clock that ends their minute, all flushed."""
    partition = Partition(MINUTES)
    events: list[Event] = [*trades, a_clock(len(trades), 61)]
    partition.fold(record_batch(0, records_of(events)))
    partition.flush()
    return partition


def dead_reasons(*values: bytes) -> list[str]:
    """Why each of these records cannot be folded; they are the only ones."""
    partition = Partition(MINUTES)
    partition.fold(record_batch(0, [KafkaRecord(b"key", value) for value in values]))
    flush = partition.flush()
    assert partition.dead == list(range(len(values)))
    assert [value for _, value, _, _ in flush.dead] == list(values)
    return [reason for _, _, _, reason in flush.dead]


@pytest.mark.parametrize(("price", "size"), [(LARGEST, TICK), (TICK, LARGEST), (LARGEST, LARGEST), (TICK, TICK)])
def test_the_largest_and_the_smallest_amounts_are_exact(price: Decimal, size: Decimal) -> None:
    trade = a_trade(0, 1, str(price), str(size))
    partition = folded(trade)
    expected = Tape(MINUTES).take_all([trade, a_clock(1, 61)])
    assert [read_bar(key, value) for key, value in partition.bars] == expected.published
    assert partition.dead == []


def test_a_volume_that_would_not_fit_is_refused_and_the_bar_stays_as_it_was() -> None:
    first, last_that_fits = a_trade(0, 1, "1", str(EXACT.subtract(LARGEST, TICK))), a_trade(1, 2, "1", str(TICK))
    one_more = a_trade(2, 3, "1", str(TICK))
    partition = folded(first, last_that_fits, one_more)
    (bar,) = (read_bar(key, value) for key, value in partition.bars)
    assert (bar.volume, bar.trade_count) == (LARGEST, 2)
    assert partition.dead == [2]


def test_a_notional_at_its_bound_is_exact_and_nothing_fits_beyond() -> None:
    """With the largest price the volume's bound comes first; up to it the notional is all digits."""
    trades = [a_trade(0, 1, str(LARGEST), str(EXACT.subtract(LARGEST, TICK))), a_trade(1, 2, str(LARGEST), str(TICK))]
    partition = folded(*trades, a_trade(2, 3, str(LARGEST), str(TICK)))
    (bar,) = (read_bar(key, value) for key, value in partition.bars)
    assert bar.notional == EXACT.multiply(LARGEST, LARGEST)
    assert partition.dead == [2]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"price": (10**38).to_bytes(16, "big")}, "price or size is out of range: at most 38 digits"),
        ({"size": (10**38).to_bytes(16, "big")}, "price or size is out of range: at most 38 digits"),
        ({"price": (10**418).to_bytes(174, "big")}, "price or size is out of range: at most 38 digits"),
        ({"price": b""}, "price or size is out of range: at most 38 digits"),
        ({"price": b"\0"}, "price is not positive"),
        ({"price": b"\xff"}, "price is not positive"),
        ({"size": b"\0"}, "size is not positive"),
        ({"size": b"\x80"}, "size is not positive"),
        ({"event_time_ns": INT64_MAX, "receive_time_ns": INT64_MAX}, "event time is out of range"),
        ({"event_time_ns": INT64_MIN, "receive_time_ns": INT64_MIN}, "event time is out of range"),
        ({"event_time_ns": NOON, "receive_time_ns": INT64_MIN}, "event time is too far ahead of its receive time"),
        ({"event_time_ns": NOON + 2 * SECOND}, "event time is too far ahead of its receive time"),
        ({"venue": ""}, "venue is empty, longer than 256 bytes or not printable ASCII"),
        ({"instrument": "A" * 257}, "instrument is empty, longer than 256 bytes or not printable ASCII"),
        ({"instrument": "BTC USDT"}, "instrument is empty, longer than 256 bytes or not printable ASCII"),
        ({"trade_id": "\n"}, "trade_id is empty, longer than 256 bytes or not printable ASCII"),
        ({"action": "cancel", "refers_to": "7"}, "refers_to names no trade that was counted"),
        ({"action": "correct", "refers_to": None}, "refers_to names no trade that was counted"),
    ],
)
def test_a_trade_that_is_none_is_a_dead_letter_with_its_reason(changed: dict[str, object], reason: str) -> None:
    assert dead_reasons(trade_value(a_trade(0, 0), **changed)) == [reason]


@pytest.mark.parametrize(("ahead_s", "is_refused"), [(1, False), (1.001, True), (176 * 365 * 86_400, True)])
def test_a_clock_further_ahead_of_the_log_than_a_trade_may_be_is_a_dead_letter(
    ahead_s: float, *, is_refused: bool
) -> None:
    partition = Partition(MINUTES)
    records = records_of([a_clock(0, ahead_s), a_trade(1, -899.5), a_trade(2, -899)])
    partition.fold(record_batch(0, records, flags=LOG_APPEND_TIME, base_timestamp_ms=NOON // MILLISECOND_NS))
    flush = partition.flush()
    reasons = ["the clock's time is too far ahead of when it came to the log"] if is_refused else []
    assert [reason for *_, reason in flush.dead] == reasons
    assert partition.late == ([] if is_refused else [1, 2])


@pytest.mark.parametrize(("ahead_s", "is_refused"), [(86_400, False), (86_400.001, True), (176 * 365 * 86_400, True)])
def test_a_trade_more_than_a_day_ahead_of_the_log_is_a_dead_letter_and_makes_none_late(
    ahead_s: float, *, is_refused: bool
) -> None:
    partition = Partition(MINUTES)
    records = records_of([a_trade(0, ahead_s), a_trade(1, 1)])
    partition.fold(record_batch(0, records, flags=LOG_APPEND_TIME, base_timestamp_ms=NOON // MILLISECOND_NS))
    flush = partition.flush()
    reasons = ["event time is more than a day ahead of when the record came to the log"] if is_refused else []
    assert [reason for *_, reason in flush.dead] == reasons
    assert partition.late == ([] if is_refused else [1])


def test_where_the_log_does_not_say_when_a_clock_came_to_it_none_is_ahead() -> None:
    partition = Partition(MINUTES)
    partition.fold(record_batch(0, records_of([a_clock(0, 10**6)]), base_timestamp_ms=NOON // MILLISECOND_NS))
    partition.flush()
    assert partition.dead == []


def test_zeros_in_front_of_an_amount_change_nothing() -> None:
    padded = trade_value(a_trade(0, 1), price=bytes(40) + (10 * 10**18).to_bytes(16, "big"))
    partition = Partition(MINUTES)
    partition.fold(record_batch(0, [KafkaRecord(b"key", padded), *records_of([a_clock(1, 61)])]))
    partition.flush()
    assert [read_bar(key, value).close for key, value in partition.bars] == [Decimal(10)]


@pytest.mark.parametrize("time_ns", [0, -1, -SECOND, -(10**18), 10**18 * 9])
def test_windows_begin_at_whole_minutes_before_1970_and_long_after_today(time_ns: int) -> None:
    trade = Trade(0, "binance", "BTC-USDT", "1", None, Decimal(1), Decimal(1), time_ns, time_ns)
    later = Trade(
        1, "binance", "BTC-USDT", "2", None, Decimal(1), Decimal(1), time_ns + 120 * SECOND, time_ns + 120 * SECOND
    )
    partition = Partition(MINUTES)
    partition.fold(record_batch(0, records_of([trade, later])))
    partition.flush()
    (bar,) = (read_bar(key, value) for key, value in partition.bars)
    assert bar.window.start_ns == time_ns - time_ns % (60 * SECOND)
