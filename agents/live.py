"""Forming bars, sent to `bars.live` as they change: soon, often enough, and outside of any transaction."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

from aiokafka.errors import KafkaError

from agents.kernel import PackedBatch, PartitionFold
from agents.transport import PreparedBatch
from app.settings import Settings

log = logging.getLogger(__name__)

OUTPUT: Final = "bars.live"
FAR_BEHIND_RECORDS: Final = 50_000
"""A fold this far behind the end sends no forming bars: they would be history, and cost what catching up needs."""
RESEND_S: Final = 15 * 60


class LiveBars:
    """Sends the forming bars of one partition at once where none are on their way, and spaced by a fold that is behind.

    What changes while some are on their way is sent when they have arrived. So a trade is shown as soon as it can be,
    and the busier the broker is, the more trades an update stands for.
    """

    def __init__(
        self,
        settings: Settings,
        producer: Any,  # noqa: ANN401 - aiokafka has no types
        partition: int,
        fold: PartitionFold,
        lock: asyncio.Lock,
    ) -> None:
        """`lock` is held by whoever uses the fold: it takes one thread at a time."""
        self._topic = settings.topic(OUTPUT)
        self._spacing_s = settings.live_ms / 1_000
        self._producer = producer
        self._partition = partition
        self._fold = fold
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._sent_s = 0.0
        self._sending: asyncio.Task[None] | None = None
        self._has_more = False
        self._waiting: asyncio.TimerHandle | None = None
        self._resend = self._loop.call_later(0, self._send_all)

    def changed(self, lag_records: int) -> None:
        """Send what changed as soon as it may be sent. To be called by the holder of the lock."""
        if lag_records > FAR_BEHIND_RECORDS:
            return
        wait_s = self._sent_s + self._spacing_s - self._loop.time() if lag_records else 0.0
        if self._sending is not None:
            self._has_more = True
        elif wait_s <= 0:
            self._send_changed()
        elif self._waiting is None:
            self._wait(wait_s)

    def close(self) -> None:
        """Send nothing more."""
        self._has_more = False
        self._resend.cancel()
        self._wait_no_more()

    def _wait(self, wait_s: float) -> None:
        self._waiting = self._loop.call_later(wait_s, self._send_changed_if_free)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _send_changed_if_free(self) -> None:
        self._wait_no_more()
        if self._lock.locked():
            self._wait(self._spacing_s)
        else:
            self._send_changed()

    def _send_changed(self) -> None:
        self._wait_no_more()
        self._sent_s = self._loop.time()
        if batches := self._fold.live():
            self._send(batches)

    def _send_all(self) -> None:
        again_s: float = RESEND_S
        if self._lock.locked() or self._sending is not None:
            again_s = self._spacing_s
        elif batches := self._fold.live_all():
            self._send(batches)
        self._resend = self._loop.call_later(again_s, self._send_all)

    def _send(self, batches: Sequence[PackedBatch]) -> None:
        self._sending = asyncio.create_task(self._deliver(batches))
        self._sending.add_done_callback(self._delivered)

    async def _deliver(self, batches: Sequence[PackedBatch]) -> None:
        try:
            stored = [
                await self._producer.send_batch(PreparedBatch(batch), self._topic, partition=self._partition)
                for batch in batches
            ]
            await asyncio.gather(*stored)
        except KafkaError as error:
            # A provisional record that is not sent is made good by the next one, and by the final bar.
            log.warning("partition %d: forming bars were not sent: %r", self._partition, error)

    def _delivered(self, sending: asyncio.Task[None]) -> None:
        self._sending = None
        if self._has_more and not sending.cancelled():
            self._has_more = False
            self._send_changed_if_free()
