"""Which record sets the check of bars takes."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from agents.kernel import CorruptBatch
from agents.log_errors import OffsetJump
from agents.reconciliation import metrics
from agents.reconciliation.check import CandleCheck
from agents.reconciliation.minutes import Why
from agents.reconciliation.pairs import Series, Verdict
from agents.transport import RecordSet
from app.schema_lookup import RegistryAway
from app.settings import Settings

BARS = TP("test.bars", 0)
CANDLES = TP("test.candles", 0)
WAIT_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""
BTC = Series("binance-usdm", "BTC-USDT")


class App:
    """Stands where the check has its worker's app."""

    def __init__(self) -> None:
        self.crashes: list[Exception] = []
        self.paused: set[TP] = set()
        self.consumer = SimpleNamespace(
            assignment=lambda: {BARS},
            pause_partitions=self.paused.update,
            resume_partitions=self.paused.difference_update,
        )
        self.futures: list[asyncio.Task[None]] = []

    def read_batches_from(self, _source: CandleCheck) -> None:
        """Ask it for no positions."""

    async def crash(self, error: Exception) -> None:
        self.crashes.append(error)

    def add_future(self, work: Any) -> None:
        self.futures.append(asyncio.create_task(work))


def begun(at: int) -> tuple[App, CandleCheck]:
    app: Any = App()
    check = CandleCheck(app, Settings())
    check._positions[BARS] = at
    return app, check


@pytest.mark.parametrize("start", [0, 5, 11])
async def test_a_set_that_does_not_begin_where_the_one_before_it_ended_ends_the_worker(start: int) -> None:
    app, check = begun(10)
    with pytest.raises(OffsetJump, match=f"offset 10 is next, and the fetch begins at {start}"):
        await check.take(RecordSet(*BARS, b"", start, start + 1))
    assert [type(error) for error in app.crashes] == [OffsetJump]


def left_alone() -> float | None:
    return REGISTRY.get_sample_value("livetape_reconcile_left_alone", {"topic": BARS.topic, "partition": "0"})


async def test_a_partition_whose_next_batch_cannot_be_told_is_fetched_no_more_and_told_until_it_is_anothers() -> None:
    app, check = begun(10)
    await check.take(RecordSet(*BARS, bytes(100), 10, 10))
    assert (app.paused, check.position(BARS), app.crashes) == ({BARS}, None, [])
    assert left_alone() == 1
    await check.revoked()
    assert left_alone() is None


@pytest.mark.parametrize("data", [b"", bytes(100)], ids=["whole", "damaged"])
async def test_a_set_that_was_being_read_when_its_partition_came_back_at_the_same_place_leaves_it_there(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, check = begun(10)
    read = check._read

    async def read_across_a_rebalance(record_set: RecordSet, position: int) -> Any:
        await check.revoked()
        check._positions[BARS] = 10
        return await read(record_set, position)

    with monkeypatch.context() as patched:
        patched.setattr(check, "_read", read_across_a_rebalance)
        await check.take(RecordSet(*BARS, data, 10, 12))
    assert (app.paused, check.position(BARS)) == (set(), 10)
    await check.take(RecordSet(*BARS, b"", 10, 12))
    assert (check.position(BARS), app.crashes) == (12, [])


async def test_a_partition_whose_schema_is_not_told_now_holds_up_no_other_and_is_compared_once_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.reconciliation.check.REGISTRY_PAUSE_S", 0)
    app, check = begun(10)
    check._positions[CANDLES] = 20
    is_back = False
    read = check._read

    async def once_back(record_set: RecordSet, position: int) -> Any:
        if record_set.topic == BARS.topic and not is_back:
            raise RegistryAway("503")
        return await read(record_set, position)

    monkeypatch.setattr(check, "_read", once_back)
    for record_set in (RecordSet(*BARS, b"", 10, 12), RecordSet(*BARS, b"", 12, 15), RecordSet(*CANDLES, b"", 20, 21)):
        await check.take(record_set)
    assert (check.position(BARS), check.position(CANDLES)) == (10, 21)
    is_back = True
    await asyncio.wait_for(asyncio.gather(*app.futures), WAIT_S)
    assert (check.position(BARS), app.crashes) == (15, [])


async def test_a_partition_that_is_let_go_of_waits_for_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    app, check = begun(10)
    asked = asyncio.Event()

    async def read(*_: object) -> Any:
        asked.set()
        raise RegistryAway("503")

    monkeypatch.setattr(check, "_read", read)
    await check.take(RecordSet(*BARS, b"", 10, 12))
    asked.clear()
    await asyncio.wait_for(asked.wait(), WAIT_S)
    await check.revoked()
    await asyncio.wait_for(asyncio.gather(*app.futures), WAIT_S)
    assert (check.position(BARS), app.crashes) == (None, [])


async def test_a_set_whose_schema_was_asked_for_across_a_rebalance_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, check = begun(10)

    async def read_across_a_rebalance(*_: object) -> Any:
        await check.revoked()
        check._positions[BARS] = 10
        raise RegistryAway("503")

    monkeypatch.setattr(check, "_read", read_across_a_rebalance)
    await check.take(RecordSet(*BARS, b"", 10, 12))
    assert (app.futures, app.crashes) == ([], [])


async def test_a_partition_that_is_damaged_behind_what_it_waited_for_is_fetched_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.reconciliation.check.REGISTRY_PAUSE_S", 0)
    monkeypatch.setattr("agents.held_partitions.MOST_KEPT", 1)
    app, check = begun(10)
    is_back = False

    async def read(record_set: RecordSet, _position: int) -> Any:
        if record_set.start_offset == 12:
            raise CorruptBatch
        if not is_back:
            raise RegistryAway("503")
        return []

    monkeypatch.setattr(check, "_read", read)
    for first, end in ((10, 12), (12, 15), (15, 16)):
        await check.take(RecordSet(*BARS, b"", first, end))
    is_back = True
    await asyncio.wait_for(asyncio.gather(*app.futures), WAIT_S)
    assert (check.position(BARS), app.paused, app.crashes) == (None, {BARS}, [])


def test_a_minute_that_is_cut_by_a_trade_is_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    _, check = begun(0)
    counted = metrics.BARS.labels(venue=BTC.venue, result="different", why=Why.CUT)
    before = counted._value.get()
    check._tell(Verdict(BTC, 0, Why.CUT, None, None))
    assert (counted._value.get() - before, caplog.messages) == (1, [])
    check._tell(Verdict(BTC, 0, Why.OPEN, None, None))
    assert caplog.messages == ["binance-usdm BTC-USDT at 1970-01-01T00:00:00Z: open; bar none; candle none"]


async def test_a_check_whose_first_start_a_rebalance_cancels_is_started_by_the_next_one_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks, is_told = threading.Event(), threading.Event()
    running: list[str] = []
    served: list[int] = []

    def check_topics(*_: object) -> None:
        asks.set()
        assert is_told.wait(WAIT_S)

    def add_future(work: Any) -> None:
        running.append(work.__qualname__)
        work.close()

    monkeypatch.setattr("agents.reconciliation.check.check_topics", check_topics)
    monkeypatch.setattr("agents.reconciliation.check.offsets_since", lambda *_: {})
    monkeypatch.setattr("agents.reconciliation.check.serve_metrics", lambda _, port: served.append(port))
    app: Any = App()
    app.add_future = add_future
    check = CandleCheck(app, Settings(reconcile_metrics_port=9_999))
    first = asyncio.create_task(check.assigned({BARS}))
    assert await asyncio.to_thread(asks.wait, WAIT_S)
    first.cancel()
    await asyncio.wait({first})
    is_told.set()
    for _ in range(2):
        await check.assigned({BARS})
    assert (running, served) == (["LagWatch.run", "CandleCheck._look_always"], [9_999])
