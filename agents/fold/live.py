"""Forming bars, sent to `bars.live` as they change: soon, often enough, and outside of any transaction."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka.errors import KafkaError

from agents.kernel import PackedBatch, PartitionFold
from agents.transport import BatchSender
from app.settings import Settings

log = logging.getLogger(__name__)

OUTPUT: Final = "bars.live"
FAR_BEHIND_RECORDS: Final = 50_000
"""A fold this far behind the end sends no forming bars: they would be history, and cost what catching up needs."""
RESEND_S: Final = 15 * 60
AFTER_ERROR_S: Final = 0.1
AT_ONCE: Final = 4
"""Requests under way. With one, a change waits for half of its way and then goes its own: at 10,000 trades a second on
2 virtual CPUs the median update took 12.7 to 13.6 ms, with four 10.3 and 11.5, with eight 14.9."""


class LiveTopic:
    """Sends what the partitions of a worker have ready in one request, as long as few others wait for their answers.

    So a trade is shown as soon as it can be, and the busier the broker is, the more trades an update stands for.
    """

    def __init__(self, sender: BatchSender) -> None:
        self._loop = asyncio.get_running_loop()
        self._sender = sender
        self._ready: dict[int, LiveBars] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._due: asyncio.Handle | None = None

    def send(self, bars: "LiveBars") -> None:
        """Have the partition's bars in the next request, with what others have ready by then."""
        self._ready[bars.partition] = bars
        self._send_soon()

    def forget(self, bars: "LiveBars") -> None:
        """Leave the partition out of the next request."""
        self._ready.pop(bars.partition, None)

    def _send_soon(self) -> None:
        """Not at once: other partitions' record sets came with the same fetch."""
        if self._ready and self._due is None and len(self._sending) < AT_ONCE:
            self._due = self._loop.call_soon(self._send_ready)

    def _send_ready(self) -> None:
        self._due = None
        ready, self._ready = self._ready, {}
        batches = {partition: taken for partition, bars in ready.items() if (taken := bars.take())}
        if batches:
            sending = asyncio.create_task(self._send(batches))
            self._sending.add(sending)
            sending.add_done_callback(self._sent)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        self._send_soon()

    async def _send(self, batches: Mapping[int, Sequence[PackedBatch]]) -> None:
        """A broker takes one batch a partition in a request: a second one comes after the first."""
        most = max(len(each) for each in batches.values())
        for place in range(most):
            try:
                await self._sender.send({number: each[place] for number, each in batches.items() if place < len(each)})
            except KafkaError as error:
                # A provisional record that is not sent is made good by the next one, and by the final bar.
                log.warning("forming bars were not sent: %r", error)
                await asyncio.sleep(AFTER_ERROR_S)


class LiveBars:
    """Says when the forming bars of one partition are to be sent: when they change, and spaced by a fold behind."""

    def __init__(
        self, settings: Settings, topic: LiveTopic, partition: int, fold: PartitionFold, lock: asyncio.Lock
    ) -> None:
        """`lock` is held by whoever uses the fold: it takes one thread at a time."""
        self._spacing_s = settings.live_ms / 1_000
        self._topic = topic
        self.partition = partition
        self._fold = fold
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._sent_s = 0.0
        self._has_all_due = False
        self._is_closed = False
        self._waiting: asyncio.TimerHandle | None = None
        self._resend = self._loop.call_later(0, self._send_all)

    def changed(self, lag_records: int) -> None:
        """Have what changed sent as soon as it may be."""
        if self._is_closed or lag_records > FAR_BEHIND_RECORDS:
            return
        wait_s = self._sent_s + self._spacing_s - self._loop.time() if lag_records else 0.0
        if wait_s <= 0:
            self._send()
        elif self._waiting is None:
            self._wait(wait_s)

    def take(self) -> Sequence[PackedBatch]:
        """What is to be sent now; nothing while a thread has the fold, which is asked again then."""
        if self._lock.locked():
            self._wait_no_more()
            self._wait(self._spacing_s)
            return ()
        self._sent_s = self._loop.time()
        has_all_due, self._has_all_due = self._has_all_due, False
        return self._fold.live_all() if has_all_due else self._fold.live()

    def close(self) -> None:
        """Send nothing more: somebody else may use the fold from now on."""
        self._is_closed = True
        self._resend.cancel()
        self._wait_no_more()
        self._topic.forget(self)

    def _send(self) -> None:
        self._wait_no_more()
        self._topic.send(self)

    def _send_all(self) -> None:
        self._has_all_due = True
        self._resend = self._loop.call_later(RESEND_S, self._send_all)
        self._send()

    def _wait(self, wait_s: float) -> None:
        self._waiting = self._loop.call_later(wait_s, self._send)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
