"""When a partition has no more of what was missed, and what was found of it until then."""

from app.tick_stream.items import Hole, Tick
from app.tick_stream.search import Entry, Found, Partition, Search

ONE, TWO, THREE = b"1" * 16, b"2" * 16, b"3" * 16
TRADES, QUOTES = Partition("trades", 0), Partition("quotes", 0)
SETTLED_NS = 2_000


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
    search = Search(Hole(ONE, 3, 4), {TRADES, QUOTES}, SETTLED_NS)
    take(search, trade(ONE, 2), trade(ONE, 4))
    assert not search.is_done
    take(search, trade(ONE, 3), partition=QUOTES)
    assert (search.is_full, search.is_done, numbers(search)) == (True, True, [(ONE, 3), (ONE, 4)])
    assert search.found(is_all=True).newest_s == 4.0


def test_what_was_taken_from_before_the_hole_tells_that_nothing_of_it_is_before_that() -> None:
    search = Search(Hole(TWO, 3, 6), {TRADES, QUOTES}, SETTLED_NS)
    take(search, trade(TWO, 4), trade(TWO, 5))
    assert set(search.late) == {TRADES, QUOTES}
    take(search, trade(TWO, 2))
    take(search, trade(ONE, 9), trade(TWO, 4), partition=QUOTES)
    assert not search.late


def test_a_trade_that_waited_for_a_gap_is_found_behind_messages_of_higher_numbers() -> None:
    search = Search(Hole(ONE, 3, 6), {TRADES}, SETTLED_NS)
    take(search, trade(ONE, 4), clock(ONE, 7, 10_000), trade(ONE, 8), clock(ONE, 9, 10_000), clock(ONE, 10, 11_999))
    assert not search.is_done
    take(search, trade(ONE, 3), clock(ONE, 11, 12_000))
    assert (search.is_done, search.is_full, numbers(search)) == (True, False, [(ONE, 3), (ONE, 4)])


def test_every_partition_must_have_no_more() -> None:
    search = Search(Hole(ONE, 3, 6), {TRADES, QUOTES}, SETTLED_NS)
    behind = clock(ONE, 7, 10_000), clock(ONE, 8, 12_000)
    take(search, *behind)
    assert not search.is_done
    take(search, *behind, partition=QUOTES)
    assert search.is_done


def test_another_session_ends_a_partition_that_had_the_holes_own() -> None:
    search = Search(Hole(TWO, 3, 6), {TRADES}, SETTLED_NS)
    take(search, trade(ONE, 5))
    assert not search.is_done
    take(search, trade(TWO, 3), trade(THREE, 1))
    assert (search.is_done, numbers(search)) == (True, [(TWO, 3)])


def test_the_end_of_a_session_and_sessions_that_nobody_heard_are_found() -> None:
    search = Search(Hole(ONE, 3, None, THREE), {TRADES}, SETTLED_NS)
    take(search, trade(ONE, 2), trade(ONE, 3), trade(TWO, 1), trade(THREE, 1))
    assert (search.is_done, numbers(search)) == (True, [(ONE, 3), (TWO, 1)])


def test_messages_without_clocks_among_them_are_taken_where_they_belong() -> None:
    closed = Search(Hole(ONE, 3, 6), {TRADES}, SETTLED_NS)
    for sequence in (2, 3, 7):
        closed.take_unclocked(trade(ONE, sequence))
    closed.take_unclocked(trade(TWO, 3))
    assert numbers(closed) == [(ONE, 3)]
    without_end = Search(Hole(ONE, 3, None, THREE), {TRADES}, SETTLED_NS)
    take(without_end, trade(ONE, 3), trade(TWO, 1), trade(THREE, 1))
    for session in (ONE, TWO, THREE):
        without_end.take_unclocked(trade(session, 4))
    assert numbers(without_end) == [(ONE, 3), (ONE, 4), (TWO, 1), (TWO, 4)]


def test_what_was_found_near_is_kept_when_there_is_no_time_to_look_further() -> None:
    near = Found([tick(ONE, 4), tick(ONE, 5)], is_all=True, newest_s=5.0)
    too_late = Found([tick(ONE, 3), tick(ONE, 4)], is_all=False, newest_s=4.0)
    assert near.joined_with(too_late) == Found([tick(ONE, 3), tick(ONE, 4), tick(ONE, 5)], is_all=False, newest_s=5.0)
    assert near.joined_with(Found([], is_all=False, newest_s=0.0)) == near._replace(is_all=False)
