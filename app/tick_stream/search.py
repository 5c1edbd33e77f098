"""Looks for missed messages in the partitions of Kafka, and knows when there are no more of them."""

from collections.abc import Collection
from typing import NamedTuple

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
    is_all: bool
    """Whether there will never be more."""
    newest_s: float
    """When the newest of them was appended, in seconds since 1970."""

    def joined_with(self, further: "Found") -> "Found":
        """What either look at the log has found; the further one, for which time may run out, says if it is all."""
        sessions = dict.fromkeys(tick.session for tick in (*further.ticks, *self.ticks))
        ticks = {(tick.session, tick.sequence): tick for tick in (*self.ticks, *further.ticks)}
        order = {session: place for place, session in enumerate(sessions)}
        ordered = sorted(ticks.values(), key=lambda tick: (order[tick.session], tick.sequence))
        return Found(ordered, further.is_all, max(self.newest_s, further.newest_s))


class Search:
    """What was found of a hole, and which partitions have no more of it.

    A venue has one writer, which writes in order, but for trades behind a gap: these wait until it is filled, and the
    venue's clock, which goes to every partition, stands still meanwhile. So a partition has no more of a hole once
    clocks behind it have gone on by `settled_ns`, which is more than they stay behind a trade.
    """

    def __init__(self, hole: Hole, partitions: Collection[Partition], settled_ns: int) -> None:
        self._hole = hole
        self._open = set(partitions)
        self._late = set(partitions)
        self._others: set[Partition] = set()
        self._settled_ns = settled_ns
        self._found: dict[bytes, dict[int, Tick]] = {hole.session: {}}
        self._reached: set[Partition] = set()
        self._clock_behind_ns: dict[Partition, int] = {}
        self._newest_s = 0.0

    @property
    def is_full(self) -> bool:
        """Whether every message was found."""
        hole = self._hole
        return hole.last is not None and len(self._found[hole.session]) > hole.last - hole.first

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
        is_of_the_hole = tick.session == self._hole.session
        if is_of_the_hole:
            self._reached.add(partition)
            if tick.sequence < self._hole.first or partition in self._others:
                self._late.discard(partition)
        else:
            self._others.add(partition)
        if self._is_past(partition, entry):
            self._open.remove(partition)
        elif self._is_in_hole(tick) if is_of_the_hole else self._has_sessions_behind(partition):
            self._add(entry)

    def take_unclocked(self, entry: Entry) -> None:
        """Take a message of a partition that has no clocks, when the others have no more."""
        is_of_the_hole = entry.tick.session == self._hole.session
        if self._is_in_hole(entry.tick) if is_of_the_hole else entry.tick.session in self._found:
            self._add(entry)

    def found(self, *, is_all: bool) -> Found:
        """The messages of the hole's session, then those of sessions behind it, each in order."""
        ticks = [tick for of in self._found.values() for _, tick in sorted(of.items())]
        return Found(ticks, is_all, self._newest_s)

    def _add(self, entry: Entry) -> None:
        self._found.setdefault(entry.tick.session, {})[entry.tick.sequence] = entry.tick
        self._newest_s = max(self._newest_s, entry.appended_s)

    def _is_in_hole(self, tick: Tick) -> bool:
        last = self._hole.last
        return self._hole.first <= tick.sequence and (last is None or tick.sequence <= last)

    def _has_sessions_behind(self, partition: Partition) -> bool:
        """Whether sessions behind the hole's are wanted, and this partition has come to them."""
        return self._hole.last is None and partition in self._reached

    def _is_past(self, partition: Partition, entry: Entry) -> bool:
        """Whether this message tells that there are no more behind it."""
        hole, tick = self._hole, entry.tick
        if hole.last is None:
            return tick.session == hole.until
        if tick.session != hole.session:
            return partition in self._reached
        if entry.clock_ns is None or tick.sequence <= hole.last:
            return False
        first_ns = self._clock_behind_ns.setdefault(partition, entry.clock_ns)
        return entry.clock_ns >= first_ns + self._settled_ns
