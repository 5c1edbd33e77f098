"""One venue's messages in order, whatever order they come in."""

import random

from app.tick_stream.items import Hole, Lost, Tick
from app.tick_stream.order import VenueOrder

ONE, TWO, THREE = b"1" * 16, b"2" * 16, b"3" * 16


def tick(session: bytes, sequence: int) -> Tick:
    return Tick("v", "v:A-B", session, sequence, b"%d" % sequence)


def handed_out(order: VenueOrder) -> list[tuple[bytes, int] | Lost]:
    """What is ready, and nothing twice."""
    out = [each if isinstance(each, Lost) else (each.session, each.sequence) for each in order.ready]
    order.ready.clear()
    return out


def test_the_stream_begins_where_it_is_first_heard() -> None:
    order = VenueOrder("v")
    assert order.hole() is None
    for sequence in (40, 41, 42):
        order.take(tick(ONE, sequence))
    assert handed_out(order) == [(ONE, 40), (ONE, 41), (ONE, 42)]
    assert order.hole() is None


def test_what_is_behind_a_hole_waits_for_it() -> None:
    order = VenueOrder("v")
    for sequence in (1, 2, 5, 6, 9):
        order.take(tick(ONE, sequence))
    assert handed_out(order) == [(ONE, 1), (ONE, 2)]
    assert (order.hole(), order.held) == (Hole(ONE, 3, 4), 3)
    order.take(tick(ONE, 4))
    assert order.hole() == Hole(ONE, 3, 3)
    order.take(tick(ONE, 3))
    assert handed_out(order) == [(ONE, 3), (ONE, 4), (ONE, 5), (ONE, 6)]
    assert order.hole() == Hole(ONE, 7, 8)


def test_what_came_before_is_left_out() -> None:
    order = VenueOrder("v")
    for sequence in (7, 8, 7, 6, 8):
        order.take(tick(ONE, sequence))
    assert handed_out(order) == [(ONE, 7), (ONE, 8)]


def test_what_is_lost_is_told_once_in_its_place() -> None:
    order = VenueOrder("v")
    for sequence in (1, 4, 6):
        order.take(tick(ONE, sequence))
    hole = Hole(ONE, 2, 3)
    assert order.hole() == hole
    order.take(tick(ONE, 3))
    order.lose(hole, "gone")
    order.lose(hole, "gone")
    assert handed_out(order) == [(ONE, 1), Lost("v", ONE, 2, 2, "gone"), (ONE, 3), (ONE, 4)]
    assert order.hole() == Hole(ONE, 5, 5)


def test_a_number_that_is_known_and_did_not_come_is_a_hole() -> None:
    order = VenueOrder("v")
    order.take(tick(ONE, 3))
    order.knows(ONE, 3)
    assert order.hole() is None
    order.knows(ONE, 5)
    assert order.hole() == Hole(ONE, 4, 5)


def test_a_new_session_waits_for_the_end_of_the_one_before() -> None:
    order = VenueOrder("v")
    order.take(tick(ONE, 3))
    order.take(tick(TWO, 2))
    assert order.hole() == Hole(ONE, 4, None, TWO)
    order.take(tick(ONE, 5))
    assert order.hole() == Hole(ONE, 4, 4)
    order.take(tick(ONE, 4))
    order.end(ONE)
    assert order.hole() == Hole(TWO, 1, 1)  # it was listened to when that session began
    order.take(tick(ONE, 6))
    order.take(tick(TWO, 1))
    assert handed_out(order) == [(ONE, 3), (ONE, 4), (ONE, 5), (TWO, 1), (TWO, 2)]


def test_a_session_that_nobody_heard_is_put_between() -> None:
    order = VenueOrder("v")
    order.take(tick(ONE, 3))
    order.take(tick(THREE, 1))
    order.insert(TWO, THREE)
    order.insert(TWO, THREE)
    order.take(tick(TWO, 1))
    order.end(ONE)
    assert order.hole() == Hole(TWO, 2, None, THREE)
    order.lose(Hole(TWO, 2, None, THREE), "unknown")
    assert handed_out(order) == [(ONE, 3), (TWO, 1), Lost("v", TWO, 2, None, "unknown"), (THREE, 1)]


def test_a_session_that_nobody_heard_is_not_put_before_one_that_has_begun() -> None:
    order = VenueOrder("v")
    order.take(tick(ONE, 3))
    order.take(tick(THREE, 1))
    order.lose(Hole(ONE, 4, None, THREE), "unknown")
    order.insert(TWO, THREE)
    order.take(tick(THREE, 2))
    assert handed_out(order) == [(ONE, 3), Lost("v", ONE, 4, None, "unknown"), (THREE, 1), (THREE, 2)]


def test_a_session_that_has_ended_does_not_come_again_however_many_came_since() -> None:
    order = VenueOrder("v")
    for before, session in ((ONE, TWO), (TWO, THREE)):
        order.take(tick(before, 1))
        order.take(tick(session, 1))
        order.end(before)
    assert handed_out(order) == [(ONE, 1), (TWO, 1), (THREE, 1)]
    order.knows(ONE, 5)
    order.insert(ONE, THREE)
    order.take(tick(ONE, 2))
    assert order.hole() is None
    order.take(tick(THREE, 2))
    assert handed_out(order) == [(THREE, 2)]


def test_any_order_of_arrival_comes_to_the_same() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    messages = [(session, sequence) for session in (ONE, TWO, THREE) for sequence in range(1, 40)]
    for _ in range(200):
        order, shuffled = VenueOrder("v"), messages[1:]
        order.take(tick(*messages[0]))
        for session in (TWO, THREE):
            order.knows(session, 39)
        chance.shuffle(shuffled)
        for each in shuffled:
            order.take(tick(*each))
        order.end(ONE)
        order.end(TWO)
        assert handed_out(order) == messages
