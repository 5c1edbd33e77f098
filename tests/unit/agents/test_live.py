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

GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""
LONG_MS = 3_600_000
SOON_MS = 1


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
        self.came = asyncio.Event()
        self._lock = lock

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]], _partition: int) -> int:
        self.values += [int(message["value"]) for message in messages]
        self.was_free.append(not self._lock.locked())
        if messages:
            self.came.set()
        return len(messages)

    def poll(self, _timeout: float) -> int:
        return 0


class Flow:
    """A partition of a fold whose log end is told with each trade."""

    def __init__(self, live_ms: int) -> None:
        self.fold = Fold()
        self.lock = asyncio.Lock()
        self.topic = Topic(self.lock)
        self.live = LiveBars(
            Settings(live_ms=live_ms),
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


def pause(monkeypatch: pytest.MonkeyPatch, pause_s: float) -> None:
    """Have the fold pause so long after each record."""
    monkeypatch.setattr(live, "PAUSE_S", pause_s)


@pytest.fixture
async def spaced() -> AsyncIterator[Flow]:
    flow = Flow(LONG_MS)
    flow.trade(0)
    assert flow.topic.values == [1]
    yield flow
    flow.live.close()


async def test_each_change_of_a_fold_that_is_up_with_the_log_is_sent_at_once(spaced: Flow) -> None:
    spaced.trade(0)
    spaced.trade(0)
    assert spaced.topic.values == [1, 2, 3]


async def test_a_fold_that_is_behind_gathers_changes_until_it_is_up_with_the_log(spaced: Flow) -> None:
    for lag in (30, 20, 10):
        spaced.trade(lag)
    assert spaced.topic.values == [1]
    spaced.trade(0)
    assert spaced.topic.values == [1, 5]


async def test_a_fold_that_stays_behind_sends_what_it_gathered_once_the_spacing_has_passed() -> None:
    flow = Flow(SOON_MS)
    flow.trade(0)
    flow.topic.came.clear()
    flow.trade(1)
    flow.trade(1)
    async with asyncio.timeout(GUARD_S):
        await flow.topic.came.wait()
    assert flow.topic.values == [1, 3]
    flow.live.close()


async def test_a_fold_that_has_sent_a_record_gathers_changes_in_its_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pause(monkeypatch, LONG_MS / 1_000)
    flow = Flow(SOON_MS)
    flow.trade(0)
    flow.trade(0)
    assert flow.topic.values == [1]
    flow.live.close()


async def test_what_was_gathered_in_a_pause_is_sent_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    pause(monkeypatch, SOON_MS / 1_000)
    flow = Flow(LONG_MS)
    flow.trade(0)
    flow.topic.came.clear()
    flow.trade(0)
    async with asyncio.timeout(GUARD_S):
        await flow.topic.came.wait()
    assert flow.topic.values == [1, 2]
    flow.live.close()


async def test_changes_are_not_read_while_a_thread_has_the_fold_and_not_forgotten() -> None:
    flow = Flow(SOON_MS)
    flow.trade(0)
    flow.topic.came.clear()
    flow.topic.was_free.clear()
    await flow.lock.acquire()
    flow.trade(1)
    asyncio.get_running_loop().call_later(10 * SOON_MS / 1_000, flow.lock.release)
    async with asyncio.timeout(GUARD_S):
        await flow.topic.came.wait()
    assert flow.topic.values == [1, 2]
    assert all(flow.topic.was_free)
    flow.live.close()


async def test_a_fold_that_is_far_behind_sends_no_forming_bars(spaced: Flow) -> None:
    spaced.trade(FAR_BEHIND_RECORDS + 1)
    assert spaced.topic.values == [1]
