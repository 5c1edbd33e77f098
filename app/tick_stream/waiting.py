"""What waits for the reader of a stream, and when there is room for more."""

import asyncio
from collections import deque
from collections.abc import Iterable

from app.tick_stream.items import Lost, Tick


class Waiting:
    """Items for a reader, in order. Who adds to them does so while there is room: until there are `most`.

    There is room again once the reader has taken half of them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[Tick | Lost] = deque()
        self._failure: BaseException | None = None
        self._has_items = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def has_room(self) -> bool:
        """Whether more may be added."""
        return self._has_room.is_set()

    async def room(self) -> None:
        """Wait until more may be added."""
        await self._has_room.wait()

    def add(self, items: Iterable[Tick | Lost]) -> None:
        """Have the reader take these next."""
        self._items.extend(items)
        self._has_items.set()
        if len(self._items) >= self._most:
            self._has_room.clear()

    def fail(self, failure: BaseException) -> None:
        """Have it raised to the reader behind all items."""
        self._failure = failure
        self._has_items.set()

    def close(self) -> None:
        """End the reader's iteration behind all items, unless a failure already does."""
        if self._failure is None:
            self.fail(StopAsyncIteration())

    async def next(self) -> Tick | Lost:
        """Take an item, when there is one.

        Raises:
            StopAsyncIteration: there will be none, since it was closed.
        """
        while not self._items:
            if self._failure is not None:
                raise self._failure
            self._has_items.clear()
            await self._has_items.wait()
        item = self._items.popleft()
        if len(self._items) < self._most // 2:
            self._has_room.set()
        return item
