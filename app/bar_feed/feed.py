"""Kafka → view: a thread that reads the bars' topics and the aggregates' and hands bars to the event loop in log order.

A thread of its own, with no consumer group: every replica reads every partition, and nothing is committed.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from app.aggregates import load_aggregates
from app.bar_feed.decoding import BarDecoder
from app.bars import Bar, KeyedBars, SeriesKey
from app.history import History, HistoryUnavailable, Positions
from app.log_end import is_end, is_read_to
from app.metrics import Metrics
from app.partitions import Partition
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway
from app.settings import Settings
from app.status import Origin, State, Status
from app.views import EVER_NS

logger = logging.getLogger(__name__)

COMMITTED = ("bars", "bars.1s")
LIVE = "bars.live"
TOPIC_TAIL = 100_000
"""Newest records of a partition read when there is no history in Postgres: bounds the start."""
LIVE_S = 17 * 60.0
"""How far back `bars.live` is read at the start: within 15 minutes the fold sends every forming bar again."""
LIVE_TAIL = 500_000
"""Newest records of a partition of it read at the most. Of each instrument the last one alone is decoded, in 60 us: it
has all that is forming. The others cost 2.3 us each, so that four partitions at this bound take 5 s of processor time.
"""
BATCH = 500
POLL_S = 0.2
RETRY_S = 1.0
NEW_PARTITIONS_S = 30.0
REQUEST_S = 10.0
METADATA_S = 2.0
MAX_UNDELIVERED = 16
"""Batches handed over that the event loop has not taken yet; the reader waits at this bound."""

Place = tuple[str, int]
"""A topic and the number of a partition."""


class Feed:
    """Reads the topics from the positions of a history until it is stopped.

    `deliver` is called from the feed's thread with bars and a function to call once they are applied, `begin_late` with
    a partition of which bars are missing between those delivered and those to come.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        reader: RecordReader,
        history: History,
        depth: int,
        deliver: Callable[[KeyedBars, Callable[[], None]], None],
        begin_late: Callable[[Partition], None],
        status: Status,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._history = history
        self._depth = depth
        self._deliver = deliver
        self._begin_late = begin_late
        self._status = status
        self._metrics = metrics
        self._stopping = threading.Event()
        self._room = threading.Semaphore(MAX_UNDELIVERED)
        self._thread = threading.Thread(target=self._run, name="bar-feed", daemon=True)
        aggregates = load_aggregates(settings)
        self._names = {settings.topic(name): name for name in (*COMMITTED, LIVE, *(each.topic for each in aggregates))}
        self._decoder = BarDecoder(self._read_value, aggregates, metrics)
        self._partitions: Counter[str] = Counter()
        self._behind: dict[Place, int] = {}
        """Where a partition ended when it was begun with, of those that are still being read to there."""
        self._late: dict[Place, Partition] = {}
        """Partitions of which the view lacks what was before the first record that is read."""
        self._cut: set[Place] = set()
        """Those whose log has more before that record."""
        self._newest: dict[Place, dict[str | bytes | None, Message]] = {}
        """The last record of each instrument, of the partitions of `bars.live` among them."""
        self._away: str | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and wait for the thread's end."""
        self._stopping.set()
        self._room.release()
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
            logger.exception("the view's feed ended")
            self._status.set(State.FAILED, f"the feed ended: {error}")

    def _load(self) -> Positions:
        """Take the stored bars; without a database the topics' own tail has to do."""
        try:
            positions = self._history.load(self._depth, self._hand_over, lambda: not self._stopping.is_set())
        except HistoryUnavailable as error:
            logger.warning("no history, the view begins with what the topics hold: %s", error)
            self._status.set_history(Origin.TOPIC, str(error))
            return {}
        self._status.set_history(Origin.POSTGRES)
        return positions

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **self._settings.kafka_config,
                "group.id": f"{self._settings.namespace}.view",  # librdkafka insists on a name; nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "error_cb": self._broker_error,
                "log_level": 2,  # an absent broker is told once by the status, not twenty times a second
                "reconnect.backoff.ms": 250,
                "reconnect.backoff.max.ms": 2_000,
            }
        )

    def _read(self, consumer: Consumer, positions: Positions) -> None:
        self._wait_for_topics(consumer)
        self._assign(consumer, positions)
        checked = time.monotonic()
        while not self._stopping.is_set():
            messages = consumer.consume(1, POLL_S)
            if messages:
                self._take(messages + consumer.consume(BATCH, 0))
            if self._away is not None:
                self._ask_again(consumer, positions)
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
                (topic, number): self._range(consumer, Partition(self._names[topic], number, count), positions)
                for topic, count in counts.items()
                for number in range(self._partitions[topic], count)
            }
        except KafkaException as error:
            self._away = self._kafka_says(error.args[0])
            return
        if news:
            self._begin(consumer, news)
            self._partitions |= Counter(counts)
        unknown = ", ".join(sorted(self._names.keys() - self._partitions.keys()))
        # At last: the event loop takes the view for ready once nothing is away, nor behind.
        self._away = f"Kafka at {self._settings.kafka_bootstrap} does not know of {unknown} now" if unknown else None

    def _begin(self, consumer: Consumer, news: Mapping[Place, tuple[int, int]]) -> None:
        self._behind |= {place: end for place, (_, end) in news.items()}
        self._newest |= {place: {} for place in news if self._names[place[0]] == LIVE}
        self._say_behind()
        consumer.incremental_assign([TopicPartition(*place, first) for place, (first, _) in news.items()])

    def _say_behind(self) -> None:
        self._status.set(State.CATCHING_UP, f"{len(self._behind)} partitions are still being read to their end")

    def _range(self, consumer: Consumer, partition: Partition, positions: Positions) -> tuple[int, int]:
        """Where to begin with a partition, and where it ends now."""
        place = (self._settings.topic(partition.topic), partition.number)
        low, high = consumer.get_watermark_offsets(TopicPartition(*place), timeout=REQUEST_S)
        if partition.topic == LIVE:
            since = TopicPartition(*place, int((time.time() - LIVE_S) * 1_000))
            (found,) = consumer.offsets_for_times([since], timeout=REQUEST_S)
            return max(low, high - LIVE_TAIL, found.offset), high  # it is negative where all is older: no fold runs
        stored = positions.get((partition.topic, partition.number))
        if stored is not None and low <= stored <= high:
            return stored, high
        if stored is not None:
            logger.warning("%s[%d]: stored offset %d is outside %d..%d", *place, stored, low, high)
        first = max(low, high - TOPIC_TAIL)
        if first > 0:
            self._late[place] = partition
            self._status.set_unread(partition, first)
            self._begin_late(partition)
        if first > low:
            self._cut.add(place)
        return first, high

    def _partition_counts(self, consumer: Consumer) -> dict[str, int]:
        topics = consumer.list_topics(timeout=METADATA_S).topics
        return {name: len(topics[name].partitions) for name in self._names if name in topics}

    def _take(self, messages: Iterable[Message]) -> None:
        bars: list[tuple[SeriesKey, Bar]] = []
        read: Counter[str] = Counter()
        ended: list[Place] = []
        last: Message | None = None
        for message in messages:
            place, error = (str(message.topic()), message.partition() or 0), message.error()
            if error is None:
                self._take_record(place, message, bars)
                read[place[0]] += 1
                last = message
            elif not is_end(error):
                self._away = self._kafka_says(error)
            if place in self._behind and is_read_to(self._behind[place], message):
                ended.append(place)
        for topic, count in read.items():
            self._metrics.records.labels(self._names[topic]).inc(count)
        if last is not None:
            topic = self._names[str(last.topic())]
            self._metrics.view_lag.labels(topic).set(time.time_ns() - last.timestamp()[1] * 1_000_000)
        if bars:
            self._hand_over(bars)
        for place in ended:
            self._caught_up(place)

    def _take_record(self, place: Place, message: Message, bars: list[tuple[SeriesKey, Bar]]) -> None:
        newest = self._newest.get(place)
        if newest is None:
            decoded = self._decoder.bars(self._names[place[0]], message)
            self._note_begin(place, message.offset() or 0, decoded)
            bars.extend(decoded)
        else:
            newest[message.key()] = message

    def _note_begin(self, place: Place, offset: int, bars: KeyedBars) -> None:
        """Note from where on a partition that is begun late has all bars of an interval: from its first final one.

        One that comes later, while the whole log had none, follows on a silence as long as the topic's retention.
        """
        partition = self._late.get(place)
        if partition is None:
            return
        was_silent = place not in self._cut and offset >= self._behind.get(place, 0)
        for key, bar in bars:
            if bar.order.is_first:
                self._status.set_begin(partition, key.interval, EVER_NS if was_silent else bar.start_ns)

    def _take_newest(self, place: Place) -> None:
        """Take what was kept of a partition while it was read to its end."""
        messages = list(self._newest.pop(place, {}).values())
        for first in range(0, len(messages), BATCH):
            bars: list[tuple[SeriesKey, Bar]] = []
            for message in messages[first : first + BATCH]:
                bars.extend(self._decoder.bars(LIVE, message))
            self._hand_over(bars)

    def _read_value(self, value: bytes | None) -> tuple[str, Mapping[str, Any]]:
        while True:
            try:
                return self._reader.read(value)
            except RegistryAway as error:
                if self._stopping.is_set():
                    raise BadRecord("not read: stopping") from error
                before = self._status.now
                self._status.set(State.WAITING, str(error))
                self._stopping.wait(RETRY_S)
                self._status.set(before.state, before.reason)

    def _hand_over(self, bars: KeyedBars) -> None:
        self._room.acquire()
        if self._stopping.is_set():
            self._room.release()
        else:
            self._deliver(bars, self._room.release)

    def _caught_up(self, place: Place) -> None:
        self._take_newest(place)
        self._behind.pop(place, None)
        self._say_standing()

    def _say_standing(self) -> None:
        """Say that partitions are being read to their end; or that none is, behind what is not applied yet."""
        if self._behind:
            self._say_behind()
        else:
            self._deliver((), self._applied_all)

    def _applied_all(self) -> None:
        """Called behind the last batch of the start, when the view holds all of it."""
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
