"""When forming bars are sent: at once by a fold up with the log, gathered by one that is behind or has sent many."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from agents import live
from agents.live import FAR_BEHIND_RECORDS, LiveBars
from app.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from agents.kernel import PartitionFold

SPACING_MS = 100


class Clock:
    """The event loop's clock, which goes on only when a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now_s = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self._now_s)

    async def advance(self, time_ms: float) -> None:
        """Let so much time pass, and what is due by then happen."""
        self._now_s += time_ms / 1_000
        for _ in range(2):  # the first wakes this task, and only then those that are due
            await asyncio.sleep(0)


class Fold:
    """Has as many trades in its one bar as were folded, and like the kernel's own tells of a change once."""

    def __init__(self) -> None:
        self.trades = 0
        self._told = 0

    def live(self) -> list[tuple[bytes, bytes]]:
        untold, self._told = self.trades - self._told, self.trades
        return [(b"binance:BTC-USDT", str(self.trades).encode())] if untold else []

    def live_all(self) -> list[tuple[bytes, bytes]]:
        return []


class Topic:
    """Takes what is produced, and notes whether the fold was free then."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self.values: list[int] = []
        self.was_free: list[bool] = []
        self._lock = lock

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]], _partition: int) -> int:
        self.values += [int(message["value"]) for message in messages]
        self.was_free.append(not self._lock.locked())
        return len(messages)

    def poll(self, _timeout: float) -> int:
        return 0


class Flow:
    """A partition of a fold whose log end is told with each trade."""

    def __init__(self) -> None:
        self.fold = Fold()
        self.lock = asyncio.Lock()
        self.topic = Topic(self.lock)
        self.live = LiveBars(
            Settings(live_ms=SPACING_MS),
            cast("Producer", self.topic),
            0,
            cast("PartitionFold", self.fold),
            self.lock,
        )

    def trade(self, lag_records: int) -> None:
        self.fold.trades += 1
        self.live.changed(lag_records)


@pytest.fixture(autouse=True)
def _unpaused(monkeypatch: pytest.MonkeyPatch) -> None:
    pause(monkeypatch, 0.0)


def pause(monkeypatch: pytest.MonkeyPatch, pause_ms: float) -> None:
    """Have the fold pause so long after each record."""
    monkeypatch.setattr(live, "PAUSE_S", pause_ms / 1_000)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
async def flow(clock: Clock) -> AsyncIterator[Flow]:
    """A fold that has sent its first trade just now."""
    flow = Flow()
    await clock.advance(0)
    flow.trade(0)
    assert flow.topic.values == [1]
    yield flow
    flow.live.close()


async def test_each_change_of_a_fold_that_is_up_with_the_log_is_sent_at_once(flow: Flow) -> None:
    flow.trade(0)
    flow.trade(0)
    assert flow.topic.values == [1, 2, 3]


async def test_a_fold_that_is_behind_gathers_changes_until_it_is_up_with_the_log(flow: Flow) -> None:
    for lag in (30, 20, 10):
        flow.trade(lag)
    assert flow.topic.values == [1]
    flow.trade(0)
    assert flow.topic.values == [1, 5]


async def test_a_fold_that_stays_behind_sends_what_it_gathered_once_the_spacing_has_passed(
    flow: Flow, clock: Clock
) -> None:
    flow.trade(1)
    flow.trade(1)
    await clock.advance(SPACING_MS - 1)
    assert flow.topic.values == [1]
    await clock.advance(1)
    assert flow.topic.values == [1, 3]


async def test_what_was_gathered_in_the_pause_after_a_record_is_sent_when_it_is_over(
    flow: Flow, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause(monkeypatch, 10)
    flow.trade(0)
    flow.trade(0)
    await clock.advance(9)
    assert flow.topic.values == [1, 2]
    await clock.advance(1)
    assert flow.topic.values == [1, 2, 3]


async def test_changes_are_not_read_while_a_thread_has_the_fold_and_not_forgotten(flow: Flow, clock: Clock) -> None:
    await flow.lock.acquire()
    flow.trade(1)
    await clock.advance(SPACING_MS)
    assert flow.topic.values == [1]
    flow.lock.release()
    await clock.advance(SPACING_MS)
    assert flow.topic.values == [1, 2]
    assert all(flow.topic.was_free)


async def test_a_fold_that_is_far_behind_sends_no_forming_bars(flow: Flow, clock: Clock) -> None:
    flow.trade(FAR_BEHIND_RECORDS + 1)
    await clock.advance(SPACING_MS)
    assert flow.topic.values == [1]
