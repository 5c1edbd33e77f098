"""Looks for missed messages in the partitions of Kafka, and knows when there are no more of them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from app.tick_stream.items import Hole, Tick


class Partition(NamedTuple):
    """A partition of one of a venue's topics."""

    topic: str
    number: int


class Entry(NamedTuple):
    """A venue's message as it stands in a partition."""

    tick: Tick
    appended_s: float
    """When, in seconds since 1970."""
    clock_ns: int | None
    """The venue's time, where the message is a clock."""


class Found(NamedTuple):
    """What Kafka has of a hole."""

    ticks: list[Tick]
    """In order."""
    is_all: bool
    """Whether there will never be more of what was looked for."""
    newest_s: float
    """When the newest of them was appended, in seconds since 1970."""
    through: int | None
    """Up to which number of the session was looked for; None when it ends before that."""
    following: bytes = b""
    """The session behind that end, where it is another one than that of the hole's `until`."""


@dataclass
class _Finds:
    """What all looks at the log have found of a hole."""

    goes_on: bool
    """Whether the session is known to have more than is looked for, or to end with that."""
    ticks: dict[int, Tick] = field(default_factory=dict)
    following: list[Entry] = field(default_factory=list)
    """The first message of another session in each partition that has come to one."""
    newest_s: float = 0.0


class Search:
    """What was found of a hole, of its first `most` messages alone, and which partitions have no more of them.

    A venue has one writer, which writes in order, but for trades behind a gap: these wait until it is filled, and the
    venue's clock, which goes to every partition, stands still meanwhile. So a partition has no more of a hole once
    clocks behind it have gone on by `settled_ns`, which is more than they stay behind a trade; or once it has come to
    another session.
    """

    def __init__(
        self, hole: Hole, partitions: Collection[Partition], settled_ns: int, most: int, finds: _Finds | None = None
    ) -> None:
        self._hole = hole
        self._most = most
        self._last = hole.first + most - 1 if hole.last is None else min(hole.last, hole.first + most - 1)
        self._partitions = frozenset(partitions)
        self._open = set(partitions)
        self._late = set(partitions)
        self._others: set[Partition] = set()
        self._settled_ns = settled_ns
        self._finds = finds or _Finds(goes_on=hole.last is not None)
        self._reached: set[Partition] = set()
        self._clock_behind_ns: dict[Partition, int] = {}

    def from_further_back(self) -> Self:
        """A search for the same from places before those of this one; either has what the other finds."""
        return type(self)(self._hole, self._partitions, self._settled_ns, self._most, self._finds)

    @property
    def is_full(self) -> bool:
        """Whether every message was found."""
        return len(self._finds.ticks) > self._last - self._hole.first

    @property
    def is_done(self) -> bool:
        """Whether all was found that the partitions have."""
        return self.is_full or not self._open

    @property
    def late(self) -> Collection[Partition]:
        """Partitions of which nothing was taken from before the hole: they may have some of it before that."""
        return self._late

    def take(self, partition: Partition, entry: Entry) -> None:
        """Take the next message of a partition."""
        if partition not in self._open:
            return
        tick = entry.tick
        if tick.session != self._hole.session:
            self._others.add(partition)
            if partition in self._reached:
                self._finds.following.append(entry)
        else:
            self._reached.add(partition)
            if tick.sequence < self._hole.first or partition in self._others:
                self._late.discard(partition)
            self._take_own(entry)
        if self._is_past(partition, entry):
            self._open.remove(partition)

    def waits_for(self, left: Collection[Partition]) -> bool:
        """Whether there may be more in some of these partitions."""
        return not self.is_full and not self._open.isdisjoint(left)

    def take_unclocked(self, entry: Entry) -> None:
        """Take a message of a partition that has no clocks, when the others have no more."""
        if entry.tick.session == self._hole.session:
            self._take_own(entry)

    def found(self, *, is_all: bool) -> Found:
        """The messages that are looked for, and what follows on them."""
        finds = self._finds
        ticks = [tick for _, tick in sorted(finds.ticks.items())]
        if self.is_full or finds.goes_on:
            return Found(ticks, is_all, finds.newest_s, self._last)
        following = min(finds.following, key=lambda entry: entry.appended_s, default=None)
        session = b"" if following is None else following.tick.session
        return Found(ticks, is_all, finds.newest_s, None, b"" if session == self._hole.until else session)

    def _take_own(self, entry: Entry) -> None:
        """Take a message of the hole's session."""
        number, finds = entry.tick.sequence, self._finds
        finds.goes_on = finds.goes_on or number > self._last
        if self._hole.first <= number <= self._last:
            finds.ticks[number] = entry.tick
            finds.newest_s = max(finds.newest_s, entry.appended_s)

    def _is_past(self, partition: Partition, entry: Entry) -> bool:
        """Whether this message tells that there are no more behind it."""
        tick = entry.tick
        if tick.session != self._hole.session:
            return partition in self._reached or tick.session == self._hole.until
        if entry.clock_ns is None or tick.sequence <= self._last:
            return False
        first_ns = self._clock_behind_ns.setdefault(partition, entry.clock_ns)
        return entry.clock_ns >= first_ns + self._settled_ns
