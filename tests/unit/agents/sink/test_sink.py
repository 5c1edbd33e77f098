"""What the sink does where the database is not where it left it."""

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
from app.settings import Settings

TRADES = TP("test.trades", 0)
BARS = TP("test.bars", 0)


class App:
    """What the sink asks of Faust's app."""

    def __init__(self) -> None:
        self.on_before_shutdown = SimpleNamespace(connect=lambda _hears: None)
        self.committed: list[Mapping[TP, int]] = []
        self.crashes: list[Exception] = []
        self.rejoined = 0
        self.paused: set[TP] = set()
        self.consumer = SimpleNamespace(assignment=lambda: {TRADES}, pause_partitions=self.paused.update)

    def read_batches_from(self, source: object) -> None:
        pass

    async def commit_batches(self, offsets: Mapping[TP, int]) -> None:
        self.committed.append(offsets)

    async def rejoin(self) -> None:
        self.rejoined += 1

    async def crash(self, error: Exception) -> None:
        self.crashes.append(error)


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
