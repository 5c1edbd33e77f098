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
        instrument = f"{key.venue}:{key.instrument}".encode()
        return key.topic == self.topic and partition_of(instrument, self.of) == self.number


@lru_cache(maxsize=100_000)  # the hash takes some microseconds in Python, and the same keys are asked for again
def partition_of(key: bytes, count: int) -> int:
    """The partition, of so many, that every producer gives a key, as Java's own does."""
    placed: int = (murmur2(key) & 0x7FFFFFFF) % count
    return placed
