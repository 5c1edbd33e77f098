"""Forming bars, sent to `bars.live` as they change: soon, often enough, and outside of any transaction."""

import asyncio
import logging
from typing import Final

from confluent_kafka import Producer

from agents.kernel import PartitionFold
from app.settings import Settings

log = logging.getLogger(__name__)

OUTPUT: Final = "bars.live"
FAR_BEHIND_RECORDS: Final = 50_000
"""A fold this far behind the end sends no forming bars: they would be history, and cost what catching up needs."""
RESEND_S: Final = 15 * 60
PAUSE_S: Final = 0.000_1
"""For each record that was sent. Many keep everybody busy who passes them on; changes that come meanwhile are soon
changes of the same instruments, and one record tells of them all."""


class LiveBars:
    """Sends the forming bars of one partition at once, but for a pause after many, and spaced by a fold that is behind.

    So a trade is shown as soon as it can be; the more trades come, the more an update stands for.
    """

    def __init__(
        self, settings: Settings, producer: Producer, partition: int, fold: PartitionFold, lock: asyncio.Lock
    ) -> None:
        """`lock` is held by whoever uses the fold: it takes one thread at a time."""
        self._topic = settings.topic(OUTPUT)
        self._spacing_s = settings.live_ms / 1_000
        self._producer = producer
        self._partition = partition
        self._fold = fold
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._free_s = 0.0  # when the pause after what was sent last is over
        self._sent_s = 0.0
        self._waiting: asyncio.TimerHandle | None = None
        self._resend = self._loop.call_later(0, self._send_all)

    def changed(self, lag_records: int) -> None:
        """Send what changed, now or once the pause is over. To be called by the holder of the lock."""
        if lag_records > FAR_BEHIND_RECORDS:
            return
        free_s = max(self._free_s, self._sent_s + self._spacing_s) if lag_records else self._free_s
        wait_s = free_s - self._loop.time()
        if wait_s <= 0:
            self._send_changed()
        elif self._waiting is None:
            self._wait(wait_s)

    def close(self) -> None:
        """Send nothing more."""
        self._resend.cancel()
        self._wait_no_more()

    def _wait(self, wait_s: float) -> None:
        self._waiting = self._loop.call_later(wait_s, self._pause_is_over)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _pause_is_over(self) -> None:
        if self._lock.locked():
            self._wait(self._spacing_s)
        else:
            self._send_changed()

    def _send_changed(self) -> None:
        self._wait_no_more()
        self._sent_s = self._loop.time()
        records = self._fold.live()
        self._free_s = self._sent_s + len(records) * PAUSE_S
        self._send(records)

    def _send_all(self) -> None:
        again_s: float = RESEND_S
        if self._lock.locked():
            again_s = self._spacing_s
        else:
            self._send(self._fold.live_all())
        self._resend = self._loop.call_later(again_s, self._send_all)

    def _send(self, records: list[tuple[bytes, bytes]]) -> None:
        messages = [{"key": key, "value": value} for key, value in records]
        try:
            sent = self._producer.produce_batch(self._topic, messages, self._partition)
        except BufferError:
            sent = 0
        if sent < len(messages):
            # A provisional record that is not sent is made good by the next one, and by the final bar.
            log.warning("partition %d: forming bars dropped, the broker takes them too slowly", self._partition)
        self._producer.poll(0)


def live_producer(settings: Settings) -> Producer:
    """The producer that all partitions of a worker share: a lost record is followed by a newer one, latency counts."""
    return Producer(
        {**settings.kafka_config, "acks": "1", "linger.ms": 0, "retries": 0, "message.max.bytes": 10_000_000}
    )
