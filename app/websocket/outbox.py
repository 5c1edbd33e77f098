"""What one connection still has to be sent: bounded, with a policy for each kind of message.

- bars and rows of tables `conflate`: of a bar not sent yet only the newest version stays, in the older one's place;
- trades `skip`: past the bound the oldest go, and a `skipped` message says how many;
- everything else waits: who makes replies waits for `room` first, which the two others leave alone.
"""

import asyncio
from collections import OrderedDict, deque
from itertools import count

from app.bars import Instrument, SeriesKey, encode

MAX_TRADES = 1_000
MAX_ENTRIES = 10_000
"""Past this the client is disconnected: it subscribes to more bars than it ever reads."""
ROOM = 100
"""Replies are made while fewer than this wait."""

BarKey = tuple[SeriesKey, int | str]
"""A bar by series and start; or what takes the place of an older version in the same way, a table's row say."""


class Outbox:
    """Messages of one connection in the order to be sent. Made and emptied on the event loop's thread."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        """Set while there is something to send."""
        self.room = asyncio.Event()
        """Set while so few replies wait that another may be made."""
        self.room.set()
        self.conflated = 0
        self.skipped = 0
        self._entries: OrderedDict[int | BarKey, str] = OrderedDict()
        self._replies = 0
        self._numbers = count()
        self._trades: deque[tuple[int, Instrument]] = deque()
        self._untold: dict[Instrument, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def is_over_full(self) -> bool:
        """Whether only ending the connection is left."""
        return len(self._entries) > MAX_ENTRIES

    def put(self, message: str) -> None:
        """Add a message that is neither conflated nor skipped."""
        self._add(next(self._numbers), message)
        self._replies += 1
        if self._replies >= ROOM:
            self.room.clear()

    def put_bar(self, key: SeriesKey, start_ns: int | str, message: str) -> None:
        """Add a bar's update in place of an older one that was not sent."""
        if (key, start_ns) in self._entries:
            self.conflated += 1
        self._add((key, start_ns), message)

    def put_trade(self, key: Instrument, message: str) -> None:
        """Add a trade; the oldest one waiting gives way where too many wait."""
        if len(self._trades) >= MAX_TRADES:
            number, gone = self._trades.popleft()
            del self._entries[number]
            self._untold[gone] = self._untold.get(gone, 0) + 1
            self.skipped += 1
        number = next(self._numbers)
        self._trades.append((number, key))
        self._add(number, message)

    def forget(self, key: SeriesKey) -> None:
        """Drop the updates of a series: its subscription ended, or a snapshot that has them follows."""
        for entry in [entry for entry in self._entries if isinstance(entry, tuple) and entry[0] == key]:
            del self._entries[entry]
        self._settle()

    def take(self) -> str | None:
        """The next message, or None when there is none."""
        if not self._entries:
            return None
        if self._untold:
            instrument, skipped = self._untold.popitem()
            return encode({"type": "skipped", "channel": "trades", **instrument._asdict(), "count": skipped})
        key, message = self._entries.popitem(last=False)
        if self._trades and self._trades[0][0] == key:
            self._trades.popleft()
        elif isinstance(key, int):
            self._replies -= 1
        self._settle()
        return message

    def _add(self, key: int | BarKey, message: str) -> None:
        self._entries[key] = message
        self.ready.set()

    def _settle(self) -> None:
        if not self._entries:
            self.ready.clear()
        if self._replies < ROOM:
            self.room.set()
