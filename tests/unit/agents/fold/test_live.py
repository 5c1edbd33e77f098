"""When forming bars are sent: at once where few are on their way, gathered by a fold that is behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, cast

import pytest
from aiokafka.errors import KafkaTimeoutError

from agents.fold.live import AFTER_ERROR_S, AT_ONCE, FAR_BEHIND_RECORDS, LiveBars, LiveTopic
from agents.kernel import PackedBatch, RecordBatchWriter, read_records
from app.settings import Settings

if TYPE_CHECKING:
    from agents.kernel import PartitionFold
    from agents.transport import BatchSender

SPACING_MS = 100


class Clock:
    """The event loop's clock, which goes on only when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now_s = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self._now_s)

    async def advance(self, time_ms: float) -> None:
        """Let so much time pass, and what is due by then happen."""
        self._now_s += time_ms / 1_000
        for _ in range(10):  # of the loop: what is due begins something, which something else waits for, and so on
            await asyncio.sleep(0)


class Fold:
    """Has as many trades in its one bar as were folded, and like the kernel's own tells of a change once."""

    def __init__(self) -> None:
        self.trades = 0
        self._told = 0

    def live(self) -> list[PackedBatch]:
        untold, self._told = self.trades - self._told, self.trades
        writer = RecordBatchWriter()
        if untold:
            writer.append(b"binance:BTC-USDT", str(self.trades).encode())
        return writer.take()

    def live_all(self) -> list[PackedBatch]:
        return []


class Sender:
    """Takes what is sent, and notes whether the fold was free then; an answer comes at once, or when a test says so."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self.values: list[int] = []
        self.was_free: list[bool] = []
        self.answers: list[asyncio.Future[None]] = []
        self.is_held_up = False
        self._lock = lock

    async def send(self, batches: dict[int, PackedBatch]) -> None:
        for batch in batches.values():
            records, damaged = read_records(batch.stamped(0))
            assert damaged == []
            self.values += [int(record.value or b"") for record in records]
        self.was_free.append(not self._lock.locked())
        if self.is_held_up:
            self.answers.append(asyncio.get_running_loop().create_future())
            await self.answers[-1]


class Flow:
    """A partition of a fold whose log end is told with each trade, and another one."""

    def __init__(self, clock: Clock) -> None:
        self.fold = Fold()
        self.lock = asyncio.Lock()
        self.topic = Sender(self.lock)
        self._clock = clock
        shared = LiveTopic(cast("BatchSender", self.topic))
        settings = Settings(live_ms=SPACING_MS)
        self.live = LiveBars(settings, shared, 0, cast("PartitionFold", self.fold), self.lock)
        self.other_fold = Fold()
        self.other_live = LiveBars(settings, shared, 1, cast("PartitionFold", self.other_fold), asyncio.Lock())

    async def trade(self, lag_records: int) -> None:
        self.fold.trades += 1
        self.live.changed(lag_records)
        await self._clock.advance(0)

    def close(self) -> None:
        self.live.close()
        self.other_live.close()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
async def flow(clock: Clock) -> AsyncIterator[Flow]:
    """A fold that has sent its first trade just now."""
    flow = Flow(clock)
    await clock.advance(0)
    await flow.trade(0)
    assert flow.topic.values == [1]
    yield flow
    flow.close()


async def test_each_change_of_a_fold_that_is_up_with_the_log_is_sent_at_once(flow: Flow) -> None:
    await flow.trade(0)
    await flow.trade(0)
    assert flow.topic.values == [1, 2, 3]


async def test_what_changes_while_too_many_are_on_their_way_is_sent_as_one_when_one_of_them_has_arrived(
    flow: Flow, clock: Clock
) -> None:
    flow.topic.is_held_up = True
    for _ in range(AT_ONCE + 3):
        await flow.trade(0)
    assert flow.topic.values == [*range(1, AT_ONCE + 2)]
    flow.topic.answers[0].set_result(None)
    await clock.advance(0)
    assert flow.topic.values == [*range(1, AT_ONCE + 2), AT_ONCE + 4]


async def test_what_partitions_have_ready_goes_in_one_request(flow: Flow) -> None:
    flow.topic.is_held_up = True
    flow.other_fold.trades = 7
    flow.other_live.changed(0)
    await flow.trade(0)
    assert flow.topic.values == [1, 7, 2]
    assert len(flow.topic.answers) == 1


async def test_a_partition_that_was_let_go_of_sends_nothing_more(flow: Flow, clock: Clock) -> None:
    flow.topic.is_held_up = True
    for _ in range(AT_ONCE + 1):
        await flow.trade(0)
    flow.live.close()
    for answer in flow.topic.answers:
        answer.set_result(None)
    await flow.trade(0)
    await clock.advance(SPACING_MS)
    assert flow.topic.values == [*range(1, AT_ONCE + 2)]


async def test_bars_that_cannot_be_sent_are_said_and_followed_by_newer_ones(
    flow: Flow, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    flow.topic.is_held_up = True
    for _ in range(AT_ONCE + 1):
        await flow.trade(0)
    flow.topic.answers[-1].set_exception(KafkaTimeoutError())
    await clock.advance(0)
    assert "forming bars were not sent" in caplog.text
    assert flow.topic.values == [*range(1, AT_ONCE + 2)]
    await clock.advance(AFTER_ERROR_S * 1_000)
    assert flow.topic.values == [*range(1, AT_ONCE + 3)]


async def test_a_fold_that_is_behind_gathers_changes_until_it_is_up_with_the_log(flow: Flow) -> None:
    for lag in (30, 20, 10):
        await flow.trade(lag)
    assert flow.topic.values == [1]
    await flow.trade(0)
    assert flow.topic.values == [1, 5]


async def test_a_fold_that_stays_behind_sends_what_it_gathered_once_the_spacing_has_passed(
    flow: Flow, clock: Clock
) -> None:
    await flow.trade(1)
    await flow.trade(1)
    await clock.advance(SPACING_MS - 1)
    assert flow.topic.values == [1]
    await clock.advance(1)
    assert flow.topic.values == [1, 3]


async def test_changes_are_not_read_while_a_thread_has_the_fold_and_not_forgotten(flow: Flow, clock: Clock) -> None:
    await flow.lock.acquire()
    await flow.trade(1)
    await clock.advance(SPACING_MS)
    assert flow.topic.values == [1]
    flow.lock.release()
    await clock.advance(SPACING_MS)
    assert flow.topic.values == [1, 2]
    assert all(flow.topic.was_free)


async def test_a_fold_that_is_far_behind_sends_no_forming_bars(flow: Flow, clock: Clock) -> None:
    await flow.trade(FAR_BEHIND_RECORDS + 1)
    await clock.advance(SPACING_MS)
    assert flow.topic.values == [1]
