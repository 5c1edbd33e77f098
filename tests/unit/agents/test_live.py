"""When forming bars are sent: at once where none are on their way, gathered by a fold that is behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiokafka.errors import KafkaTimeoutError

from agents.kernel import PackedBatch, PartitionFold, RecordBatchWriter, read_records
from agents.live import FAR_BEHIND_RECORDS, LiveBars
from agents.transport import PreparedBatch
from app.settings import Settings

SPACING_MS = 100


class Clock:
    """The event loop's clock, which goes on only when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now_s = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self._now_s)

    async def advance(self, time_ms: float) -> None:
        """Let so much time pass, and what is due by then happen."""
        self._now_s += time_ms / 1_000
        for _ in range(4):  # one wakes this task, one those that are due, one what they began, one what waits for that
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


class Topic:
    """Takes what is produced, and notes whether the fold was free then; what it answers arrives by itself or not."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self.values: list[int] = []
        self.was_free: list[bool] = []
        self.answers: list[asyncio.Future[None]] = []
        self.is_held_up = False
        self._lock = lock

    async def send_batch(self, batch: PreparedBatch, _topic: str, *, partition: int) -> asyncio.Future[None]:
        records, damaged = read_records(batch._build())
        assert (partition, damaged) == (0, [])
        self.values += [int(record.value or b"") for record in records]
        self.was_free.append(not self._lock.locked())
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        if not self.is_held_up:
            answer.set_result(None)
        return answer


class Flow:
    """A partition of a fold whose log end is told with each trade."""

    def __init__(self, clock: Clock) -> None:
        self.fold = Fold()
        self.lock = asyncio.Lock()
        self.topic = Topic(self.lock)
        self._clock = clock
        self.live = LiveBars(Settings(live_ms=SPACING_MS), self.topic, 0, cast("PartitionFold", self.fold), self.lock)

    async def trade(self, lag_records: int) -> None:
        self.fold.trades += 1
        self.live.changed(lag_records)
        await self._clock.advance(0)


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
    flow.live.close()


async def test_each_change_of_a_fold_that_is_up_with_the_log_is_sent_at_once(flow: Flow) -> None:
    await flow.trade(0)
    await flow.trade(0)
    assert flow.topic.values == [1, 2, 3]


async def test_what_changes_while_bars_are_on_their_way_is_sent_as_one_when_they_have_arrived(
    flow: Flow, clock: Clock
) -> None:
    flow.topic.is_held_up = True
    for _ in range(4):
        await flow.trade(0)
    assert flow.topic.values == [1, 2]
    flow.topic.answers[-1].set_result(None)
    await clock.advance(0)
    assert flow.topic.values == [1, 2, 5]


async def test_bars_that_cannot_be_sent_are_said_and_followed_by_newer_ones(
    flow: Flow, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    flow.topic.is_held_up = True
    await flow.trade(0)
    await flow.trade(0)
    flow.topic.answers[-1].set_exception(KafkaTimeoutError())
    await clock.advance(0)
    assert "partition 0: forming bars were not sent" in caplog.text
    assert flow.topic.values == [1, 2, 3]


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
