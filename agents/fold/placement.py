"""Whether instruments are in the partition of their key: if not, there may be bars of the same key in both."""

import logging
from collections.abc import Iterable

from faust.types import TP

from app.partitions import partition_of

log = logging.getLogger(__name__)


def tell_misplaced(tp: TP, partitions: int, series: Iterable[tuple[str, str]]) -> int:
    """Warn of each of these, a venue and an instrument, that belongs to another of so many partitions; how many do."""
    misplaced = 0
    for venue, instrument in series:
        belongs = partition_of(f"{venue}:{instrument}".encode(), partitions)
        if belongs != tp.partition:
            log.warning(
                "%s partition %d has trades of %s %s, which belong to partition %d: with others there each window has "
                "two bars, either of a part of the trades. Write them by the key %s:%s, placed by murmur2 as Java's "
                "producer does it (librdkafka: partitioner=murmur2_random)",
                *tp, venue, instrument, belongs, venue, instrument,
            )  # fmt: skip
            misplaced += 1
    return misplaced
