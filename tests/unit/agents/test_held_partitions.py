"""A partition that waits: the others go on, and it goes on itself with all that came meanwhile, in order."""

import asyncio
import gc
from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.held_partitions import MOST_BYTES, MOST_KEPT, HeldPartitions, MustWait
from agents.transport import RecordSet

GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""
FIRST, SECOND = TP("trades", 0), TP("trades", 1)


class App:
    """What is asked of a worker's app."""

    def __init__(self) -> None:
        self.paused: set[TP] = set()
        self.crashes: list[Exception] = []
        self.futures: list[asyncio.Task[None]] = []
        self.consumer = SimpleNamespace(
            assignment=lambda: {FIRST, SECOND},
            pause_partitions=self.paused.update,
            resume_partitions=self.paused.difference_update,
        )

    def add_future(self, work: Any) -> None:
        self.futures.append(asyncio.create_task(work))

    async def crash(self, error: Exception) -> None:
        self.crashes.append(error)

    async def come_to_an_end(self) -> None:
        async with asyncio.timeout(GUARD_S):
            await asyncio.gather(*self.futures, return_exceptions=True)


class Taker:
    """Takes offset by offset, and waits at some of them until it is told to go on."""

    def __init__(self, *waits_at: tuple[TP, int]) -> None:
        self.taken: list[tuple[TP, int]] = []
        self.told = {place: asyncio.Event() for place in waits_at}
        self.waiting: asyncio.Queue[tuple[TP, int]] = asyncio.Queue()
        self.cancelled: list[tuple[TP, int]] = []

    async def take(self, record_set: RecordSet) -> None:
        tp = TP(record_set.topic, record_set.partition)
        for offset in range(record_set.start_offset, record_set.next_offset):
            told = self.told.get((tp, offset))
            if told is not None and not told.is_set():
                raise MustWait(replace(record_set, start_offset=offset), partial(self._wait, told, (tp, offset)))
            self.taken.append((tp, offset))

    async def _wait(self, told: asyncio.Event, place: tuple[TP, int], rest: RecordSet) -> None:
        assert rest.start_offset == place[1]
        self.waiting.put_nowait(place)
        try:
            await told.wait()
        except asyncio.CancelledError:
            self.cancelled.append(place)
            raise

    def of(self, tp: TP) -> list[int]:
        return [offset for taken, offset in self.taken if taken == tp]


def a_set(tp: TP, first: int, end: int) -> RecordSet:
    return RecordSet(*tp, b"", first, end)


def a_large_set(tp: TP, first: int) -> RecordSet:
    return RecordSet(*tp, memoryview(bytes(MOST_BYTES // 2)), first, first + 1)


def holding(taker: Taker) -> tuple[App, HeldPartitions]:
    app: Any = App()
    return app, HeldPartitions(app, taker.take)


async def at_once(work: Awaitable[object]) -> None:
    async with asyncio.timeout(GUARD_S):
        await work


async def test_others_go_on_while_a_partition_waits_and_then_it_goes_on_in_order() -> None:
    taker = Taker((FIRST, 2), (FIRST, 5))
    app, held = holding(taker)
    for tp, first, end in ((FIRST, 0, 4), (SECOND, 0, 3), (FIRST, 4, 6), (SECOND, 3, 5), (FIRST, 6, 8)):
        await at_once(held.take(a_set(tp, first, end)))
    assert (taker.of(FIRST), taker.of(SECOND)) == ([0, 1], [0, 1, 2, 3, 4])
    for place, told in taker.told.items():
        async with asyncio.timeout(GUARD_S):
            assert await taker.waiting.get() == place
        told.set()
    await app.come_to_an_end()
    await at_once(held.take(a_set(FIRST, 8, 9)))
    assert taker.of(FIRST) == list(range(9))


async def test_what_waits_keeps_nothing_of_the_response_that_it_came_in() -> None:
    app, held = holding(Taker((FIRST, 0), (FIRST, 1)))
    response = bytearray(b"records of all partitions")
    for offset in range(2):
        await held.take(RecordSet(*FIRST, memoryview(response), offset, offset + 1))
    gc.collect()
    response.clear()  # refused while there is a view of it
    held.let_all_go()
    await app.come_to_an_end()


async def test_no_more_is_fetched_of_those_that_wait_once_they_fill_the_memory() -> None:
    taker = Taker((FIRST, 0), (SECOND, 0))
    app, held = holding(taker)
    for tp, offset in (FIRST, 0), (SECOND, 0):
        await held.take(a_large_set(tp, offset))
    assert app.paused == set()
    await held.take(a_large_set(SECOND, 1))
    assert app.paused == held.paused == {SECOND}
    held.let_all_go()
    await app.come_to_an_end()


async def test_no_more_is_fetched_of_a_partition_that_waits_for_long_until_it_goes_on() -> None:
    taker = Taker((FIRST, 0))
    app, held = holding(taker)
    for offset in range(MOST_KEPT):
        await held.take(a_set(FIRST, offset, offset + 1))
    assert app.paused == set(), "a registry that answers is faster"
    await held.take(a_set(FIRST, MOST_KEPT, MOST_KEPT + 1))
    assert app.paused == held.paused == {FIRST}
    taker.told[FIRST, 0].set()
    await app.come_to_an_end()
    assert app.paused == held.paused == set()
    assert taker.of(FIRST) == list(range(MOST_KEPT + 1))


async def test_what_is_kept_of_a_partition_that_is_let_go_of_is_dropped_and_it_can_come_back() -> None:
    taker = Taker((FIRST, 1), (SECOND, 0))
    app, held = holding(taker)
    for offset in range(MOST_KEPT + 2):
        await held.take(a_set(FIRST, offset, offset + 1))
    await held.take(a_set(SECOND, 0, 1))
    for _ in range(2):
        await at_once(taker.waiting.get())
    held.let_all_go()
    assert app.paused == set()
    taker.told.clear()
    await at_once(held.take(a_set(FIRST, 1, 3)))
    await app.come_to_an_end()
    assert (taker.of(FIRST), taker.of(SECOND), app.crashes) == ([0, 1, 2], [], [])
    assert sorted(taker.cancelled) == [(FIRST, 1), (SECOND, 0)]


async def test_one_that_is_let_go_of_while_it_takes_what_was_kept_takes_no_more() -> None:
    taker = Taker((FIRST, 0))
    app: Any = App()

    async def take(record_set: RecordSet) -> None:
        await taker.take(record_set)
        if record_set.start_offset == 1:
            held.let_go(FIRST)
            app.consumer.pause_partitions({FIRST})

    held = HeldPartitions(app, take)
    for offset in range(MOST_KEPT + 1):
        await held.take(a_set(FIRST, offset, offset + 1))
    taker.told[FIRST, 0].set()
    await app.come_to_an_end()
    assert (taker.of(FIRST), app.crashes) == ([0, 1], [])
    assert app.paused == {FIRST}, "who let go of it may leave it alone"


async def test_an_error_ends_the_worker_whether_its_record_set_was_kept_or_not() -> None:
    taker = Taker((FIRST, 0))

    async def take(record_set: RecordSet) -> None:
        await taker.take(record_set)
        if record_set.start_offset == 1:
            raise ArithmeticError

    app: Any = App()
    held = HeldPartitions(app, take)
    await held.take(a_set(FIRST, 0, 1))
    await held.take(a_set(FIRST, 1, 2))
    with pytest.raises(ArithmeticError):
        await held.take(a_set(SECOND, 1, 2))
    taker.told[FIRST, 0].set()
    await app.come_to_an_end()
    assert [type(error) for error in app.crashes] == [ArithmeticError, ArithmeticError]
