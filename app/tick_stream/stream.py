"""All messages of a bridge in order, as an async iterator that never skips without a word."""

import asyncio
import logging
import struct
import threading
import time
from collections.abc import Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

import zmq
import zmq.asyncio

from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.settings import Settings
from app.tick_stream.address import connect
from app.tick_stream.history import HistoryAway, TickHistory
from app.tick_stream.items import Hole, Lost, Tick
from app.tick_stream.order import VenueOrder
from app.tick_stream.patience import Patience
from app.tick_stream.retry import POSITION, Kept, RetryAway, RetryClient
from app.tick_stream.search import Found
from app.tick_stream.sessions import mark_of_namespace
from app.tick_stream.waiting import Waiting

log = logging.getLogger(__name__)

RECEIVE_QUEUE: Final = 100_000
"""Messages that ZeroMQ holds for us before it drops; what it drops is a hole, and asked for."""
DRAIN: Final = 200
"""Messages taken before other tasks get their turn."""
READY: Final = 20_000
"""Messages that wait for the reader before no more are received, or fetched."""
HELD: Final = 200_000
"""Messages of a venue that wait for missed ones; beyond this the missed ones are given up. Where it is the reader who
keeps them waiting, newer ones are missed as well instead."""
WATCH_S: Final = 1.0
SILENCES: Final = 2
"""Questions in a row that the bridge does not answer, some seconds each, before that is said."""
RETRY_S: Final = 0.5


class TickStream:
    """Receives a bridge's messages while it is entered; iterate over it for a `Tick` each, or a `Lost`.

    An iteration that is under way when it is left ends behind what had come by then.

    A venue's messages come in the order of their numbers. Missing ones are asked for, at the bridge and then in Kafka,
    and the venue's newer ones wait for them; once none has come for `patience_s` a `Lost` says which are given up. A
    reader that is slow for long misses messages as others do, and gets them late. What a bridge of another namespace
    publishes at the same address is left out.
    """

    def __init__(self, settings: Settings, *, patience_s: float = 60.0) -> None:
        self._address = settings.zmq_data
        self._retry_address = settings.zmq_retry
        self._namespace = settings.namespace
        self._mark = mark_of_namespace(settings.namespace)
        self._has_met_others = False
        self._patience_s = patience_s
        self._history = TickHistory(settings, RecordReader(settings.schemas_dir, RegistrySchemas(settings)))
        self._orders: dict[str, VenueOrder] = {}
        self._in_order_s: dict[str, float] = {}
        """When the newest message of a venue that is in order came to us; or to Kafka, while more is read there."""
        self._menders: dict[str, asyncio.Task[None]] = {}
        self._slowed: set[str] = set()
        """Venues whose missed messages have waited for the reader."""
        self._waiting = Waiting(READY)
        self._has_taken_all = True
        """Whether nothing that has come to us waits in ZeroMQ."""
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = threading.Event()
        self.malformed = 0
        """Messages that were none of a bridge's."""

    async def __aenter__(self) -> Self:
        self._context = zmq.asyncio.Context()
        self._retry = RetryClient(self._retry_address)
        self._socket = self._context.socket(zmq.SUB)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.RCVHWM, RECEIVE_QUEUE)
        self._socket.subscribe(b"")
        connect(self._socket, self._address)
        self._run(self._receive())
        self._run(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._waiting.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._retry.close()
        self._context.destroy(linger=0)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Tick | Lost:
        return await self._waiting.next()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.remove(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._waiting.fail(error)

    async def _receive(self) -> None:
        ready: zmq.Socket[bytes] = zmq.Socket.shadow(self._socket)
        while True:
            self._has_taken_all &= self._waiting.has_room
            await self._waiting.room()
            self._take(await self._socket.recv_multipart())
            self._has_taken_all = self._drain(ready)
            await asyncio.sleep(0)

    def _drain(self, socket: "zmq.Socket[bytes]") -> bool:
        """Take what has come meanwhile without a trip through the event loop for each; false when more may be there."""
        for _ in range(DRAIN):
            if not self._waiting.has_room:
                return False
            try:
                self._take(socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                return True
        return False

    def _take(self, frames: list[bytes]) -> None:
        try:
            key, position, value = frames
            session, sequence = POSITION.unpack(position)
            name = key.decode()
        except (ValueError, struct.error):
            self.malformed += 1
            return
        if not session.startswith(self._mark):
            self._leave_out()
            return
        venue = name.partition(":")[0]
        order = self._orders.get(venue) or self._orders.setdefault(venue, VenueOrder(venue))
        if order.held >= HELD and venue in self._slowed:
            order.knows(session, sequence)  # missed as well, so that it comes later
            return
        order.take(Tick(venue, name, session, sequence, value))
        if order.held > HELD and (hole := order.hole()) is not None:
            order.lose(hole, f"more than {HELD} messages wait behind them")
        self._hand_out(venue, order)

    def _leave_out(self) -> None:
        """Say once that somebody else's messages are heard."""
        if not self._has_met_others:
            log.warning(
                "a bridge of another namespace is heard at %s: its messages are left out, LIVETAPE_NAMESPACE is %s",
                self._address,
                self._namespace,
            )
        self._has_met_others = True

    def _hand_out(self, venue: str, order: VenueOrder) -> bool:
        """Pass on what is in order, and see to what is missing; whether anything was in order."""
        has_gone_on = bool(order.ready)
        if has_gone_on:
            self._in_order_s[venue] = time.time()
            self._waiting.add(order.ready)
            order.ready.clear()
        if venue not in self._menders and order.hole() is not None:
            self._menders[venue] = self._run(self._mend(venue, order))
        return has_gone_on

    async def _watch(self) -> None:
        """Find out what was missed and has nothing behind it that would tell."""
        before: dict[bytes, int] = {}
        silences = 0
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                kept = await self._retry.state()
            except RetryAway:
                silences += 1
                if silences == SILENCES:
                    log.warning(
                        "the bridge at %s does not answer: it is away, or cannot be reached", self._retry_address
                    )
                continue
            silences = 0
            if self._has_taken_all:  # what was there a while ago has come, or never will
                self._learn(kept, before)
            before = {of.session: of.last for of in kept}

    def _learn(self, kept: list[Kept], before: dict[bytes, int]) -> None:
        """Learn how far the sessions had come that a bridge keeps."""
        for of in kept:
            if of.session.startswith(self._mark) and (order := self._orders.get(of.venue)) is not None:
                order.knows(of.session, before.get(of.session, 0))
                self._hand_out(of.venue, order)

    async def _mend(self, venue: str, order: VenueOrder) -> None:
        """Fetch what is missing until nothing is."""
        try:
            while (hole := order.hole()) is not None:
                await self._mend_hole(venue, order, hole)
                self._hand_out(venue, order)
        finally:
            del self._menders[venue]
            self._slowed.discard(venue)

    async def _mend_hole(self, venue: str, order: VenueOrder, hole: Hole) -> None:
        patience = Patience(self._patience_s)
        if hole.last is not None:
            await self._from_memory(venue, order, hole, hole.last, patience)
        while (left := self._left_of(hole, order)) is not None and not patience.is_over:
            await self._have_room(venue, patience)
            try:
                await self._from_kafka(venue, order, left, patience)
            except HistoryAway as error:
                log.warning("missed messages of %s wait: %s", venue, error)
                await asyncio.sleep(RETRY_S)
        if left is not None:
            order.lose(left, f"neither the bridge nor Kafka had them within {self._patience_s:.0f} s")

    async def _have_room(self, venue: str, patience: Patience) -> None:
        """Wait for the reader, where it has not taken what was fetched before."""
        if not self._waiting.has_room:
            self._slowed.add(venue)
            await patience.pause_for(self._waiting.room())

    @staticmethod
    def _left_of(hole: Hole, order: VenueOrder) -> Hole | None:
        """What is still missing of a hole."""
        left = order.hole()
        if left is None or left.session != hole.session or (left.last is None) != (hole.last is None):
            return None
        if left.last is None or hole.last is None:
            return left
        last = min(left.last, hole.last)
        return replace(left, last=last) if left.first <= last else None

    async def _from_memory(self, venue: str, order: VenueOrder, hole: Hole, last: int, patience: Patience) -> None:
        covered = hole.first - 1
        while covered < last:
            await self._have_room(venue, patience)
            try:
                through, ticks = await self._retry.get(venue, hole.session, covered + 1, last)
            except RetryAway as error:
                log.warning("%s: %s", venue, error)
                return
            if through <= covered:
                return
            covered = through
            for tick in ticks:
                order.take(tick)
            if self._hand_out(venue, order):
                patience.renew()

    async def _from_kafka(self, venue: str, order: VenueOrder, hole: Hole, patience: Patience) -> None:
        """Fill a hole with the first of what the topics have. When that is all, the rest up to there is lost."""

        def goes_on() -> bool:
            return not patience.is_over and not self._stopping.is_set()

        since_s = self._in_order_s.get(venue, time.time())
        found = await asyncio.to_thread(self._history.read, venue, hole, since_s, goes_on)
        for tick in found.ticks:
            order.take(tick)
        if found.is_all:
            self._close(order, hole, found)
        if self._hand_out(venue, order):
            patience.renew()
            if order.hole() is not None:
                self._in_order_s[venue] = found.newest_s or since_s

    @staticmethod
    def _close(order: VenueOrder, hole: Hole, found: Found) -> None:
        """Go on behind what was looked for of a hole: there is no more of it."""
        if found.through is not None:
            order.knows(hole.session, found.through)
        reason = "neither the bridge nor Kafka has them"
        while (left := order.hole()) is not None and left.session == hole.session and left.last is not None:
            if found.through is not None and left.first > found.through:
                return
            order.lose(left if found.through is None else replace(left, last=min(left.last, found.through)), reason)
        if found.through is None:
            if found.following:
                order.insert(found.following, hole.until)
            order.end(hole.session)
