"""Which partition of a topic has an instrument's records."""

from functools import lru_cache
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from app.bars import SeriesKey


class Partition(NamedTuple):
    """One of the partitions of a topic with bars."""

    topic: str
    """Without namespace."""
    number: int
    of: int
    """How many the topic has."""

    def has(self, key: SeriesKey) -> bool:
        """Whether the committed bars of a series are in it: they are where its instrument's trades are."""
        return key.topic == self.topic and _kept_home(key.venue, key.instrument, self.of) == self.number


class Position(NamedTuple):
    """How far a partition is read."""

    partition: Partition
    next_offset: int


def home_of(venue: str, instrument: str, count: int) -> int:
    """The partition, of so many, that an instrument's trades belong into, and all that is made of them."""
    return partition_of(f"{venue}:{instrument}".encode(), count)


# The hash takes some microseconds in Python, and rankings ask for the same instruments each second.
_kept_home = lru_cache(maxsize=100_000)(home_of)


def partition_of(key: bytes, count: int) -> int:
    """The partition, of so many, that every producer gives a key, as Java's own does."""
    placed: int = (murmur2(key) & 0x7FFFFFFF) % count
    return placed
