"""A correction or a cancellation changes the bars as if the trade had been right, or had never been, from the start."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from agents.kernel import Flush
from tests.unit.agents.kernel.bar_oracle import Correction, Event, Published, Rules, Trade
from tests.unit.agents.kernel.partition_kit import (
    NOON,
    SECOND,
    Partition,
    a_clock,
    a_trade,
    bars_in,
    new_fold,
    new_schemas,
    read_bar,
    records_in,
    records_of,
    rotten,
    schema_text,
    trade_value,
    wire,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

RULES = Rules(
    (("1s", SECOND), ("1m", 60 * SECOND), ("1h", 3600 * SECOND)),
    out_of_order_ns=SECOND,
    grace_ns=SECOND,
    horizon_ns=600 * SECOND,
    max_ahead_ns=SECOND,
)
NEW_ID = 77
FORGOTTEN = b"\1F"
MINUTE: list[Event] = [
    a_trade(0, 1, price="10", size="1"),
    a_trade(1, 2, price="99", size="2"),
    a_trade(2, 3, price="11", size="3"),
    a_clock(3, 100),
]


def cancel(offset: int, refers_to: str, seconds: float = 100) -> Correction:
    return Correction(offset, "binance", "BTC-USDT", refers_to, None, NOON + int(seconds * SECOND))


def correct(offset: int, refers_to: str, by: Trade) -> Correction:
    return Correction(offset, by.venue, by.instrument, refers_to, replace(by, offset=offset), by.event_time_ns)


def folded(events: Sequence[Event], rules: Rules = RULES) -> Partition:
    partition = Partition(rules)
    partition.fold(record_batch(0, records_of(events)))
    partition.flush()
    return partition


def minute(partition: Partition) -> Published:
    """The last publication of the first minute's bar."""
    return last_bar(partition, "1m", 0)


def last_bar(partition: Partition, interval: str, start_s: int) -> Published:
    """The last publication of the bar of an interval that starts so many seconds after noon."""
    bars = [read_bar(key, value) for key, value in partition.bars]
    window = (interval, NOON + start_s * SECOND)
    return next(bar for bar in reversed(bars) if (bar.window.interval, bar.window.start_ns) == window)


def test_a_cancelled_trade_leaves_the_final_bar_and_every_bar_above_it() -> None:
    bar = minute(folded([*MINUTE, cancel(4, "1")]))
    assert (bar.high, bar.volume, bar.notional, bar.trade_count) == (Decimal(11), Decimal(4), Decimal(43), 2)
    assert (bar.state, bar.revision, bar.seq) == ("revised", 1, 4)
    assert (bar.first_offset, bar.last_offset) == (0, 4)


def test_a_corrected_trade_counts_as_what_it_is_now_in_the_place_it_had() -> None:
    bar = minute(folded([*MINUTE, correct(4, "0", a_trade(0, 1, price="12", size="5", trade_id="77"))]))
    assert (bar.open, bar.high, bar.low, bar.close) == (Decimal(12), Decimal(99), Decimal(11), Decimal(11))
    assert (bar.volume, bar.trade_count, bar.first_trade_id) == (Decimal(10), 3, "77")


def test_a_correction_may_be_cancelled_by_the_id_of_either() -> None:
    corrected = correct(4, "0", a_trade(0, 1, price="12", trade_id="77"))
    by_old, by_new = (minute(folded([*MINUTE, corrected, cancel(5, name)])) for name in ("0", "77"))
    assert by_old == by_new
    assert (by_old.open, by_old.trade_count, by_old.revision) == (Decimal(99), 2, 2)


def test_a_trade_may_be_cancelled_by_the_id_of_a_correction_that_changed_nothing_else() -> None:
    renamed = correct(4, "0", a_trade(0, 1, price="10", size="1", trade_id="77"))
    bar = minute(folded([*MINUTE, renamed, cancel(5, "77")]))
    assert (bar.open, bar.trade_count, bar.revision) == (Decimal(99), 2, 1)


def test_the_same_cancellation_again_changes_nothing() -> None:
    once, twice = folded([*MINUTE, cancel(4, "1")]), folded([*MINUTE, cancel(4, "1"), cancel(5, "1")])
    assert once.bars == twice.bars


def test_the_same_correction_again_changes_no_bar_without_a_price_wherever_a_flush_falls() -> None:
    rules = replace(RULES, conditions={"binance": {"@": ("volume",)}})
    by = a_trade(0, 1, price="6")
    once: list[Event] = [a_trade(0, 1), a_clock(1, 100), a_clock(2, 100), correct(3, "0", by)]
    events = [*once, a_clock(4, 100), a_clock(5, 100), correct(6, "0", by)]
    at_once, one_by_one = folded(events, rules), Partition(rules)
    for event in events:
        one_by_one.take(event)
    assert dict(one_by_one.bars) == dict(at_once.bars)
    bar = minute(at_once)
    assert (bar.open, bar.notional, bar.revision, bar.seq) == (Decimal(0), Decimal(6), 1, 3)


TO_12 = a_trade(0, 1, price="12", trade_id="first")
TO_13 = a_trade(0, 1, price="13", trade_id="second")
CORRECTED_TWICE: list[Event] = [*MINUTE, correct(4, "0", TO_12), correct(5, "first", TO_13)]


def gone_on_with(partition: Partition, then: str) -> Partition:
    match then:
        case "flush":
            partition.flush()
        case "crash":
            partition.flush()
            partition.crash_and_restore(is_compacted=True)
        case "take over":
            partition.flush()
            partition.crash_and_take_over()
    return partition


@pytest.mark.parametrize("then", ["nothing", "flush", "crash", "take over"])
def test_an_earlier_correction_that_is_delivered_again_leaves_a_later_one_as_it_is(then: str) -> None:
    partition = Partition(RULES)
    partition.fold(record_batch(0, records_of(CORRECTED_TWICE)))
    gone_on_with(partition, then)
    counts = partition.fold(record_batch(6, records_of([correct(6, "0", TO_12), correct(7, "first", TO_13)])))
    gone_on_with(partition, then)
    assert (counts["duplicates"], counts["corrections"]) == (2, 0)
    partition.take(cancel(8, "1"))
    bar = minute(partition)
    assert (bar.open, bar.revision, bar.first_trade_id) == (Decimal(13), 3, "second")


def test_a_correction_back_to_what_an_earlier_one_said_is_heard_at_another_time_and_counts() -> None:
    back = replace(TO_12, receive_time_ns=TO_12.receive_time_ns + 1)
    bar = minute(folded([*CORRECTED_TWICE, correct(6, "second", back), correct(7, "first", TO_13)]))
    assert (bar.open, bar.revision, bar.seq) == (Decimal(12), 3, 6)
    assert minute(folded([*CORRECTED_TWICE, correct(6, "0", back)])).open == Decimal(12)


@pytest.mark.parametrize("then", ["nothing", "crash"])
def test_a_correction_that_changed_nothing_changes_nothing_behind_another_either(then: str) -> None:
    same = correct(4, "0", a_trade(0, 1))
    partition = gone_on_with(folded([*MINUTE, same]), then)
    partition.take(correct(5, "0", TO_12))
    gone_on_with(partition, then)
    counts = partition.fold(record_batch(6, records_of([correct(6, "0", a_trade(0, 1))])))
    partition.flush()
    assert (counts["duplicates"], minute(partition).open) == (1, Decimal(12))


def test_a_correction_that_is_delivered_again_behind_a_cancellation_is_no_dead_letter() -> None:
    partition = folded([*CORRECTED_TWICE, cancel(6, "second"), correct(7, "0", TO_12)])
    assert (partition.dead, minute(partition).trade_count, minute(partition).seq) == ([], 2, 6)


def test_a_bar_whose_trades_are_all_cancelled_says_so() -> None:
    bar = minute(folded([*MINUTE, cancel(4, "0"), cancel(5, "1"), cancel(6, "2")]))
    assert (bar.trade_count, bar.first_trade_id, bar.revision) == (0, "", 3)
    assert (bar.volume, bar.open, bar.close) == (Decimal(0), Decimal(0), Decimal(0))


def test_a_correction_that_moves_a_trade_changes_both_bars() -> None:
    partition = folded([*MINUTE, correct(4, "1", a_trade(1, 61, price="99", size="2")), a_clock(5, 200)])
    bars = {
        bar.window.start_ns: bar
        for bar in (read_bar(key, value) for key, value in partition.bars)
        if bar.window.interval == "1m"
    }
    assert bars[NOON].volume == Decimal(4)
    assert (bars[NOON + 60 * SECOND].volume, bars[NOON + 60 * SECOND].trade_count) == (Decimal(2), 1)


def moved_within_its_minute(before: Trade, by: Trade) -> Published:
    """The minute of a trade that is corrected to a later time, beside one between the two times."""
    between = replace(a_trade(1, 2, price="10"), trade_seq=None if before.trade_seq is None else 2)
    return minute(folded([before, between, correct(2, before.trade_id, by), a_clock(3, 100)]))


def test_a_trade_that_is_moved_in_time_opens_and_closes_by_the_time_it_has_now() -> None:
    bar = moved_within_its_minute(a_trade(0, 1, price="99"), a_trade(2, 5, price="99"))
    assert (bar.open, bar.close, bar.first_trade_id, bar.last_trade_id) == (Decimal(10), Decimal(99), "1", "2")


def test_of_several_trades_of_one_time_one_that_is_corrected_stays_where_it_came() -> None:
    same_time = [a_trade(0, 1, price="99"), a_trade(1, 2), a_trade(2, 2, price="11")]
    bar = minute(folded([*same_time, correct(3, "0", a_trade(3, 2, price="99")), a_clock(4, 100)]))
    assert (bar.open, bar.close) == (Decimal(99), Decimal(11))


@pytest.mark.parametrize(("corrected_seq", "opens"), [(None, "99"), (1, "99"), (3, "10")])
def test_a_venues_numbers_come_before_times(corrected_seq: int | None, opens: str) -> None:
    before = replace(a_trade(0, 1, price="99"), trade_seq=1)
    bar = moved_within_its_minute(before, replace(a_trade(2, 5, price="99"), trade_seq=corrected_seq))
    assert bar.open == Decimal(opens)


def test_a_bar_that_a_trade_was_moved_to_keeps_it_when_another_of_its_trades_is_cancelled() -> None:
    moved = correct(4, "1", a_trade(1, 61, price="99", size="2"))
    partition = folded([*MINUTE, moved, a_trade(5, 62, size="4"), cancel(6, "5"), a_clock(7, 200)])
    bars = [read_bar(key, value) for key, value in partition.bars]
    second = next(bar for bar in bars if (bar.window.interval, bar.window.start_ns) == ("1m", NOON + 60 * SECOND))
    assert (second.volume, second.trade_count, second.high) == (Decimal(2), 1, Decimal(99))


def test_a_trade_that_was_moved_out_of_the_horizons_reach_may_be_corrected_where_it_is_now() -> None:
    rules = replace(RULES, horizon_ns=0, out_of_order_ns=SECOND // 2)
    moved = a_trade(0, 60, price="12", size="5", trade_id="59")
    events: list[Event] = [
        a_trade(0, 59, trade_id="59"),
        correct(1, "59", moved),
        correct(2, "59", replace(moved, size=Decimal(6))),
    ]
    bar = last_bar(folded([*events, a_clock(3, 62)], rules), "1s", 60)
    assert (bar.volume, bar.trade_count) == (Decimal(6), 1)


@pytest.mark.parametrize("contiguous", [frozenset[str](), frozenset({"binance"})])
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_moved_trade_can_be_cancelled_as_long_as_the_bar_that_it_is_in_may_change(
    contiguous: frozenset[str], *, is_restarted: bool
) -> None:
    rules = replace(RULES, horizon_ns=60 * SECOND, contiguous=contiguous)
    moved = correct(2, "10", a_trade(0, 70, size="5", trade_id="10"))
    partition = folded([a_trade(0, 1, trade_id="10"), a_trade(1, 2, trade_id="20"), moved, a_clock(3, 125)], rules)
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    assert last_bar(partition, "1s", 70).volume == Decimal(5)
    partition.fold(record_batch(4, records_of([cancel(4, "10", seconds=125)])))
    partition.flush()
    assert last_bar(partition, "1s", 70).trade_count == 0


def test_a_trade_that_was_corrected_twice_stays_in_its_bar_when_another_of_it_is_cancelled_much_later() -> None:
    rules = replace(RULES, horizon_ns=60 * SECOND)
    events: list[Event] = [
        a_trade(0, 1, trade_id="first"),
        correct(1, "first", a_trade(1, 2, size="2", trade_id="second")),
        correct(2, "second", a_trade(2, 70, size="3", trade_id="third")),
        a_trade(3, 70.5, size="7", trade_id="other"),
        a_clock(4, 125),
        cancel(5, "other", seconds=125),
    ]
    partition = folded(events, rules)
    assert (last_bar(partition, "1s", 70).volume, partition.dead, partition.late) == (Decimal(3), [], [])
    partition.fold(record_batch(6, records_of([cancel(6, "first", seconds=125)])))
    partition.flush()
    assert last_bar(partition, "1s", 70).trade_count == 0


def test_a_trade_whose_id_is_no_name_stays_out_of_a_bar_that_is_summed_up_anew() -> None:
    nameless = KafkaRecord(b"key", trade_value(a_trade(1, 1.2, price="99", size="50", trade_id="x" * 3000)))
    first, last = records_of([a_trade(0, 1), a_trade(2, 1.4, price="11", size="3")])
    partition = Partition(RULES)
    partition.fold(record_batch(0, [first, nameless, last, *records_of([a_clock(3, 100), cancel(4, "0")])]))
    partition.flush()
    bar = minute(partition)
    assert (bar.volume, bar.high, bar.trade_count, partition.dead) == (Decimal(3), Decimal(11), 1, [1])
    partition.crash_and_restore(is_compacted=True)
    partition.fold(record_batch(5, records_of([cancel(5, "2")])))
    partition.flush()
    assert minute(partition).trade_count == 0


def test_a_trade_that_would_have_overflowed_keeps_no_other_from_being_cancelled() -> None:
    huge = [a_trade(0, 1, size="9e19"), a_trade(1, 1.2, size="9e19")]
    partition = folded([*huge, a_trade(2, 1.4), a_clock(3, 100), cancel(4, "2")])
    bar = minute(partition)
    assert (bar.volume, bar.trade_count, partition.dead) == (Decimal("9e19"), 1, [1])


@pytest.mark.parametrize("gone", ["5", "3"])
def test_of_two_records_with_one_id_the_one_that_was_not_refused_counts(gone: str) -> None:
    refused, mended = a_trade(1, 1.2, size="9e19", trade_id="5"), a_trade(2, 1.4, size="2", trade_id="5")
    other = a_trade(3, 1.6, size="3")
    partition = folded([a_trade(0, 1, size="9e19"), refused, mended, other, a_clock(4, 100), cancel(5, gone)])
    assert minute(partition).volume == Decimal("9e19") + (3 if gone == "5" else 2)
    assert (minute(partition).trade_count, partition.dead) == (2, [1])


def test_of_two_records_with_one_id_the_first_counts_where_neither_was_refused() -> None:
    again = a_trade(1, 1.2, size="7", trade_id="0")
    bar = minute(folded([a_trade(0, 1), again, a_trade(2, 1.4), a_clock(3, 100), cancel(4, "2")]))
    assert (bar.volume, bar.trade_count) == (Decimal(1), 1)


@pytest.mark.parametrize("venue", ["nasdaq", "binance"])
def test_trades_that_were_late_by_a_wrong_time_and_sent_again_stay_in_a_bar_that_is_summed_up_anew(venue: str) -> None:
    """The log has each of them twice, and the fold took the second one."""
    partition = Partition(replace(RULES, contiguous=frozenset({"binance"})))
    wrong = [a_trade(1 + number, number - 3_600, trade_id=f"{number + 10}") for number in range(3)]
    right = [a_trade(4 + number, 10.1 + number / 10, trade_id=f"{number + 10}") for number in range(3)]
    first, other = a_trade(0, 1, trade_id="9"), a_trade(7, 10.5, price="99", trade_id="13")
    partition.take(a_clock(0, 1, venue), *(replace(each, venue=venue) for each in [first, *wrong, *right, other]))
    partition.take(a_clock(9, 100, venue), replace(cancel(10, "13"), venue=venue))
    assert (minute(partition).trade_count, minute(partition).high) == (4, Decimal(10))
    assert (last_bar(partition, "1s", 10).trade_count, len(partition.late), partition.dead) == (3, 3, [])


def test_a_correction_changes_no_bar_of_which_trades_can_be_read_no_more() -> None:
    """They were counted, and what is read of the log now has one of four: the others would be thrown out."""
    partition = Partition(replace(RULES, max_ahead_ns=60 * SECOND))
    received_early = [
        replace(a_trade(offset, 1 + offset / 10, trade_id=f"{offset}"), receive_time_ns=NOON - 30 * SECOND)
        for offset in range(3)
    ]
    partition.take(*received_early, a_trade(3, 1.5, price="99", trade_id="3"), a_clock(4, 100))
    partition.come_back(RULES)
    partition.take(cancel(5, "3"))
    assert (minute(partition).trade_count, minute(partition).high) == (4, Decimal(99))
    assert partition.dead == [5]


@pytest.mark.parametrize("is_sent_again", [False, True])
def test_a_trade_whose_schema_was_unknown_when_it_came_counts_only_if_it_came_again(*, is_sent_again: bool) -> None:
    schemas = new_schemas()
    schemas.refuse(NEW_ID, "nobody knows it yet")
    partition = Partition(RULES)
    partition._fold = new_fold(RULES, schemas)
    unknown = KafkaRecord(b"key", wire(NEW_ID, trade_value(a_trade(1, 1.2, size="2"))[5:]))
    partition.fold(record_batch(0, [*records_of([a_trade(0, 1)]), unknown]))
    schemas.forget(NEW_ID)
    schemas.add(NEW_ID, schema_text("trade"))
    again = [unknown] if is_sent_again else []
    rest = records_of([a_trade(3, 1.4, size="4"), a_clock(4, 100), cancel(5, "0")])
    partition.fold(record_batch(2, [*again, *rest]))
    partition.flush()
    assert minute(partition).volume == Decimal(6 if is_sent_again else 4)
    assert partition.dead == [1]


def test_trades_of_a_schema_that_was_not_met_since_a_restart_are_asked_for_and_count() -> None:
    schemas = new_schemas()
    schemas.add(NEW_ID, schema_text("trade"))
    before = new_fold(RULES, schemas)
    values = [
        wire(NEW_ID, trade_value(a_trade(offset, 1 + offset / 8, size=str(2**offset)))[5:]) for offset in range(3)
    ]
    trades = record_batch(0, [KafkaRecord(b"key", value) for value in values])
    assert before.fold(trades, [], 0).trades == 3
    changelog = [KafkaRecord(key, value) for key, value in records_in(before.take_flush().changelog)]

    schemas = new_schemas()
    fold = new_fold(RULES, schemas)
    fold.restore(record_batch(0, changelog), [], 0)
    fold.restored()
    rest = record_batch(3, records_of([cancel(3, "1"), a_clock(4, 100)]))
    assert fold.fold(rest, [], 3).needs_history == 0
    assert fold.reread(trades, []) == NEW_ID
    schemas.add(NEW_ID, schema_text("trade"))
    assert fold.reread(trades, []) is None
    assert fold.fold(rest, [], 3).corrections == 1
    (bar,) = [read_bar(key, value) for key, value in bars_in(fold.take_flush()) if b":1m:" in key]
    assert (bar.volume, bar.trade_count) == (Decimal(5), 2)


def test_a_schema_that_nobody_knows_is_asked_for_once_and_its_records_are_left_out() -> None:
    schemas = new_schemas()
    fold = new_fold(RULES, schemas)
    schemas.refuse(NEW_ID, "nobody knows it")
    unknown = KafkaRecord(b"key", wire(NEW_ID, trade_value(a_trade(1, 1.5))[5:]))
    log = record_batch(0, [*records_of([a_trade(0, 1)]), unknown, *records_of([cancel(2, "0")])])
    assert fold.fold(log, [], 0).needs_history == 0
    for asked in (NEW_ID, None):
        schemas.forget(NEW_ID)
        assert fold.reread(log, []) == asked
    assert fold.fold(log, [], 2).corrections == 1


def test_many_corrections_that_come_together_read_the_log_once() -> None:
    trades: list[Event] = [a_trade(offset, offset / 10) for offset in range(300)]
    busts = [cancel(301 + number, str(number), seconds=100) for number in range(250)]
    partition = folded([*trades, a_clock(300, 100), *busts])
    assert partition.rereads == [(0, 301)]
    assert (minute(partition).trade_count, minute(partition).revision) == (50, 250)


def test_the_next_correction_reads_what_came_since_the_last_one() -> None:
    moved = correct(8, "6", a_trade(8, 4, price="12", size="5", trade_id="8"))
    between: list[Event] = [a_clock(5, 101), a_trade(6, 3.5, size="7")]
    partition = folded([*MINUTE, cancel(4, "1"), *between, cancel(7, "2", seconds=101), moved])
    assert partition.rereads == [(0, 4), (5, 7)]
    bar = minute(partition)
    assert (bar.volume, bar.trade_count, bar.close, bar.last_trade_id) == (Decimal(6), 2, Decimal(12), "8")


def test_a_correction_of_another_instrument_or_of_an_older_bar_reads_its_own_stretch() -> None:
    other = replace(a_trade(5, 3, trade_id="other"), instrument="ETH-USDT")
    bust = replace(cancel(6, "other"), instrument="ETH-USDT")
    later: list[Event] = [a_trade(0, 1), a_trade(1, 90), a_clock(2, 200)]
    partition = folded([*later, cancel(3, "1"), cancel(4, "0"), other, bust, cancel(7, "0")])
    assert partition.rereads == [(1, 3), (0, 4), (5, 6), (0, 7)]


def test_what_was_read_for_a_correction_is_let_go_of_by_the_next_flush() -> None:
    partition = folded([*MINUTE, cancel(4, "1")])
    partition.fold(record_batch(5, records_of([cancel(5, "2")])))
    assert partition.rereads == [(0, 4), (0, 5)]


def test_an_id_that_is_used_again_once_it_was_forgotten_names_the_new_trade() -> None:
    first: list[Event] = [a_trade(0, 1, trade_id="x"), a_trade(1, 2), cancel(2, "x")]
    partition = folded([*first, a_clock(3, 700), a_trade(4, 650, trade_id="x"), cancel(5, "x", seconds=700)])
    assert partition.rereads == [(0, 2), (4, 5)]
    assert last_bar(partition, "1s", 650).trade_count == 0


def test_what_was_read_is_not_kept_where_one_of_two_records_had_to_be_chosen_or_a_sum_would_overflow() -> None:
    huge = correct(4, "0", a_trade(0, 1, size="9e19"))
    too_much = correct(5, "1", a_trade(0, 1, size="9e19", trade_id="1"))
    partition = folded(
        [*MINUTE, huge, too_much, cancel(6, "2"), a_trade(7, 3, price="5", trade_id="1"), cancel(8, "1")]
    )
    assert partition.rereads == [(0, 4), (0, 6), (7, 8)]
    assert (partition.dead, minute(partition).volume) == ([5], Decimal("9e19"))


def test_a_correction_of_a_trade_beyond_the_horizon_is_late() -> None:
    partition = folded([*MINUTE, a_clock(4, 650), cancel(5, "1", seconds=640)])
    assert partition.late == [5]
    assert minute(partition).revision == 0


def test_a_correction_of_a_forgotten_instrument_is_late_before_a_restart_and_after() -> None:
    partition = folded([*MINUTE, a_clock(4, 8000)])
    partition.fold(record_batch(5, records_of([cancel(5, "1")])))
    partition.flush()
    partition.crash_and_restore(is_compacted=True)
    partition.fold(record_batch(6, records_of([cancel(6, "1")])))
    partition.flush()
    assert (partition.late, partition.dead) == ([5, 6], [])


def test_a_late_correction_reads_the_log_once_where_ids_tell_no_time() -> None:
    rules = replace(RULES, contiguous=frozenset({"binance"}))
    partition = folded([a_trade(0, 1), a_trade(1, 100), a_clock(2, 650), cancel(3, "0", seconds=650)], rules)
    assert (partition.rereads, partition.late) == ([(1, 3)], [3])


HALF_AN_HOUR: list[Event] = [a_trade(0, 0, trade_id="100"), a_trade(1, 600), a_trade(2, 1200)]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("instrument", "refers_to"), [("BTC-USDT", "100"), ("ETH-USDT", "101")])
def test_a_cancellation_with_a_time_of_its_own_is_late_once_its_trade_was_forgotten(
    instrument: str, refers_to: str, *, is_restarted: bool
) -> None:
    quiet = replace(a_trade(3, 1, trade_id="101"), instrument="ETH-USDT")
    partition = folded([quiet, *HALF_AN_HOUR, a_clock(4, 1200)])
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    told_late = replace(cancel(5, refers_to, seconds=1200), instrument=instrument)
    partition.fold(record_batch(5, records_of([told_late])))
    partition.flush()
    assert (partition.late, partition.dead) == ([5], [])


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_correction_of_no_known_trade_is_a_dead_letter_of_a_venue_that_nothing_was_forgotten_of(
    *, is_restarted: bool
) -> None:
    partition = folded([*HALF_AN_HOUR, replace(a_trade(3, 1200), venue="kraken")])
    if is_restarted:
        partition.crash_and_restore(is_compacted=True)
    partition.fold(record_batch(4, records_of([replace(cancel(4, "100", seconds=1200), venue="kraken")])))
    partition.flush()
    assert (partition.late, partition.dead) == ([], [4])


def test_state_of_a_release_that_did_not_tell_what_it_forgot_tells_it_from_then_on() -> None:
    partition = folded(HALF_AN_HOUR)
    partition.changelog = [record for record in partition.changelog if record[0] != FORGOTTEN]
    partition.crash_and_restore(is_compacted=True)
    partition.fold(record_batch(3, records_of([cancel(3, "100", seconds=1200)])))
    partition.fold(record_batch(4, records_of([a_trade(4, 2400), cancel(5, "100", seconds=2400)])))
    partition.flush()
    assert (partition.late, partition.dead) == ([5], [3])


def test_what_was_forgotten_is_told_once() -> None:
    partition = folded(HALF_AN_HOUR)
    partition.crash_and_restore(is_compacted=True)
    partition.fold(record_batch(3, records_of([a_trade(3, 2400)])))
    partition.flush()
    assert [key for key, _ in partition.changelog].count(FORGOTTEN) == 1


def test_what_was_forgotten_is_told_in_one_order() -> None:
    venues = ["binance", "kraken", "okx", "bybit"]
    told = set()
    for order in (venues, venues[::-1]):
        trades = [replace(a_trade(offset, offset), venue=venue) for offset, venue in enumerate(order)]
        partition = folded([*trades, *(a_clock(4 + number, 1200, venue) for number, venue in enumerate(venues))])
        told.add(dict(partition.changelog)[FORGOTTEN])
    assert len(told) == 1


def test_a_correction_by_the_id_of_another_trade_is_a_dead_letter() -> None:
    partition = folded([*MINUTE, correct(4, "0", a_trade(0, 1, price="12", trade_id="1"))])
    assert partition.dead == [4]
    assert minute(partition).revision == 0


@pytest.mark.parametrize("refers_to", ["no such trade", ""])
def test_a_correction_of_no_known_trade_is_a_dead_letter(refers_to: str) -> None:
    partition = folded([*MINUTE, cancel(4, refers_to, seconds=500)])
    assert partition.dead == [4]


def test_a_correction_whose_history_is_gone_is_a_dead_letter_and_the_fold_goes_on() -> None:
    partition = Partition(RULES)
    events = [*MINUTE, cancel(4, "1"), a_trade(5, 120)]
    partition.fold(record_batch(0, records_of(events)), is_history_gone=True)
    flush = partition.flush()
    assert [(offset, reason) for _, _, offset, reason in flush.dead] == [
        (4, "the log no longer has the trades of its bar")
    ]
    assert partition.next_offset == 6


def rotten_since(*batches: int, by: Correction) -> tuple[Partition, Flush]:
    """Three trades, a batch each, are folded; some of the batches rot before a correction comes."""
    partition = Partition(RULES)
    for offset, size in enumerate(("1", "2", "4")):
        partition.fold(record_batch(offset, records_of([a_trade(offset, 1 + offset / 8, size=size)])))
    partition.take(a_clock(3, 100))
    for first_offset in batches:
        partition.rot(first_offset)
    partition.fold(record_batch(4, records_of([by, a_trade(5, 120)])))
    return partition, partition.flush()


@pytest.mark.parametrize("rotten_at", [0, 1, 2])
def test_a_correction_whose_history_has_rotted_is_a_dead_letter_and_the_bar_stays(rotten_at: int) -> None:
    partition, flush = rotten_since(rotten_at, by=cancel(4, "1"))
    assert [(offset, reason) for _, _, offset, reason in flush.dead] == [
        (4, "the log no longer has the trades of its bar")
    ]
    assert (partition.late, partition.next_offset) == ([], 6)
    bar = minute(partition)
    assert (bar.volume, bar.trade_count, bar.revision) == (Decimal(7), 3, 0)


def test_a_trade_is_not_moved_to_a_bar_whose_history_has_rotted() -> None:
    partition = Partition(RULES)
    for event in (a_trade(0, 1, size="1"), a_trade(1, 61, size="2")):
        partition.take(event)
    partition.rot(1)
    partition.take(correct(2, "0", a_trade(2, 61, size="4", trade_id="0")), a_clock(3, 200))
    assert partition.dead == [2]
    assert (last_bar(partition, "1m", 0).volume, last_bar(partition, "1m", 60).volume) == (Decimal(1), Decimal(2))


def test_a_bar_of_which_nothing_has_rotted_is_corrected_beside_one_that_has() -> None:
    partition = Partition(RULES)
    for event in (a_trade(0, 1), a_trade(1, 61), a_trade(2, 62, size="2"), a_clock(3, 200)):
        partition.take(event)
    partition.rot(0)
    partition.take(cancel(4, "2", seconds=200), cancel(5, "0", seconds=200), cancel(6, "1", seconds=200))
    assert partition.dead == [5]
    assert (last_bar(partition, "1m", 0).trade_count, last_bar(partition, "1m", 60).trade_count) == (1, 0)


def test_a_batch_that_was_a_dead_letter_when_it_came_keeps_no_correction_away() -> None:
    partition = Partition(RULES)
    partition.take(a_trade(0, 1))
    partition.fold(rotten(record_batch(1, records_of([a_trade(1, 1.2)]))))
    partition.take(a_trade(2, 1.4, size="4"), a_clock(3, 100))
    partition.take(cancel(4, "0"))
    assert partition.dead == [1]
    assert (minute(partition).volume, minute(partition).trade_count) == (Decimal(4), 1)


def test_a_late_correction_is_late_beside_a_batch_that_was_a_dead_letter_when_it_came() -> None:
    partition = Partition(RULES)
    partition.take(a_trade(0, 1), a_trade(1, 100))
    partition.fold(rotten(record_batch(2, records_of([a_trade(2, 101)]))))
    partition.take(a_clock(3, 650), cancel(4, "0", seconds=650))
    assert partition.rereads == [(1, 4)]
    assert (partition.late, partition.dead) == ([4], [2])


def test_a_trade_of_a_condition_that_does_not_count_is_counted_for_what_it_may() -> None:
    rules = replace(RULES, conditions={"binance": {"odd lot": ("volume",)}})
    partition = Partition(rules)
    odd = trade_value(a_trade(1, 2, price="99", size="2"), conditions=["odd lot"])
    values = [trade_value(a_trade(0, 1)), odd, trade_value(a_trade(2, 3, price="11"))]
    records = [KafkaRecord(b"key", value) for value in values]
    partition.fold(record_batch(0, [*records, *records_of([a_clock(3, 100)])]))
    partition.flush()
    bar = minute(partition)
    assert (bar.open, bar.high, bar.low, bar.close) == (Decimal(10), Decimal(11), Decimal(10), Decimal(11))
    assert (bar.volume, bar.trade_count) == (Decimal(4), 3)
