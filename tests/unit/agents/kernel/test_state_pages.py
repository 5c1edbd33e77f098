"""Bars that are final before the changelog has them are written there once, many to a record, and leave it together."""

from collections import Counter
from decimal import Decimal

import pytest

from agents.kernel import CorruptState
from app.units import SECOND_NS
from tests.unit.agents.kernel.bar_oracle import Event, Rules, Tape
from tests.unit.agents.kernel.partition_kit import (
    NOON,
    Partition,
    a_clock,
    a_trade,
    compacted,
    new_fold,
    read_bar,
    records_of,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

RULES = Rules(
    (("1s", SECOND_NS), ("1m", 60 * SECOND_NS)),
    out_of_order_ns=SECOND_NS,
    grace_ns=SECOND_NS,
    horizon_ns=90 * SECOND_NS,
    max_ahead_ns=SECOND_NS,
)
PAGE = ord("G")


def a_trade_each_second(first_offset: int, first_second: int, count: int) -> list[Event]:
    return [a_trade(first_offset + number, first_second + number) for number in range(count)]


def folded(events: list[Event]) -> Partition:
    partition = Partition(RULES)
    partition.fold(record_batch(events[0].offset, records_of(events)))
    return partition


def kinds(records: list[tuple[bytes, bytes | None]]) -> Counter[str]:
    """How many records of each kind of state, and how many of them end an older one."""
    return Counter(chr(key[1]) + ("" if value is not None else " ends") for key, value in records)


def test_bars_that_begin_and_end_between_two_flushes_are_one_record() -> None:
    partition = folded(a_trade_each_second(0, 0, 50))
    partition.flush()
    assert len(partition.bars) == 47  # of the last three seconds trades may come
    assert kinds(partition.changelog)["G"] == 1
    assert kinds(partition.changelog)["B"] == 4  # those three, and the minute


def test_a_bar_that_the_changelog_has_already_is_written_to_its_own_record() -> None:
    partition = folded([a_trade(0, 0)])
    partition.flush()
    partition.fold(record_batch(1, records_of([a_clock(1, 30)])))
    partition.flush()
    assert kinds(partition.changelog)["G"] == 0


def test_a_late_trade_revises_a_bar_of_a_page_before_and_after_a_crash() -> None:
    events = [*a_trade_each_second(0, 0, 50), a_trade(50, 7.5, price="99", trade_id="late")]
    for crashes in (False, True):
        partition = folded(events[:50])
        partition.flush()
        if crashes:
            partition.crash_and_restore(is_compacted=True)
        partition.fold(record_batch(50, records_of(events[50:])))
        partition.flush()
        last = {bar.window: bar for bar in (read_bar(key, value) for key, value in partition.bars)}
        assert last == Tape(RULES).take_all(events).last_published()
        partition.crash_and_restore(is_compacted=True)
        partition.fold(record_batch(51, records_of([a_trade(51, 7.6, price="98", trade_id="later")])))
        partition.flush()
        newest = read_bar(*partition.bars[-1])
        assert (newest.revision, newest.trade_count, newest.high) == (2, 3, Decimal(99))


def test_pages_end_when_nothing_of_their_minute_may_change_any_more() -> None:
    partition = folded(a_trade_each_second(0, 0, 50))
    partition.flush()
    partition.fold(record_batch(50, records_of([a_trade(50, 149), a_clock(51, 149)])))
    partition.flush()
    assert kinds(partition.changelog)["G ends"] == 0  # the minute ends at 60, and is kept for 90 more
    partition.fold(record_batch(52, records_of([a_clock(52, 150)])))
    partition.flush()
    assert kinds(partition.changelog)["G ends"] == 1
    left = kinds([(key, value) for key, value in compacted(partition.changelog) if value is not None])
    assert left["G"] == 0


def test_a_standby_lets_go_of_bars_with_their_page_and_keeps_those_that_were_revised() -> None:
    partition = folded(a_trade_each_second(0, 0, 50))
    partition.flush()
    partition.follow()
    partition.fold(record_batch(50, records_of([a_trade(50, 7.5, price="99", trade_id="late")])))
    partition.flush()
    partition.follow()
    partition.fold(record_batch(51, records_of([a_clock(51, 150)])))
    partition.flush()
    assert kinds(partition.changelog)["G ends"] == 1
    partition.crash_and_take_over()
    assert not any(partition._fold.has_bar("binance", "BTC-USDT", 0, NOON + second * SECOND_NS) for second in range(50))
    before = len(partition.changelog)
    partition.fold(record_batch(52, records_of([a_clock(52, 151)])))
    partition.flush()
    assert kinds(partition.changelog[before:]) == {"P": 1}


def test_bars_that_left_memory_do_not_come_back_with_their_page() -> None:
    """One instrument's own trades carry it beyond the horizon, while another keeps the page that both have bars in."""
    other = [a_trade(number, number - 50, trade_id=f"o{number}") for number in range(50, 60)]
    both: list[Event] = [*a_trade_each_second(0, 0, 50)]
    both += [type(trade)(**{**trade.__dict__, "instrument": "ETH-USDT"}) for trade in other]
    partition = folded(both)
    partition.flush()
    partition.fold(record_batch(60, records_of([a_trade(60, 400)])))
    partition.flush()
    assert kinds(partition.changelog)["G ends"] == 0
    partition.crash_and_restore(is_compacted=False)
    late = partition.fold(record_batch(61, records_of([a_trade(61, 7.5, trade_id="late")])))
    assert late["late"] == 1
    partition.fold(record_batch(62, records_of([a_clock(62, 400)])))
    partition.flush()
    assert kinds(partition.changelog)["G ends"] == 1


@pytest.mark.parametrize(
    "page",
    [
        b"\x04\x02\x00\x00",  # a bar of a name that was not told
        b"\x04\x00\x0ebinance",  # a name without its end
        b"\x04\x07",  # an entry of no known kind
        b"\x03",  # of a version that had no pages
    ],
)
def test_a_page_that_no_fold_has_written_is_refused(page: bytes) -> None:
    partition = folded([a_trade(0, 0)])
    partition.flush()
    records = [KafkaRecord(key, value) for key, value in partition.changelog]
    fold = new_fold(RULES)
    with pytest.raises(CorruptState, match="page 0 of 0"):
        fold.restore(record_batch(0, [*records, KafkaRecord(b"\x01G\x00\x00", page)]), [], 0)


TOO_LONG = b"\xd8\x04" + b"x" * 300  # behind its length, as names are in the state


@pytest.mark.parametrize("until_second", [0, 30], ids=["forming", "in a page"])
@pytest.mark.parametrize("name", ["BTC-USDT", "marked-id"])
def test_state_with_a_name_longer_than_any_trade_may_have_is_refused(name: str, until_second: int) -> None:
    partition = folded([a_trade(0, 0, trade_id="marked-id"), a_clock(1, until_second)])
    partition.flush()
    short = bytes([2 * len(name)]) + name.encode()
    records = [
        (key.replace(short, TOO_LONG), value and value.replace(short, TOO_LONG)) for key, value in partition.changelog
    ]
    assert records != partition.changelog
    fold = new_fold(RULES)
    with pytest.raises(CorruptState, match="no trade may have"):
        fold.restore(record_batch(0, [KafkaRecord(*record) for record in records]), [], 0)
