"""Missed messages from Kafka: what a bridge no longer keeps in memory."""

from collections.abc import Callable
from typing import Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from app.intervals import SECOND_NS
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway
from app.settings import Settings
from app.tick_stream.items import Hole, Origin, Tick
from app.tick_stream.search import Entry, Found, Partition, Search
from app.venues import read_venues

BATCH: Final = 1_000
CHUNK: Final = 100_000
"""Messages that are read at once, at most."""
POLL_S: Final = 0.1
REQUEST_S: Final = 5.0
NEAR_S: Final = 30.0
"""How much the broker's clock and ours may differ, and records of one time over partitions."""
FAR_S: Final = 900.0
"""How far to look back where that is not enough: who reads slowly, or waited for another hole, had the message before
it long after it came."""
FURTHER: Final = 4
"""How many times as far back each look behind that one goes: that of a reader who paused may be hours old."""
UNCLOCKED: Final = ("gaps", "candles")
"""The topics of messages that have no clocks of the venue among them."""


class HistoryAway(Exception):
    """Kafka or the registry could not be read to the end of what was wanted; the message says why."""


class TickHistory:
    """Reads ranges of a venue's messages from all of their topics. Its methods block: call them from a thread."""

    def __init__(self, settings: Settings, reader: RecordReader) -> None:
        self._settings = settings
        self._reader = reader
        self._quoting = {name for name, venue in read_venues(settings.venues_file).items() if venue.quotes}

    def read(self, venue: str, hole: Hole, since_s: float, goes_on: Callable[[], bool]) -> Found:
        """The first messages of a hole, CHUNK at most, as long as `goes_on` says so.

        `since_s` is when the message before it came to us, or to the log.

        Raises:
            HistoryAway: Kafka or the registry did not answer.
        """
        config = {"group.id": f"{self._settings.namespace}.ticks", "enable.auto.commit": False}
        consumer = Consumer({**self._settings.kafka_config, **config})
        try:
            return self._read(consumer, venue, hole, since_s, goes_on)
        except KafkaException as error:
            raise HistoryAway(f"Kafka at {self._settings.kafka_bootstrap}: {error.args[0].str()}") from error
        except RegistryAway as error:
            raise HistoryAway(str(error)) from error
        finally:
            consumer.close()

    def _read(self, consumer: Consumer, venue: str, hole: Hole, since_s: float, goes_on: Callable[[], bool]) -> Found:
        nearest_s, *further_s = looks(since_s)
        found, is_late = self._read_since(consumer, venue, hole, nearest_s, goes_on)
        for from_s in further_s:
            if not (found.is_all and is_late):
                break
            further, is_late = self._read_since(consumer, venue, hole, from_s, goes_on)
            found = found.joined_with(further)
        return found

    def _read_since(
        self, consumer: Consumer, venue: str, hole: Hole, since_s: float, goes_on: Callable[[], bool]
    ) -> tuple[Found, bool]:
        """What is found from a time on, and whether some of the hole may be before that."""
        topics = ("trades", "quotes") if venue in self._quoting else ("trades",)
        starts = [start for topic in topics for start in self._starts(consumer, topic, since_s)]
        settled_ns = self._settings.clock_delay_ns + SECOND_NS
        search = Search(hole, {Partition(start.topic, start.partition) for start in starts}, settled_ns, CHUNK)
        consumer.assign(starts)
        while not search.is_done and goes_on():
            for message in consumer.consume(BATCH, POLL_S):
                if (entry := self._entry(message, venue)) is not None:
                    search.take(_place(message), entry)
        if not search.is_done:
            return search.found(is_all=False), False
        is_all = search.is_full or self._take_unclocked(consumer, venue, search, since_s, goes_on)
        late = [] if search.is_full else [start for start in starts if _place(start) in search.late]
        return search.found(is_all=is_all), not all(_begins_log(consumer, start) for start in late)

    def _take_unclocked(
        self, consumer: Consumer, venue: str, search: Search, since_s: float, goes_on: Callable[[], bool]
    ) -> bool:
        """Take what the topics without clocks have now; false when there was no time to come to their ends."""
        starts = [start for topic in UNCLOCKED for start in self._starts(consumer, topic, since_s) if start.offset >= 0]
        ends = {_place(start): consumer.get_watermark_offsets(start, REQUEST_S)[1] for start in starts}
        left = {_place(start) for start in starts if start.offset < ends[_place(start)]}
        consumer.assign(starts)
        while left and goes_on():
            for message in consumer.consume(BATCH, POLL_S):
                if (entry := self._entry(message, venue)) is not None:
                    search.take_unclocked(entry)
                if (message.offset() or 0) + 1 >= ends[_place(message)]:
                    left.discard(_place(message))
        return not left

    def _starts(self, consumer: Consumer, name: str, since_s: float) -> list[TopicPartition]:
        topic = self._settings.topic(name)
        partitions = consumer.list_topics(topic, timeout=REQUEST_S).topics[topic].partitions
        if not partitions:
            raise HistoryAway(f"Kafka at {self._settings.kafka_bootstrap} has no topic {topic}")
        since_ms = int(since_s * 1000)
        wanted = [TopicPartition(topic, number, since_ms) for number in partitions]
        return consumer.offsets_for_times(wanted, timeout=REQUEST_S)

    def _entry(self, message: Message, venue: str) -> Entry | None:
        """The message as an entry; nothing when it is another venue's or cannot be read."""
        key, value = message.key(), message.value()
        if message.error() is not None or not isinstance(key, bytes) or not isinstance(value, bytes):
            return None
        name = key.decode(errors="replace")
        if name.partition(":")[0] != venue:
            return None
        try:
            record, fields = self._reader.read(value)
            session = bytes.fromhex(fields["bridge_session"])
        except (BadRecord, KeyError, ValueError):  # none of a bridge: a record of another type, or of another producer
            return None
        tick = Tick(venue, name, session, fields["bridge_sequence"], value, Origin.KAFKA)
        clock_ns = fields["time_ns"] if record == "livetape.Clock" else None
        return Entry(tick, message.timestamp()[1] / 1000, clock_ns)


def looks(since_s: float) -> list[float]:
    """From which times on to look for a hole, one behind the other, back to the beginning of all time."""
    times, back_s = [since_s - NEAR_S], FAR_S
    while back_s < since_s:
        times.append(since_s - back_s)
        back_s *= FURTHER
    return [*times, 0.0]


def _begins_log(consumer: Consumer, start: TopicPartition) -> bool:
    """Whether there is nothing before a place; behind all that is there it is negative."""
    return 0 <= start.offset <= consumer.get_watermark_offsets(start, REQUEST_S)[0]


def _place(at: Message | TopicPartition) -> Partition:
    if isinstance(at, TopicPartition):
        return Partition(at.topic, at.partition)
    return Partition(at.topic() or "", at.partition() or 0)
