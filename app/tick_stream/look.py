"""Reads partitions of Kafka from a time on."""

from collections.abc import Collection, Iterator
from typing import Final

from confluent_kafka import OFFSET_END, Consumer, Message, TopicPartition

from app.log_end import is_read_to
from app.tick_stream.search import Partition

BATCH: Final = 1_000
REQUEST_S: Final = 5.0


class Look:
    """What partitions have from a time on, and what comes to them meanwhile. A consumer is for one look at a time."""

    def __init__(self, consumer: Consumer, places: Collection[Partition], since_s: float) -> None:
        self.consumer = consumer
        self.since_s = since_s
        self._ends = self._offsets(places, OFFSET_END)
        since = self._offsets(places, int(since_s * 1000))
        self._starts = {place: since[place] if since[place] >= 0 else end for place, end in self._ends.items()}
        self.left = {place for place, end in self._ends.items() if self._starts[place] < end}
        """What is not read yet to where it ended when the look began."""
        consumer.assign([TopicPartition(*place, offset) for place, offset in self._starts.items()])

    def next(self, wait_s: float) -> Iterator[tuple[Partition, Message]]:
        """The next messages; those that are errors are among them."""
        for message in self.consumer.consume(BATCH, wait_s):
            place = Partition(message.topic() or "", message.partition() or 0)
            yield place, message
            if place in self.left and is_read_to(self._ends[place], message):
                self.left.discard(place)

    def begins_log(self, place: Partition) -> bool:
        """Whether there is nothing before what is read of a partition."""
        return self._starts[place] <= self.consumer.get_watermark_offsets(TopicPartition(*place), REQUEST_S)[0]

    def _offsets(self, places: Collection[Partition], time_ms: int) -> dict[Partition, int]:
        """The first of a time or after it; behind all that is there it is negative."""
        wanted = [TopicPartition(*place, time_ms) for place in places]
        found = self.consumer.offsets_for_times(wanted, timeout=REQUEST_S)
        return {Partition(each.topic, each.partition): each.offset for each in found}
