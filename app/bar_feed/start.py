"""From which offset on a partition is read."""

import logging
import time
from typing import Final, NamedTuple

from confluent_kafka import Consumer, TopicPartition

log = logging.getLogger(__name__)

TOPIC_TAIL: Final = 100_000
"""Newest records of a partition read when there is no history in Postgres: bounds the start."""
LIVE_S: Final = 17 * 60.0
"""How far back `bars.live` is read at the start: within 15 minutes the fold sends every forming bar again."""
LIVE_TAIL: Final = 500_000
"""Newest records of a partition of it read at the most. Of each instrument the last one alone is decoded, in 60 us: it
has all that is forming. The others cost 2.3 us each, so that four partitions at this bound take 5 s of processor time.
"""
REQUEST_S: Final = 10.0

Place = tuple[str, int]
"""A topic, by its full name, and the number of a partition."""


class Start(NamedTuple):
    """Where a partition is begun with."""

    first: int
    end: int
    """Where its log ended then."""
    is_late: bool = False
    """Whether the view lacks what was before `first`."""
    is_cut: bool = False
    """Whether the log still has more of that."""


def bounds(consumer: Consumer, place: Place, *, timeout_s: float = REQUEST_S) -> tuple[int, int]:
    """Where a partition's log begins and ends now.

    Raises:
        KafkaException: the broker refuses or does not answer.
    """
    low, high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=timeout_s)
    return low, high


def live_start(consumer: Consumer, place: Place) -> Start:
    """Behind which every instrument's forming bars are sent again.

    Raises:
        KafkaException: the broker refuses or does not answer.
    """
    low, high = bounds(consumer, place)
    since = TopicPartition(*place, int((time.time() - LIVE_S) * 1_000))
    (found,) = consumer.offsets_for_times([since], timeout=REQUEST_S)
    return Start(max(low, high - LIVE_TAIL, found.offset), high)  # it is negative where all is older: no fold runs


def committed_start(consumer: Consumer, place: Place, stored: int | None) -> Start:
    """Where the stored bars end, if the log goes on from there; else so far back as a start may read.

    Raises:
        KafkaException: the broker refuses or does not answer.
    """
    low, high = bounds(consumer, place)
    if stored is not None and low <= stored <= high:
        return Start(stored, high)
    if stored is not None:
        log.warning("%s[%d]: stored offset %d is outside %d..%d", *place, stored, low, high)
    first = max(low, high - TOPIC_TAIL)
    return Start(first, high, is_late=first > 0, is_cut=first > low)
