"""When a partition has no more of what was missed, and what was found of it until then."""

from app.tick_stream.items import Hole, Tick
from app.tick_stream.search import Entry, Found, Partition, Search

ONE, TWO, THREE = b"1" * 16, b"2" * 16, b"3" * 16
TRADES, QUOTES = Partition("trades", 0), Partition("quotes", 0)
SETTLED_NS = 2_000
MOST = 100


def tick(session: bytes, sequence: int, key: str = "v:A-B") -> Tick:
    return Tick("v", key, session, sequence, b"%d" % sequence)


def trade(session: bytes, sequence: int) -> Entry:
    return Entry(tick(session, sequence), float(sequence), None)


def clock(session: bytes, sequence: int, time_ns: int) -> Entry:
    return Entry(tick(session, sequence, "v"), float(sequence), time_ns)


def take(search: Search, *entries: Entry, partition: Partition = TRADES) -> None:
    for entry in entries:
        search.take(partition, entry)


def numbers(search: Search) -> list[tuple[bytes, int]]:
    found: Found = search.found(is_all=search.is_done)
    return [(each.session, each.sequence) for each in found.ticks]


def test_it_ends_when_every_message_was_found() -> None:
    search = Search(Hole(ONE, 3, 4), {TRADES, QUOTES}, SETTLED_NS, MOST)
    take(search, trade(ONE, 2), trade(ONE, 4))
    assert not search.is_done
    take(search, trade(ONE, 3), partition=QUOTES)
    assert (search.is_full, search.is_done, numbers(search)) == (True, True, [(ONE, 3), (ONE, 4)])
    assert search.found(is_all=True).newest_s == 4.0


def test_what_was_taken_from_before_the_hole_tells_that_nothing_of_it_is_before_that() -> None:
    search = Search(Hole(TWO, 3, 6), {TRADES, QUOTES}, SETTLED_NS, MOST)
    take(search, trade(TWO, 4), trade(TWO, 5))
    assert set(search.late) == {TRADES, QUOTES}
    take(search, trade(TWO, 2))
    take(search, trade(ONE, 9), trade(TWO, 4), partition=QUOTES)
    assert not search.late


def test_a_trade_that_waited_for_a_gap_is_found_behind_messages_of_higher_numbers() -> None:
    search = Search(Hole(ONE, 3, 6), {TRADES}, SETTLED_NS, MOST)
    take(search, trade(ONE, 4), clock(ONE, 7, 10_000), trade(ONE, 8), clock(ONE, 9, 10_000), clock(ONE, 10, 11_999))
    assert not search.is_done
    take(search, trade(ONE, 3), clock(ONE, 11, 12_000))
    assert (search.is_done, search.is_full, numbers(search)) == (True, False, [(ONE, 3), (ONE, 4)])


def test_every_partition_must_have_no_more() -> None:
    search = Search(Hole(ONE, 3, 6), {TRADES, QUOTES}, SETTLED_NS, MOST)
    behind = clock(ONE, 7, 10_000), clock(ONE, 8, 12_000)
    take(search, *behind)
    assert not search.is_done
    take(search, *behind, partition=QUOTES)
    assert search.is_done


def test_another_session_ends_a_partition_that_had_the_holes_own() -> None:
    search = Search(Hole(TWO, 3, 6), {TRADES}, SETTLED_NS, MOST)
    take(search, trade(ONE, 5))
    assert not search.is_done
    take(search, trade(TWO, 3), trade(THREE, 1))
    assert (search.is_done, numbers(search)) == (True, [(TWO, 3)])


def test_the_end_of_a_session_is_found_and_which_one_follows() -> None:
    search = Search(Hole(ONE, 3, None, THREE), {TRADES, QUOTES}, SETTLED_NS, MOST)
    take(search, trade(ONE, 2), trade(ONE, 3), trade(TWO, 1))
    assert not search.is_done
    take(search, trade(ONE, 4), trade(THREE, 1)._replace(appended_s=9.0), partition=QUOTES)
    found = search.found(is_all=search.is_done)
    assert ([tick.sequence for tick in found.ticks], found.is_all) == ([3, 4], True)
    assert (found.through, found.following) == (None, TWO)


def test_none_follows_on_a_session_but_the_one_that_is_known_to() -> None:
    search = Search(Hole(ONE, 3, None, THREE), {TRADES, QUOTES}, SETTLED_NS, MOST)
    take(search, trade(ONE, 2), trade(THREE, 1))
    take(
        search, trade(TWO, 9), trade(THREE, 2), partition=QUOTES
    )  # it has nothing of the session, nor of what is behind
    assert search.found(is_all=search.is_done) == Found([], is_all=True, newest_s=0.0, through=None)


def test_of_a_long_end_of_a_session_the_first_are_found_alone() -> None:
    search = Search(Hole(ONE, 3, None, THREE), {TRADES, QUOTES}, SETTLED_NS, 3)
    take(search, trade(ONE, 6), trade(ONE, 3), clock(ONE, 8, 10_000), clock(ONE, 9, 12_000), trade(ONE, 4))
    take(search, trade(ONE, 5), clock(ONE, 7, 9_000), trade(TWO, 1), partition=QUOTES)
    found = search.found(is_all=search.is_done)
    assert ([tick.sequence for tick in found.ticks], found.is_all) == ([3, 5], True)  # 4 stands behind all that it may
    assert (found.through, found.following) == (5, b"")


def test_of_a_long_end_of_a_session_no_more_is_read_once_the_first_are_there() -> None:
    search = Search(Hole(ONE, 3, None, THREE), {TRADES, QUOTES}, SETTLED_NS, 2)
    take(search, trade(ONE, 3), trade(ONE, 4))
    assert (search.is_done, search.found(is_all=True).through) == (True, 4)


def test_a_hole_of_many_messages_is_looked_for_from_its_beginning_on() -> None:
    search = Search(Hole(ONE, 3, 90), {TRADES}, SETTLED_NS, 2)
    take(search, trade(ONE, 5), trade(ONE, 3), trade(TWO, 1))
    assert search.found(is_all=search.is_done) == Found([tick(ONE, 3)], is_all=True, newest_s=3.0, through=4)


def test_messages_without_clocks_among_them_are_taken_where_they_belong() -> None:
    closed = Search(Hole(ONE, 3, 6), {TRADES}, SETTLED_NS, MOST)
    for sequence in (2, 3, 7):
        closed.take_unclocked(trade(ONE, sequence))
    closed.take_unclocked(trade(TWO, 3))
    assert numbers(closed) == [(ONE, 3)]
    without_end = Search(Hole(ONE, 3, None, THREE), {TRADES}, SETTLED_NS, 2)
    take(without_end, trade(ONE, 3), trade(THREE, 1))
    assert without_end.found(is_all=True).through is None
    without_end.take_unclocked(trade(ONE, 5))
    assert without_end.found(is_all=True) == Found([tick(ONE, 3)], is_all=True, newest_s=3.0, through=4)


def test_what_was_found_near_is_kept_when_there_is_no_time_to_look_further() -> None:
    near = Search(Hole(ONE, 3, 5), {TRADES}, SETTLED_NS, MOST)
    take(near, trade(ONE, 4), trade(ONE, 5), clock(ONE, 6, 10_000), clock(ONE, 7, 12_000))
    further = near.from_further_back()
    assert (further.is_done, further.late) == (False, {TRADES})
    both = [tick(ONE, 4), tick(ONE, 5)]
    assert further.found(is_all=further.is_done) == Found(both, is_all=False, newest_s=5.0, through=5)
    take(further, trade(ONE, 2), trade(ONE, 3))
    assert (near.is_full, further.is_done, numbers(near)) == (True, True, [(ONE, 3), (ONE, 4), (ONE, 5)])


def test_what_is_read_of_partitions_that_have_no_more_is_not_waited_for() -> None:
    search = Search(Hole(ONE, 3, 5), {TRADES, QUOTES}, SETTLED_NS, MOST)
    take(search, clock(ONE, 6, 10_000), clock(ONE, 7, 12_000))
    assert (search.waits_for({TRADES}), search.waits_for({TRADES, QUOTES})) == (False, True)
    take(search, trade(ONE, 3), trade(ONE, 4), trade(ONE, 5), partition=QUOTES)
    assert not search.waits_for({QUOTES})
