"""What the sink does where the database is not where it left it."""

import asyncio
import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from agents.kernel import CorruptBatch
from agents.sink.gathered import Place
from agents.sink.rows import Rows
from agents.sink.sink import SqlSink
from agents.sink.writer import Pending
from agents.transport import RecordSet
from app.schema_lookup import RegistryAway
from app.settings import Settings

TRADES = TP("test.trades", 0)
BARS = TP("test.bars", 0)
WAIT_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""


class App:
    """What the sink asks of Faust's app."""

    def __init__(self) -> None:
        self.on_before_shutdown = SimpleNamespace(connect=lambda _hears: None)
        self.committed: list[Mapping[TP, int]] = []
        self.crashes: list[Exception] = []
        self.rejoined = 0
        self.paused: set[TP] = set()
        self.consumer = SimpleNamespace(
            assignment=lambda: {TRADES},
            pause_partitions=self.paused.update,
            resume_partitions=self.paused.difference_update,
        )
        self.futures: list[asyncio.Task[None]] = []

    def read_batches_from(self, source: object) -> None:
        pass

    async def commit_batches(self, offsets: Mapping[TP, int]) -> None:
        self.committed.append(offsets)

    async def rejoin(self) -> None:
        self.rejoined += 1

    async def crash(self, error: Exception) -> None:
        self.crashes.append(error)

    def add_future(self, work: Any) -> None:
        self.futures.append(asyncio.create_task(work))


def left_alone() -> float | None:
    labels = {"topic": TRADES.topic, "partition": "0"}
    return REGISTRY.get_sample_value("livetape_sink_left_alone", labels)


@pytest.mark.parametrize("stored", [5, 15, 40])
async def test_a_sink_begins_anew_where_the_database_went_back_or_was_moved_on(
    stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = App()
    sink = SqlSink(app, Settings())
    for tp in (TRADES, BARS):
        sink._gathered.begin(tp, Place("epoch", 10))
    monkeypatch.setattr(sink._writer, "write", lambda _batch: {TRADES: stored, BARS: 12})
    await sink._write([Pending(TRADES, 10, 20, Rows()), Pending(BARS, 10, 12, Rows())])
    assert app.rejoined == 1
    assert app.committed == [{TRADES: stored, BARS: 12}]
    assert (sink.position(TRADES), sink.position(BARS)) == (None, 10)


async def test_a_sink_whose_rows_are_stored_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = App()
    sink = SqlSink(app, Settings())
    sink._gathered.begin(TRADES, Place("epoch", 20))
    monkeypatch.setattr(sink._writer, "write", lambda _batch: {TRADES: 20})
    await sink._write([Pending(TRADES, 10, 20, Rows())])
    assert (app.rejoined, sink.position(TRADES)) == (0, 20)


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_a_set_that_was_in_work_when_its_partition_came_back_at_the_same_place_leaves_it_there(
    monkeypatch: pytest.MonkeyPatch, *, is_damaged: bool
) -> None:
    app: Any = App()
    sink = SqlSink(app, Settings())

    def begin() -> None:
        sink._gathered.clear()
        sink._gathered.begin(TRADES, Place("epoch", 10))

    def rows_across_a_rebalance(*_: object) -> Rows:
        begin()
        if is_damaged:
            raise CorruptBatch
        return Rows()

    begin()
    sink._has_room.set()
    with monkeypatch.context() as patched:
        patched.setattr(sink._maker, "rows", rows_across_a_rebalance)
        await sink.take(RecordSet(*TRADES, b"", 10, 12))
    assert (app.paused, sink.position(TRADES)) == (set(), 10)
    await sink.take(RecordSet(*TRADES, b"", 10, 12))
    assert (sink.position(TRADES), app.crashes) == (12, [])


async def test_a_partition_that_retention_passed_is_left_alone_and_the_others_are_stored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app: Any = App()
    sink = SqlSink(app, Settings())
    sink._is_started = True
    monkeypatch.setattr("agents.sink.sink.migrate", lambda _settings: None)
    monkeypatch.setattr("agents.sink.sink.log_bounds", lambda *_: {TRADES: (20, 30), BARS: (0, 30)})
    monkeypatch.setattr("agents.sink.sink.epoch_of", lambda *_: "epoch")
    monkeypatch.setattr(sink._writer, "begin", lambda *_: ("epoch", 10))
    await sink.assigned({TRADES, BARS})
    assert (sink.position(TRADES), sink.position(BARS), left_alone()) == (None, 10, 1)
    assert sink._gathered.stored == {TRADES: 10, BARS: 10}
    assert f"{TRADES.topic} partition 0 is not stored: {TRADES.topic} begins at offset 20" in caplog.text
    await sink.revoked()


async def test_a_partition_that_is_stored_no_further_is_told_until_it_is_another_sinks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def damaged(*_: object) -> Rows:
        raise CorruptBatch("its length is wrong")

    app: Any = App()
    sink = SqlSink(app, Settings())
    sink._has_room.set()
    sink._gathered.begin(TRADES, Place("epoch", 10))
    monkeypatch.setattr(sink._maker, "rows", damaged)
    await sink.take(RecordSet(TRADES.topic, 0, b"", 10, 20))
    assert (sink.position(TRADES), left_alone()) == (None, 1)
    await sink.revoked()
    assert left_alone() is None


class Registry:
    """Stands where rows are made, and knows the schema of one topic; of the other's once it is back."""

    def __init__(self) -> None:
        self.is_back = False
        self.asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def rows(self, record_set: RecordSet, *_: object) -> Rows:
        if record_set.topic == TRADES.topic and not self.is_back:
            self._loop.call_soon_threadsafe(self.asked.set)
            raise RegistryAway("503")
        return Rows()


async def test_a_partition_whose_schema_is_not_told_now_holds_up_no_other_and_is_stored_in_order_once_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agents.sink.patience.FIRST_PAUSE_S", 0)
    app: Any = App()
    sink, registry = SqlSink(app, Settings()), Registry()
    sink._has_room.set()
    for tp in (TRADES, BARS):
        sink._gathered.begin(tp, Place("epoch", 10))
    monkeypatch.setattr(sink._maker, "rows", registry.rows)
    for record_set in (RecordSet(*TRADES, b"", 10, 12), RecordSet(*TRADES, b"", 12, 15), RecordSet(*BARS, b"", 10, 14)):
        await asyncio.wait_for(sink.take(record_set), WAIT_S)
    assert (sink.position(TRADES), sink.position(BARS)) == (10, 14)
    assert "test.trades partition 0 waits: 503" in caplog.text
    registry.is_back = True
    await asyncio.wait_for(asyncio.gather(*app.futures), WAIT_S)
    assert (sink.position(TRADES), app.crashes) == (15, [])


async def test_a_partition_that_is_damaged_behind_what_it_waited_for_is_fetched_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.sink.patience.FIRST_PAUSE_S", 0)
    monkeypatch.setattr("agents.held_partitions.MOST_KEPT", 1)
    app: Any = App()
    sink, registry = SqlSink(app, Settings()), Registry()
    sink._has_room.set()
    sink._gathered.begin(TRADES, Place("epoch", 10))

    def rows(record_set: RecordSet, *_: object) -> Rows:
        if record_set.start_offset == 12:
            raise CorruptBatch
        return registry.rows(record_set)

    monkeypatch.setattr(sink._maker, "rows", rows)
    for first, end in ((10, 12), (12, 15), (15, 16)):
        await sink.take(RecordSet(*TRADES, b"", first, end))
    registry.is_back = True
    await asyncio.wait_for(asyncio.gather(*app.futures), WAIT_S)
    assert (sink.position(TRADES), app.paused, app.crashes) == (None, {TRADES}, [])


async def test_a_partition_that_is_let_go_of_waits_for_no_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = App()
    sink, registry = SqlSink(app, Settings()), Registry()
    sink._has_room.set()
    sink._gathered.begin(TRADES, Place("epoch", 10))
    monkeypatch.setattr(sink._maker, "rows", registry.rows)
    await sink.take(RecordSet(*TRADES, b"", 10, 12))
    registry.asked.clear()
    await asyncio.wait_for(registry.asked.wait(), WAIT_S)
    await sink.revoked()
    await asyncio.wait_for(asyncio.gather(*app.futures), WAIT_S)
    assert (sink.position(TRADES), app.crashes) == (None, [])


async def test_a_set_whose_schema_was_asked_for_across_a_rebalance_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app: Any = App()
    sink = SqlSink(app, Settings())
    sink._has_room.set()
    sink._gathered.begin(TRADES, Place("epoch", 10))

    def away_across_a_rebalance(*_: object) -> Rows:
        sink._gathered.begin(TRADES, Place("epoch", 10))
        raise RegistryAway("503")

    monkeypatch.setattr(sink._maker, "rows", away_across_a_rebalance)
    await sink.take(RecordSet(*TRADES, b"", 10, 12))
    assert (app.futures, app.crashes) == ([], [])


async def test_a_sink_whose_first_start_a_rebalance_cancels_is_started_by_the_next_one_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asks, is_told = threading.Event(), threading.Event()
    running: list[str] = []
    served: list[int] = []

    def partitions_of(*_: object) -> None:
        asks.set()
        assert is_told.wait(WAIT_S)

    def add_future(work: Any) -> None:
        running.append(work.__qualname__)
        work.close()

    monkeypatch.setattr("agents.sink.sink.partitions_of", partitions_of)
    monkeypatch.setattr("agents.sink.sink.migrate", lambda _: None)
    monkeypatch.setattr("agents.sink.sink.log_bounds", lambda *_: {})
    monkeypatch.setattr("agents.sink.sink.serve_metrics", lambda _, port: served.append(port))
    app: Any = App()
    app.add_future, app.batch_topics = add_future, {TRADES.topic}
    sink = SqlSink(app, Settings(sink_metrics_port=9_999))
    first = asyncio.create_task(sink.assigned(set()))
    assert await asyncio.to_thread(asks.wait, WAIT_S)
    first.cancel()
    await asyncio.wait({first})
    is_told.set()
    for _ in range(2):
        await sink.assigned(set())
    await sink.revoked()
    assert (running, served) == (["LagWatch.run"], [9_999])
