"""Missed messages from the topic: what a bridge no longer keeps in memory."""

import threading
import time
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway
from app.settings import Settings
from app.tick_stream.items import Hole, Origin, Tick

BATCH: Final = 1_000
POLL_S: Final = 0.1
REQUEST_S: Final = 5.0
MARGIN_S: Final = 30.0
"""How much the broker's clock and ours may differ, and records of one time over partitions."""


class HistoryAway(Exception):
    """Kafka or the registry could not be read to the end of what was wanted; the message says why."""


class Found(NamedTuple):
    """What the topic has of a hole."""

    ticks: list[Tick]
    is_all: bool
    """Whether there will never be more."""
    newest_s: float
    """When the newest of them was appended, in seconds since 1970."""


class TickHistory:
    """Reads ranges of a venue's messages from `trades`. Its methods block: call them from a thread."""

    def __init__(self, settings: Settings, reader: RecordReader) -> None:
        self._settings = settings
        self._reader = reader
        self._topic = settings.topic("trades")

    def read(self, venue: str, hole: Hole, since_s: float, deadline_s: float, stopping: threading.Event) -> Found:
        """Messages of a hole.

        A venue has one writer, which writes in order, and its clocks go to every partition. So a partition has no more
        of the hole once a message behind the hole is seen there. `since_s` is when the last message before the hole was
        there, `deadline_s` is by `time.monotonic()`.

        Raises:
            HistoryAway: Kafka or the registry did not answer.
        """
        config = {"group.id": "livetape-ticks", "enable.auto.commit": False}
        consumer = Consumer({**self._settings.kafka_config, **config})
        try:
            starts = self._starts(consumer, since_s)
            consumer.assign(starts)
            search = _Search(hole, len(starts))
            while not search.is_done and time.monotonic() < deadline_s and not stopping.is_set():
                for message in consumer.consume(BATCH, POLL_S):
                    search.take(message, self._tick(message, venue))
        except KafkaException as error:
            raise HistoryAway(f"Kafka at {self._settings.kafka_bootstrap}: {error.args[0].str()}") from error
        except RegistryAway as error:
            raise HistoryAway(str(error)) from error
        finally:
            consumer.close()
        return search.found()

    def _starts(self, consumer: Consumer, since_s: float) -> list[TopicPartition]:
        partitions = consumer.list_topics(self._topic, timeout=REQUEST_S).topics[self._topic].partitions
        if not partitions:
            raise HistoryAway(f"Kafka at {self._settings.kafka_bootstrap} has no topic {self._topic}")
        since_ms = int((since_s - MARGIN_S) * 1000)
        wanted = [TopicPartition(self._topic, number, since_ms) for number in partitions]
        return consumer.offsets_for_times(wanted, timeout=REQUEST_S)

    def _tick(self, message: Message, venue: str) -> Tick | None:
        """The message as a tick; nothing when it is another venue's or cannot be read."""
        key, value = message.key(), message.value()
        if message.error() is not None or not isinstance(key, bytes) or not isinstance(value, bytes):
            return None
        name = key.decode(errors="replace")
        if name.partition(":")[0] != venue:
            return None
        try:
            fields = self._reader.read(value)[1]
        except BadRecord:
            return None
        session = bytes.fromhex(fields["bridge_session"])
        return Tick(venue, name, session, fields["bridge_sequence"], value, Origin.KAFKA)


class _Search:
    """What was found of a hole, and which partitions have no more of it."""

    def __init__(self, hole: Hole, partitions: int) -> None:
        self._hole = hole
        self._partitions = partitions
        self._found: dict[bytes, dict[int, Tick]] = {hole.session: {}}
        self._reached: set[int] = set()
        self._past: set[int] = set()
        self._newest_s = 0.0

    @property
    def is_done(self) -> bool:
        """Whether all was found that is there."""
        hole = self._hole
        is_full = hole.last is not None and len(self._found[hole.session]) > hole.last - hole.first
        return is_full or len(self._past) == self._partitions

    def take(self, message: Message, tick: Tick | None) -> None:
        """Take the next message of a partition."""
        partition = message.partition() or 0
        if tick is None or partition in self._past:
            return
        is_of_the_hole = tick.session == self._hole.session
        if is_of_the_hole:
            self._reached.add(partition)
        if self._is_behind(tick, partition):
            self._past.add(partition)
        elif (is_of_the_hole and tick.sequence >= self._hole.first) or (
            not is_of_the_hole and self._is_open(partition)
        ):
            self._found.setdefault(tick.session, {})[tick.sequence] = tick
            self._newest_s = max(self._newest_s, message.timestamp()[1] / 1000)

    def found(self) -> Found:
        """The messages of the hole's session, then those of sessions behind it, each in order."""
        ticks = [tick for of in self._found.values() for _, tick in sorted(of.items())]
        return Found(ticks, self.is_done, self._newest_s)

    def _is_open(self, partition: int) -> bool:
        """Whether sessions behind the hole's are wanted, and this partition has come to them."""
        return self._hole.last is None and partition in self._reached

    def _is_behind(self, tick: Tick, partition: int) -> bool:
        if self._hole.last is None:
            return tick.session == self._hole.until
        if tick.session == self._hole.session:
            return tick.sequence > self._hole.last
        return partition in self._reached
