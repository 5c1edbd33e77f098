"""What a thread hands over is applied in order, so much at a time, and not behind the end."""

import threading
from collections.abc import Callable

import pytest

from app.hand_over import MAX_UNDELIVERED, HandOver

PATIENCE_S = 60.0


class Loop:
    """An event loop that does what it is given when it is told to."""

    def __init__(self) -> None:
        self.given: list[Callable[[], None]] = []
        self.has_more = threading.Semaphore(0)

    def call_soon(self, what: Callable[[], None]) -> None:
        self.given.append(what)
        self.has_more.release()


def test_all_is_applied_in_the_order_in_which_it_was_handed_over() -> None:
    loop, applied = Loop(), list[int]()
    hand_over = HandOver(loop.call_soon)
    hand_over.put(lambda: applied.append(1))
    hand_over.tell(lambda: applied.append(2))
    hand_over.put(lambda: applied.append(3))
    for what in loop.given:
        what()
    assert applied == [1, 2, 3]


@pytest.mark.parametrize("fails", [False, True])
def test_a_thread_waits_at_the_bound_until_one_was_applied_or_failed(*, fails: bool) -> None:
    loop = Loop()
    hand_over = HandOver(loop.call_soon)

    def apply() -> None:
        if fails:
            raise LookupError

    def put_one_more() -> None:
        for _ in range(MAX_UNDELIVERED + 1):
            hand_over.put(apply)

    thread = threading.Thread(target=put_one_more, daemon=True)
    thread.start()
    for _ in range(MAX_UNDELIVERED):
        assert loop.has_more.acquire(timeout=PATIENCE_S)
    hand_over.tell(apply)  # what is told takes no room, nor waits for it
    assert loop.has_more.acquire(timeout=PATIENCE_S)
    assert len(loop.given) == MAX_UNDELIVERED + 1
    if fails:
        with pytest.raises(LookupError):
            loop.given[0]()
    else:
        loop.given[0]()
    thread.join(PATIENCE_S)
    assert len(loop.given) == MAX_UNDELIVERED + 2


def test_once_it_is_closed_a_thread_that_waits_goes_on_and_nothing_more_is_handed_over() -> None:
    loop = Loop()
    hand_over = HandOver(loop.call_soon)
    for _ in range(MAX_UNDELIVERED):
        hand_over.put(lambda: None)
    thread = threading.Thread(target=hand_over.put, args=(lambda: None,), daemon=True)
    thread.start()
    hand_over.close()
    thread.join(PATIENCE_S)
    hand_over.put(lambda: None)
    hand_over.tell(lambda: None)
    assert not thread.is_alive()
    assert len(loop.given) == MAX_UNDELIVERED
