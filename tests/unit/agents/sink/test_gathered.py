"""Which records the sink takes, what waits to be written, and where it goes on, whatever happens in between."""

import pytest
from faust.types import TP

from agents.sink.gathered import Gathered, Place
from agents.sink.rows import Rows
from agents.transport import RecordSet

TRADES = TP("test.trades", 1)
BARS = TP("test.bars", 1)
EPOCH = "the topic's id"


def record_set(start: int, end: int, tp: TP = TRADES) -> RecordSet:
    return RecordSet(tp.topic, tp.partition, b"", start, end)


def rows_of(*numbers: int) -> Rows:
    return Rows({"trade": [(number,) for number in numbers]})


def begun(*partitions: TP, at: int = 10) -> Gathered:
    gathered = Gathered()
    for tp in partitions:
        gathered.begin(tp, Place(EPOCH, at))
    return gathered


def take_in(gathered: Gathered, tp: TP, start: int, end: int) -> None:
    """Gather a row for each offset of a record set."""
    place = gathered.next_of(record_set(start, end, tp))
    assert place is not None
    gathered.add(tp, rows_of(*range(place.offset, end)), place, end)


def test_record_sets_are_gathered_in_their_order_and_written_together() -> None:
    gathered = begun(TRADES, BARS)
    take_in(gathered, TRADES, 10, 12)
    take_in(gathered, BARS, 10, 11)
    take_in(gathered, TRADES, 12, 13)
    assert (gathered.rows, gathered.position(TRADES), gathered.position(BARS)) == (4, 13, 11)
    batch = gathered.take()
    assert [(each.tp, each.start, each.end, each.rows.of["trade"]) for each in batch] == [
        (TRADES, 10, 13, [(10,), (11,), (12,)]),
        (BARS, 10, 11, [(10,)]),
    ]
    assert (gathered.rows, gathered.take()) == (0, [])
    assert gathered.stored == {TRADES: 10, BARS: 10}
    assert gathered.store({each.tp: each.end for each in batch}) == {TRADES: 13, BARS: 11}
    assert gathered.stored == {TRADES: 13, BARS: 11}


@pytest.mark.parametrize("start", [0, 5, 11])
def test_a_set_that_does_not_begin_where_the_one_before_it_ended_is_an_error(start: int) -> None:
    with pytest.raises(LookupError, match=f"offset 10 is next, and the fetch begins at {start}: the log was cut"):
        begun(TRADES).next_of(record_set(start, start + 1))


def test_a_set_with_no_batch_that_goes_on_is_looked_at() -> None:
    """It may be damaged."""
    assert begun(TRADES).next_of(record_set(10, 10)) == Place(EPOCH, 10)


def test_nothing_is_kept_or_taken_of_a_partition_that_is_dropped_until_it_is_begun_with_anew() -> None:
    gathered = begun(TRADES, BARS)
    take_in(gathered, TRADES, 10, 20)
    take_in(gathered, BARS, 10, 11)
    gathered.drop(TRADES)
    assert gathered.next_of(record_set(20, 25)) is None
    assert (gathered.rows, gathered.position(TRADES), gathered.position(BARS)) == (1, None, 11)
    gathered.begin(TRADES, Place(EPOCH, 5))
    take_in(gathered, TRADES, 5, 8)


@pytest.mark.parametrize("is_cleared", [False, True])
def test_rows_of_a_partition_that_was_let_go_of_while_they_were_made_are_dropped(*, is_cleared: bool) -> None:
    gathered = begun(TRADES)
    place = gathered.next_of(record_set(10, 12))
    assert place is not None
    if is_cleared:
        gathered.clear()
    else:
        gathered.drop(TRADES)
    gathered.add(TRADES, rows_of(10, 11), place, 12)
    assert (gathered.rows, gathered.position(TRADES)) == (0, None)


def test_rows_that_were_being_made_when_a_partition_came_back_at_the_same_place_are_dropped() -> None:
    gathered = begun(TRADES)
    place = gathered.next_of(record_set(10, 12))
    assert place is not None
    gathered.clear()
    gathered.begin(TRADES, Place(EPOCH, 10))
    assert not gathered.is_at(TRADES, place)
    gathered.add(TRADES, rows_of(10, 11), place, 12)
    assert (gathered.rows, gathered.position(TRADES)) == (0, 10)
    take_in(gathered, TRADES, 10, 12)
    assert (gathered.rows, gathered.position(TRADES)) == (2, 12)


def test_a_partition_that_was_let_go_of_is_neither_fetched_nor_counted_as_stored() -> None:
    gathered = begun(TRADES, BARS)
    take_in(gathered, TRADES, 10, 12)
    gathered.clear()
    gathered.begin(BARS, Place(EPOCH, 3))
    assert gathered.next_of(record_set(12, 14)) is None
    assert gathered.take() == []
    assert gathered.store({TRADES: 12, BARS: 5}) == {BARS: 5}
    assert gathered.position(TRADES) is None


def test_what_came_before_a_damaged_batch_is_written_and_nothing_behind_it_is_taken() -> None:
    gathered = begun(TRADES)
    take_in(gathered, TRADES, 10, 12)
    gathered.leave_off(TRADES)
    gathered.leave_off(TRADES)
    assert gathered.next_of(record_set(12, 14)) is None
    assert [each.end for each in gathered.take()] == [12]
    assert gathered.store({TRADES: 12}) == {TRADES: 12}


def test_a_topic_that_was_made_anew_begins_another_place() -> None:
    gathered = begun(TRADES)
    place = gathered.next_of(record_set(10, 12))
    assert place is not None
    gathered.begin(TRADES, Place("another", 10))
    gathered.add(TRADES, rows_of(10, 11), place, 12)
    assert (gathered.rows, gathered.position(TRADES)) == (0, 10)
