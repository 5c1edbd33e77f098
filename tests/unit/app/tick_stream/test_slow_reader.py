"""A reader that does not read: little waits for it in the program, and later it has all. No broker is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import zmq
import zmq.asyncio

from app.settings import Settings
from app.tick_stream import Lost, Origin, Tick, TickStream, patience, stream
from app.tick_stream.items import Hole
from app.tick_stream.retry import POSITION, RANGE
from app.tick_stream.search import Entry, Found, Partition, Search
from app.tick_stream.sessions import mark_of_namespace
from local import ports

VENUE = "binance"
SESSION, UNHEARD, NEWEST = (mark_of_namespace("live") + digit * 12 for digit in (b"1", b"2", b"3"))
READY = 100
PAGE = 50
"""Messages of one answer of the bridge."""
PATIENCE_S = 60.0


class Bridge:
    """Publishes the messages that it is told to; keeps all or none, and says that it keeps those up to `last`."""

    def __init__(self, publisher: zmq.asyncio.Socket, router: zmq.asyncio.Socket, *, keeps: bool) -> None:
        self._publisher = publisher
        self._router = router
        self._keeps = keeps
        self.last = 0
        self._looks: asyncio.Queue[None] = asyncio.Queue()
        self.answers = 0
        """How often missed messages were asked for."""

    async def publish(self, *numbers: int, session: bytes = SESSION) -> None:
        for number in numbers:
            await self._publisher.send_multipart(frames(number, session))

    async def is_asked(self, times: int) -> None:
        """Wait until it was asked so often again how far it has come."""
        for _ in range(times):
            await self._looks.get()

    async def answer(self) -> None:
        while True:
            client, request, *rest = await self._router.recv_multipart()
            if request == b"state":
                state = [b"state", VENUE.encode(), RANGE.pack(SESSION, 1, self.last)] if self.last else [b"state"]
                await self._router.send_multipart([client, *state])
                self._looks.put_nowait(None)
            else:
                self.answers += 1
                await self._router.send_multipart([client, b"got", *self._page(*RANGE.unpack(rest[0])[1:])])

    def _page(self, first: int, last: int) -> list[bytes]:
        if not self._keeps:
            return [RANGE.pack(SESSION, first, last)]
        through = min(last, first + PAGE - 1)
        kept = [part for number in range(first, through + 1) for part in frames(number)]
        return [RANGE.pack(SESSION, first, through), *kept]


def frames(number: int, session: bytes = SESSION) -> list[bytes]:
    return [VENUE.encode(), POSITION.pack(session, number), b"%d" % number]


@asynccontextmanager
async def heard(*, keeps: bool = True) -> AsyncIterator[tuple[Bridge, TickStream]]:
    """A bridge, and a stream that hears it."""
    data, retry = ports.free_ports(2)
    settings = Settings(zmq_data=f"tcp://127.0.0.1:{data}", zmq_retry=f"tcp://127.0.0.1:{retry}")
    with zmq.asyncio.Context() as context, context.socket(zmq.XPUB) as publisher, context.socket(zmq.ROUTER) as router:
        publisher.set(zmq.SNDHWM, 0)
        publisher.bind(settings.zmq_data)
        router.bind(settings.zmq_retry)
        bridge = Bridge(publisher, router, keeps=keeps)
        answering = asyncio.create_task(bridge.answer())
        async with asyncio.timeout(60), TickStream(settings, patience_s=PATIENCE_S) as ticks:
            assert await publisher.recv() == b"\x01"  # it has subscribed
            yield bridge, ticks
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room, and a look at the bridge that does not have to be waited for."""
    monkeypatch.setattr(stream, "READY", READY)
    monkeypatch.setattr(stream, "WATCH_S", 0.01)


async def until(bridge: Bridge, condition: Callable[[], bool]) -> None:
    while not condition():
        await bridge.is_asked(1)


async def read(ticks: TickStream, count: int) -> list[Tick | Lost]:
    return [await anext(ticks) for _ in range(count)]


def numbers(items: list[Tick | Lost]) -> list[int | Lost]:
    return [item.sequence if isinstance(item, Tick) else item for item in items]


async def test_a_reader_that_waits_ends_once_the_stream_is_left() -> None:
    async with heard() as (bridge, ticks):
        await bridge.publish(1, 2)
        assert numbers(await read(ticks, 2)) == [1, 2]
        waiting = asyncio.create_task(anext(ticks, None))
        await bridge.is_asked(1)
    async with asyncio.timeout(60):
        assert await waiting is None


async def test_a_reader_of_a_stream_that_is_left_has_what_had_come_first() -> None:
    async with heard() as (bridge, ticks):
        await bridge.publish(1, 2, 3)
        await until(bridge, lambda: len(ticks._waiting) == 3)
    async with asyncio.timeout(60):
        assert numbers([item async for item in ticks]) == [1, 2, 3]


async def test_what_waits_in_zeromq_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with heard() as (bridge, ticks):
        await bridge.publish(*range(1, 1_001))
        await until(bridge, lambda: not ticks._waiting.has_room)
        bridge.last = 1_000
        await bridge.is_asked(5)
        assert len(ticks._waiting) == READY
        monkeypatch.setattr(stream, "WATCH_S", 3_600)
        items = await read(ticks, 1_000)
    assert (numbers(items), bridge.answers) == ([*range(1, 1_001)], 0)


async def test_what_was_missed_is_fetched_as_it_is_read() -> None:
    async with heard() as (bridge, ticks):
        await bridge.publish(1, 2_002)
        await until(bridge, lambda: not ticks._waiting.has_room)
        await bridge.is_asked(5)
        assert len(ticks._waiting) == READY + 1
        items = await read(ticks, 2_002)
    assert numbers(items) == [*range(1, 2_003)]


class Log:
    """A history that has everything, of which it finds little at once."""

    def read(self, venue: str, hole: Hole, _since_s: float, _goes_on: Callable[[], bool]) -> Found:
        assert hole.last is not None
        those = range(hole.first, min(hole.last, hole.first + PAGE - 1) + 1)
        ticks = [Tick(venue, venue, hole.session, number, b"%d" % number, Origin.KAFKA) for number in those]
        return Found(ticks, is_all=False, newest_s=0.0, through=hole.last)


class Clock:
    """The time that patience looks at."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


async def test_the_time_in_which_nothing_is_read_costs_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    async with heard(keeps=False) as (bridge, ticks):
        monkeypatch.setattr(ticks, "_history", Log())
        await bridge.publish(1, 1_000)
        await until(bridge, lambda: VENUE in ticks._slowed)
        assert len(ticks._waiting) == READY + 1
        clock.now_s += 2 * PATIENCE_S
        items = await read(ticks, 1_000)
    assert numbers(items) == [*range(1, 1_001)]


async def test_what_the_bridge_brings_leaves_as_much_patience_for_what_kafka_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)

    async def get(venue: str, session: bytes, first: int, last: int) -> tuple[int, list[Tick]]:
        clock.now_s += 0.6 * PATIENCE_S
        those = range(first, 21) if first <= 20 else range(0)
        ticks = [Tick(venue, venue, session, number, b"", Origin.MEMORY) for number in those[:10]]
        return (ticks[-1].sequence if ticks else last), ticks

    async with heard(keeps=False) as (bridge, ticks):
        monkeypatch.setattr(ticks._retry, "get", get)
        monkeypatch.setattr(ticks, "_history", Log())
        await bridge.publish(1, 60)
        items = await read(ticks, 60)
    assert numbers(items) == [*range(1, 61)]


async def test_what_comes_behind_missed_messages_meanwhile_is_missed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HELD", 200)
    async with heard() as (bridge, ticks):
        await bridge.publish(1, 500)
        await until(bridge, lambda: VENUE in ticks._slowed)
        await bridge.publish(*range(501, 2_001))
        items = await read(ticks, 2_000)
    assert numbers(items) == [*range(1, 2_001)]


class Runs:
    """A history of one partition that has so many clocks of each session, a second apart; each look takes a while."""

    MOST = 7
    """What a look brings."""

    def __init__(self, clock: Clock, look_s: float, **counts: int) -> None:
        self._clock = clock
        self._look_s = look_s
        sessions = {"session": SESSION, "unheard": UNHEARD, "newest": NEWEST}
        ticks = (
            Tick(VENUE, VENUE, sessions[name], number, b"%d" % number, Origin.KAFKA)
            for name, count in counts.items()
            for number in range(1, count + 1)
        )
        self._entries = [Entry(tick, float(second), second) for second, tick in enumerate(ticks, start=1)]
        self.since: list[float] = []

    def read(self, _venue: str, hole: Hole, since_s: float, _goes_on: Callable[[], bool]) -> Found:
        self.since.append(since_s)
        self._clock.now_s += self._look_s
        search, partition = Search(hole, {Partition("trades", 0)}, 1, self.MOST), Partition("trades", 0)
        for entry in self._entries:
            search.take(partition, entry)
        return search.found(is_all=search.is_done)


async def test_the_ends_of_runs_come_in_many_looks_and_none_is_given_up_for_its_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    runs = Runs(clock, 0.9 * PATIENCE_S, session=40, unheard=14, newest=20)
    async with heard(keeps=False) as (bridge, ticks):
        monkeypatch.setattr(ticks, "_history", runs)
        await bridge.publish(1)
        await bridge.publish(20, session=NEWEST)
        items = [await anext(ticks) for _ in range(74)]
    told = [(item.session, item.sequence) if isinstance(item, Tick) else item for item in items]
    expected = ((SESSION, 40), (UNHEARD, 14), (NEWEST, 20))
    assert told == [(session, number) for session, count in expected for number in range(1, count + 1)]
    assert runs.since[1:7] == [8.0, 15.0, 22.0, 29.0, 36.0, 40.0]  # each goes on where the one before has come to


async def test_what_a_long_end_of_a_run_lacks_is_told_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    runs = Runs(clock, 0.0, session=40, newest=1)
    runs._entries = [entry for entry in runs._entries if entry.tick.sequence not in range(3, 25)]
    async with heard(keeps=False) as (bridge, ticks):
        monkeypatch.setattr(ticks, "_history", runs)
        await bridge.publish(1)
        await bridge.publish(1, session=NEWEST)
        told: list[int] = []
        while len(told) < 41:
            item = await anext(ticks)
            told += [item.sequence] if isinstance(item, Tick) else range(-item.first, -(item.last or 0) - 1, -1)
    assert told == [1, 2, *range(-3, -25, -1), *range(25, 41), 1]
