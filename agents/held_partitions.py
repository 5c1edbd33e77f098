"""Partitions that wait, for a schema or until their log is read again, and hold up no other one."""

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Set
from dataclasses import replace
from typing import Any, Final, TypeAlias

from faust.types import TP

from agents.closing import Closing, LetGo
from agents.transport import BatchApp, RecordSet

MOST_KEPT: Final = 8
"""Record sets of a partition that waits, before no more are fetched. A registry that answers is faster than that, and
once fetching has stopped it may take a second to begin again."""
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all partitions that wait, before no more is fetched of one of which more comes."""

Until: TypeAlias = Callable[[RecordSet], Coroutine[Any, Any, object]]


class MustWait(Exception):
    """A record set cannot be taken to its end now. The rest can be, once what `until` begins with it has ended."""

    def __init__(self, rest: RecordSet, until: Until) -> None:
        super().__init__(f"{rest.topic} partition {rest.partition} waits at offset {rest.start_offset}")
        self.rest = rest
        self.until = until


class _Held:
    """What is left of a record set, and those that came behind it."""

    def __init__(self, rest: RecordSet) -> None:
        self.record_sets = deque([_own(rest)])
        self.closing = Closing()


class HeldPartitions:
    """Takes record sets, those of a partition in order. One that must wait is taken up again by itself.

    An agent has one stream for all partitions of a topic: if it waited for one, it would wait for all.
    """

    def __init__(self, app: BatchApp, take: Callable[[RecordSet], Awaitable[None]]) -> None:
        """`take` may raise MustWait. Any other error ends the worker."""
        self._app = app
        self._take = take
        self._held: dict[TP, _Held] = {}
        self.paused: set[TP] = set()
        """Those of which no more is fetched meanwhile."""

    @property
    def waiting(self) -> Set[TP]:
        """Those that wait, of which more may be fetched or not."""
        return self._held.keys()

    async def take(self, record_set: RecordSet) -> None:
        """Take a record set, or keep it as long as one before it waits."""
        tp = TP(record_set.topic, record_set.partition)
        if held := self._held.get(tp):
            self._keep(tp, held, record_set)
            return
        async with _errors_end(self._app):
            try:
                await self._take(record_set)
            except MustWait as wait:
                held = self._held[tp] = _Held(wait.rest)
                self._app.add_future(self._go_on(tp, held, wait.until))  # the error itself keeps the whole response

    def let_go(self, *partitions: TP) -> None:
        """Wait no more, and drop what is kept: it is fetched again by whoever has the partition then."""
        for tp in partitions:
            if held := self._held.pop(tp, None):
                held.closing.begin()
        if resumed := self.paused.intersection(partitions):
            self.paused -= resumed
            self._app.consumer.resume_partitions(resumed & self._app.consumer.assignment())

    def let_all_go(self) -> None:
        """The same with every partition that waits."""
        self.let_go(*self._held)

    def _keep(self, tp: TP, held: _Held, record_set: RecordSet) -> None:
        held.record_sets.append(_own(record_set))
        kept = sum(len(each.data) for waiting in self._held.values() for each in waiting.record_sets)
        if len(held.record_sets) > MOST_KEPT or kept > MOST_BYTES:
            self.paused.add(tp)
            self._app.consumer.pause_partitions({tp} & self._app.consumer.assignment())

    async def _go_on(self, tp: TP, held: _Held, first: Until) -> None:
        until: Until | None = first
        async with _errors_end(self._app):
            with contextlib.suppress(LetGo):
                while until is not None:
                    await held.closing.outrun_by(until(held.record_sets[0]))
                    until = await self._take_kept(held)
                self.let_go(tp)

    async def _take_kept(self, held: _Held) -> Until | None:
        """Take what is kept, and tell for what it must wait again. Raises LetGo."""
        while not held.closing.has_begun:
            if not held.record_sets:
                return None
            try:
                await self._take(held.record_sets.popleft())
            except MustWait as wait:
                held.record_sets.appendleft(wait.rest)
                return wait.until
        raise LetGo


def _own(record_set: RecordSet) -> RecordSet:
    """With bytes of its own: a view would keep the whole response, of all partitions, for as long as it waits."""
    return replace(record_set, data=bytes(record_set.data))


@contextlib.asynccontextmanager
async def _errors_end(app: BatchApp) -> AsyncIterator[None]:
    """Take a record set in here; an error ends the worker: started again, an agent would leave the record set out."""
    try:
        yield
    except Exception as error:
        await app.crash(error)
        raise
