"""Kafka → views of users' tables: a thread that reads their changelogs and hands changes over in log order.

A thread of its own, with no consumer group: every replica reads every partition, and nothing is committed. A changelog
that is not there yet is waited for; the bars do not wait for it.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Final, NoReturn

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from app.hand_over import HandOver
from app.log_end import is_end, is_read_to
from app.log_reader import log_reader
from app.metrics import Metrics
from app.settings import Settings
from app.table_views import Change, TableViews

log = logging.getLogger(__name__)

BATCH: Final = 1_000
POLL_S: Final = 0.2
METADATA_S: Final = 2.0
NEW_PARTITIONS_S: Final = 2.0


class TableFeed:
    """Reads changelogs from their beginning until it is stopped, and has the event loop apply them to their views."""

    def __init__(self, settings: Settings, *, views: TableViews, hand_over: HandOver, metrics: Metrics) -> None:
        self._settings = settings
        self._tables = {settings.topic(topic): table for topic, table in views.tables_of_topics.items()}
        self._views = views
        self._hand_over = hand_over
        self._metrics = metrics
        self._stopping = threading.Event()
        self._behind: dict[str, dict[int, int]] = {}
        """Where each partition ended when it was begun with, of those that are still being read to there."""
        self._thread = threading.Thread(target=self._run, name="table-feed", daemon=True)

    def start(self) -> None:
        """Begin to read, if there is anything to be read."""
        if self._tables:
            self._thread.start()

    def stop(self) -> None:
        """Stop reading and wait for the thread's end."""
        self._stopping.set()
        self._hand_over.close()
        if self._tables:
            self._thread.join()

    def _run(self) -> None:
        properties = {"auto.offset.reset": "earliest", "log_level": 2}  # an absent broker is told by the bars' feed
        consumer = log_reader(self._settings, "tables", properties)
        try:
            self._read(consumer)
        except Exception:
            log.exception("the feed of users' tables ended")
        finally:
            consumer.close()

    def _read(self, consumer: Consumer) -> None:
        looked = -NEW_PARTITIONS_S
        while not self._stopping.is_set():
            if len(self._behind) < len(self._tables) and time.monotonic() - looked >= NEW_PARTITIONS_S:
                self._assign(consumer)
                looked = time.monotonic()
            self._take(consumer.consume(BATCH, POLL_S))

    def _assign(self, consumer: Consumer) -> None:
        """Begin with every changelog that is there and not read yet."""
        try:
            topics = consumer.list_topics(timeout=METADATA_S).topics
        except KafkaException as error:
            log.debug("changelogs are looked for again: %s", error)
            return
        for topic in self._tables.keys() & topics.keys() - self._behind.keys():
            try:
                ends = {number: _end(consumer, topic, number) for number in topics[topic].partitions}
            except KafkaException as error:
                log.debug("%s is looked at again: %s", topic, error)
                continue
            if ends:
                self._behind[topic] = ends
                consumer.incremental_assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])

    def _take(self, messages: Iterable[Message]) -> None:
        changes: list[Change] = []
        ready: list[str] = []
        for message in messages:
            topic, error = str(message.topic()), message.error()
            if error is None:
                changes.extend(self._change(topic, message))
            elif not is_end(error):
                log.warning("%s: %s", topic, error.str())
            if self._ends(topic, message) and not self._behind[topic]:
                ready.append(self._tables[topic])
        if changes or ready:
            self._hand_over.put(partial(self._apply, changes, ready))

    def _apply(self, changes: Iterable[Change], ready: Iterable[str]) -> None:
        """Called by the event loop: take changes, and behind them that tables are read to their end."""
        self._views.apply(changes)
        for table in ready:
            self._views.ready(table)

    def _ends(self, topic: str, message: Message) -> bool:
        """Whether a partition is now read to where it ended."""
        partition = message.partition() or 0
        end = self._behind.get(topic, {}).get(partition)
        if end is None or not is_read_to(end, message):
            return False
        del self._behind[topic][partition]
        return True

    def _change(self, topic: str, message: Message) -> Iterable[Change]:
        name = topic.removeprefix(self._settings.topic(""))
        self._metrics.records.labels(name).inc()
        try:
            key, value = _json(message.key()), message.value()
            yield Change(self._tables[topic], key, None if value is None else _json(value))
        except (ValueError, RecursionError) as error:
            self._metrics.bad_records.labels(name).inc()
            log.warning("%s[%s] offset %s: %s", topic, message.partition(), message.offset(), error)


def _end(consumer: Consumer, topic: str, partition: int) -> int:
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=METADATA_S)
    return int(end)


def _json(text: str | bytes | None) -> str:
    """The same text, if it is one JSON value; raise ValueError otherwise."""
    if text is None:
        raise ValueError("no key")
    decoded = text if isinstance(text, str) else text.decode()
    json.loads(decoded, parse_constant=_refuse)
    return decoded


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
