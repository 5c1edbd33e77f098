"""Kafka → view: a thread that reads the bars' topics and the aggregates' and hands bars to the event loop in log order.

A thread of its own, with no consumer group: every replica reads every partition, and nothing is committed.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.aggregates import load_aggregates
from app.bar_feed.decoding import BarDecoder
from app.bar_feed.meter import Meter
from app.bar_feed.reading import Reading
from app.bar_feed.start import Place, bounds, committed_start, live_start
from app.bars import Bar, KeyedBars, SeriesKey
from app.hand_over import HandOver
from app.history import History, HistoryUnavailable, Positions
from app.log_end import is_end
from app.log_reader import log_reader
from app.metrics import Metrics
from app.partitions import Partition, Position
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway
from app.settings import Settings
from app.status import Origin, State, Status
from app.views import NOWHERE

log = logging.getLogger(__name__)

COMMITTED = ("bars", "bars.1s")
LIVE = "bars.live"
BATCH = 500
POLL_S = 0.2
RETRY_S = 1.0
NEW_PARTITIONS_S = 30.0
METADATA_S = 2.0


class Feed:
    """Reads the topics from the positions of a history until it is stopped.

    The event loop is handed over calls of `apply`, with bars and how far the topics are read of their series, and of
    `begin_late`, with a partition of which bars are missing between those applied and those to come.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        reader: RecordReader,
        history: History,
        depth: int,
        apply: Callable[[KeyedBars, Mapping[SeriesKey, Position]], None],
        begin_late: Callable[[Partition], None],
        hand_over: HandOver,
        status: Status,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._history = history
        self._depth = depth
        self._apply = apply
        self._begin_late = begin_late
        self._hand_over = hand_over
        self._status = status
        self._meter = Meter(metrics, status)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bar-feed", daemon=True)
        aggregates = load_aggregates(settings)
        self._names = {settings.topic(name): name for name in (*COMMITTED, LIVE, *(each.topic for each in aggregates))}
        self._decoder = BarDecoder(self._read_value, aggregates, metrics)
        self._readings: Mapping[Place, Reading] = {}
        """Every partition that is begun with. Replaced whole, since the event loop's thread looks at it too."""
        self._away: str | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and wait for the thread's end."""
        self._stopping.set()
        self._hand_over.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            positions = self._load()
            consumer = self._consumer()
            try:
                self._read(consumer, positions)
            finally:
                consumer.close()
        except Exception as error:
            log.exception("the view's feed ended")
            self._status.set(State.FAILED, f"the feed ended: {error}")

    def _load(self) -> Positions:
        """Take the stored bars; without a database the topics' own tail has to do."""
        try:
            positions = self._history.load(self._depth, self._put, lambda: not self._stopping.is_set())
        except HistoryUnavailable as error:
            log.warning("no history, the view begins with what the topics hold: %s", error)
            self._status.set_history(Origin.TOPIC, str(error))
            return {}
        self._status.set_history(Origin.POSTGRES)
        return positions

    def _consumer(self) -> Consumer:
        properties = {
            "auto.offset.reset": "earliest",
            "error_cb": self._broker_error,
            "log_level": 2,  # an absent broker is told once by the status, not twenty times a second
            "reconnect.backoff.ms": 250,
            "reconnect.backoff.max.ms": 2_000,
        }
        return log_reader(self._settings, "view", properties)

    def _read(self, consumer: Consumer, positions: Positions) -> None:
        self._wait_for_topics(consumer)
        self._assign(consumer, positions)
        checked, asked = time.monotonic(), -RETRY_S
        while not self._stopping.is_set():
            messages = consumer.consume(1, POLL_S)
            if messages:
                self._take(messages + consumer.consume(BATCH, 0))
            if self._away is not None:
                if time.monotonic() - asked >= RETRY_S:  # what comes of other brokers is read in between
                    self._ask_again(consumer, positions)
                    asked = time.monotonic()
            elif time.monotonic() - checked > NEW_PARTITIONS_S:
                self._assign(consumer, positions)
                checked = time.monotonic()

    def _wait_for_topics(self, consumer: Consumer) -> None:
        while not self._stopping.is_set():
            try:
                counts = self._partition_counts(consumer)
            except KafkaException as error:
                self._status.set(State.WAITING, self._kafka_says(error.args[0]))
            else:
                missing = sorted(set(self._names) - set(counts))
                if not missing:
                    return
                self._status.set(
                    State.WAITING, f"no such topic yet: {', '.join(missing)}; `livetape topics apply` makes it"
                )
            self._stopping.wait(RETRY_S)

    def _assign(self, consumer: Consumer, positions: Positions) -> None:
        """Begin with every partition that is not read yet. A broker that has just come back may not know all topics."""
        try:
            counts = self._partition_counts(consumer)
            news = {
                place: self._reading(consumer, Partition(self._names[topic], number, count), positions)
                for topic, count in counts.items()
                for number in range(count)
                if (place := (topic, number)) not in self._readings
            }
            if self._away is not None:
                self._go_on(consumer)
        except KafkaException as error:
            self._away = self._kafka_says(error.args[0])
            return
        if news:
            self._begin(consumer, news)
        unknown = ", ".join(sorted(self._names.keys() - {topic for topic, _ in self._readings}))
        # At last: the event loop takes the view for ready once nothing is away, nor behind.
        self._away = f"Kafka at {self._settings.kafka_bootstrap} does not know of {unknown} now" if unknown else None

    def _go_on(self, consumer: Consumer) -> None:
        """Be behind by what came while Kafka was away."""
        for place, reading in self._readings.items():
            _, end = bounds(consumer, place, timeout_s=METADATA_S)
            reading.go_on_to(end)

    def _reading(self, consumer: Consumer, partition: Partition, positions: Positions) -> Reading:
        place = (self._settings.topic(partition.topic), partition.number)
        if partition.topic == LIVE:
            return Reading(partition, live_start(consumer, place), keeps_newest=True)
        stored = positions.get((partition.topic, partition.number))
        return Reading(partition, committed_start(consumer, place, stored))

    def _begin(self, consumer: Consumer, news: Mapping[Place, Reading]) -> None:
        self._readings = {**self._readings, **news}
        for partition, start in ((reading.partition, reading.start) for reading in news.values()):
            if start.is_late:
                self._status.set_unread(partition, start.first)
                self._hand_over.tell(partial(self._begin_late, partition))
        self._say_behind()
        consumer.incremental_assign([TopicPartition(*place, reading.start.first) for place, reading in news.items()])

    @property
    def _behind(self) -> int:
        """How many partitions are still being read to where they ended when they were begun with, or Kafka was back."""
        return sum(reading.is_behind for reading in self._readings.values())

    def _say_behind(self) -> None:
        self._status.set(State.CATCHING_UP, f"{self._behind} partitions are still being read to their end")

    def _partition_counts(self, consumer: Consumer) -> dict[str, int]:
        topics = consumer.list_topics(timeout=METADATA_S).topics
        return {name: len(topics[name].partitions) for name in self._names if name in topics}

    def _take(self, messages: Iterable[Message]) -> None:
        records: list[tuple[Reading, Message]] = []
        ended: list[Reading] = []
        for message in messages:
            error = message.error()
            reading = self._readings.get((str(message.topic()), message.partition() or 0))
            if error is not None and not is_end(error):
                self._away = self._kafka_says(error)
            elif error is None and reading is not None:
                records.append((reading, message))
            if reading is not None and reading.reach(message):
                ended.append(reading)
        bars, read = self._decoded(records)
        if records:
            self._meter.read((reading.partition.topic, message) for reading, message in records)
        if bars:
            self._put(bars, read)
        for reading in ended:
            self._catch_up(reading)

    def _decoded(self, records: Iterable[tuple[Reading, Message]]) -> tuple[KeyedBars, Mapping[SeriesKey, Position]]:
        """The bars of records, and how far the topics were read of those that are final or revised."""
        bars: list[tuple[SeriesKey, Bar]] = []
        read: dict[SeriesKey, Position] = {}
        for reading, message in records:
            found = self._bars(reading, message)
            bars += found
            position = Position(reading.partition, (message.offset() or 0) + 1)
            read.update((key, position) for key, bar in found if bar.order.committed)
        return bars, read

    def _bars(self, reading: Reading, message: Message) -> KeyedBars:
        if reading.keep(message):
            return ()
        bars = self._decoder.bars(reading.partition.topic, message)
        self._note_begin(reading, message.offset() or 0, bars)
        return bars

    def _note_begin(self, reading: Reading, offset: int, bars: KeyedBars) -> None:
        for interval, start_ns in reading.whole_from(offset, bars):
            self._status.set_begin(reading.partition, interval, start_ns)

    def _read_value(self, value: bytes | None) -> tuple[str, Mapping[str, Any]]:
        try:
            return self._reader.read(value)
        except RegistryAway as away:
            try:
                return self._read_once_back(value, away)
            finally:
                if not self._stopping.is_set():
                    self._say_standing()

    def _read_once_back(self, value: bytes | None, away: RegistryAway) -> tuple[str, Mapping[str, Any]]:
        """Read a value when the registry answers again; until then the view waits, and says so."""
        while not self._stopping.is_set():
            self._status.set(State.WAITING, str(away))
            self._stopping.wait(RETRY_S)
            try:
                return self._reader.read(value)
            except RegistryAway as still:
                away = still
        raise BadRecord("not read: stopping") from away

    def _put(self, bars: KeyedBars, read: Mapping[SeriesKey, Position] = NOWHERE) -> None:
        self._hand_over.put(partial(self._apply, bars, read))

    def _catch_up(self, reading: Reading) -> None:
        """Take what was kept of a partition while it was read to its end."""
        kept = reading.take_kept()
        for first in range(0, len(kept), BATCH):
            self._put(*self._decoded((reading, message) for message in kept[first : first + BATCH]))
        reading.is_behind = False
        if self._away is None:
            self._say_standing()

    def _say_standing(self) -> None:
        """Say that partitions are being read to their end; or that none is, behind what is not applied yet."""
        if self._behind:
            self._say_behind()
        else:
            self._hand_over.tell(self._applied_all)

    def _applied_all(self) -> None:
        """Called behind the last batch that the view was behind by, when it holds all of it."""
        if self._away is None and not self._behind:
            self._status.set(State.READY)

    def _broker_error(self, error: KafkaError) -> None:
        self._away = self._kafka_says(error)

    def _ask_again(self, consumer: Consumer, positions: Positions) -> None:
        """While Kafka is away say so, and find out when it is back: no message would tell on a quiet topic.

        When it went away before there was anything to read, begin then.
        """
        self._status.set(State.WAITING, self._away)
        self._assign(consumer, positions)
        if self._away is None:
            self._say_standing()

    def _kafka_says(self, error: KafkaError) -> str:
        return f"Kafka at {self._settings.kafka_bootstrap}: {error.str()}"
