"""A correction reads the log again: by schemas that the worker has not met, and where the log was damaged or cut."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.fold.history import History
from agents.fold.partition import FoldingPartition
from agents.held_partitions import MustWait
from agents.kernel import Flush, WriterSchemas, end_of
from agents.transport import RecordSet
from app.settings import Settings
from tests.integration.broker_files import LAST_OFFSET_DELTA_AT
from tests.unit.agents.kernel.bar_oracle import Published
from tests.unit.agents.kernel.partition_kit import (
    a_clock,
    a_trade,
    bars_in,
    new_fold,
    new_schemas,
    read_bar,
    records_in,
    records_of,
    schema_text,
    trade_value,
    wire,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch
from tests.unit.agents.kernel.test_corrections import NEW_ID, RULES, cancel

TRADES = TP("demo.trades", 0)
GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""


class Log:
    """One partition of `trades` as its consumer gives it, a batch at a time."""

    def __init__(
        self,
        *batches: RecordSet,
        loses: int | None = None,
        begins_then: int = 0,
        first_answer: KafkaError | None = None,
    ) -> None:
        """`loses` is an offset that it lacks once it is asked for it: then it begins at another one."""
        self._batches = batches
        self._position = 0
        self._loses = loses
        self._begins_then = begins_then
        self._begins = 0
        self._first_answer = first_answer

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self._first_answer is not None:
            raise self._first_answer
        return dict.fromkeys(partitions, self._begins)

    def seek(self, _: TopicPartition, offset: int) -> None:
        self._position = offset

    async def position(self, _: TopicPartition) -> int:
        return self._position

    async def getmany(self, partition: TopicPartition, **_: int) -> dict[TopicPartition, list[SimpleNamespace]]:
        if self._position == self._loses:
            self._begins = self._begins_then
            raise OffsetOutOfRangeError({partition: self._position})
        batch = next(batch for batch in self._batches if batch.start_offset >= self._position)
        self._position = batch.next_offset
        return {partition: [SimpleNamespace(value=batch)]}


class Registry:
    """Knows one schema."""

    def __init__(self, schemas: WriterSchemas) -> None:
        self._schemas = schemas
        self.asked: list[int] = []

    async def learn(self, schema_id: int, _: TP) -> None:
        self.asked.append(schema_id)
        self._schemas.add(schema_id, schema_text("trade"))


def record_set(offset: int, records: list[KafkaRecord]) -> RecordSet:
    return RecordSet(TRADES.topic, 0, record_batch(offset, records), offset, offset + len(records))


def rotten(sound: RecordSet) -> RecordSet:
    """The same after a bit of its length in offsets has turned."""
    data = bytearray(sound.data)
    data[LAST_OFFSET_DELTA_AT] ^= 1
    return RecordSet(TRADES.topic, 0, bytes(data), sound.start_offset, end_of(bytes(data), sound.start_offset))


async def cancelled_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
    *,
    rotten_at: int | None = None,
    loses: int | None = None,
    begins_then: int = 0,
    first_answers: Sequence[KafkaError] = (),
) -> tuple[Registry, Flush]:
    """Three trades, of another schema, are folded; a worker that has their bar alone then takes a cancellation."""
    values = [
        wire(NEW_ID, trade_value(a_trade(offset, 1 + offset / 8, size=str(2**offset)))[5:]) for offset in range(3)
    ]
    old = [record_set(offset, [KafkaRecord(b"key", value)]) for offset, value in enumerate(values)]
    new = record_set(3, records_of([cancel(3, "1"), a_clock(4, 100)]))
    both = new_schemas()
    both.add(NEW_ID, schema_text("trade"))
    before = new_fold(RULES, both)
    for batch in old:
        before.fold(batch.data, [], batch.start_offset)
    changelog = [KafkaRecord(key, value) for key, value in records_in(before.take_flush().changelog)]
    log = [rotten(batch) if batch.start_offset == rotten_at else batch for batch in old]

    answers = iter(first_answers)

    @asynccontextmanager
    async def reader(*_: Any) -> AsyncIterator[tuple[Log, TopicPartition]]:
        answer = next(answers, None)
        yield Log(*log, new, loses=loses, begins_then=begins_then, first_answer=answer), TopicPartition(*TRADES)

    monkeypatch.setattr("agents.fold.history.partition_reader", reader)
    schemas = new_schemas()
    fold = new_fold(RULES, schemas)
    fold.restore(record_batch(0, changelog), [], 0)
    fold.restored()
    registry = Registry(schemas)
    recovered: Any = SimpleNamespace(
        next_offset=3,
        state=SimpleNamespace(fold=fold, misplaced_series=0),
        aggregates=None,
        writer=None,
        history=History(Settings()),
    )
    live: Any = SimpleNamespace(changed=lambda _: None)
    partition = FoldingPartition(TRADES, recovered, live, registry, asyncio.Lock(), partitions=1)  # type: ignore[arg-type]  # a stand-in
    async with asyncio.timeout(GUARD_S):
        try:
            await partition.fold(new, 5)
        except MustWait as wait:
            await wait.until(wait.rest)
            await partition.fold(wait.rest, 5)
    return registry, fold.take_flush()


def minute_of(flush: Flush) -> Published:
    (bar,) = [read_bar(key, value) for key, value in bars_in(flush) if b":1m:" in key]
    return bar


async def test_a_cancellation_after_a_restart_over_a_change_of_schema_leaves_the_bar_its_other_trades(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry, flush = await cancelled_after_a_restart(monkeypatch)
    assert registry.asked == [NEW_ID]
    bar = minute_of(flush)
    assert (bar.volume, bar.trade_count) == (Decimal(5), 2)


async def test_a_correction_waits_for_a_broker_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.fold.history.AGAIN_S", 0)
    away = (KafkaConnectionError("no broker"), KafkaTimeoutError("no answer"))
    _, flush = await cancelled_after_a_restart(monkeypatch, first_answers=away)
    bar = minute_of(flush)
    assert (bar.volume, bar.trade_count) == (Decimal(5), 2)


def assert_refused_as_gone(flush: Flush) -> None:
    """The correction is a dead letter, and the bar has its three trades."""
    assert [(offset, reason) for _, _, offset, reason in flush.dead] == [
        (3, "the log no longer has the trades of its bar")
    ]
    bar = minute_of(flush)
    assert (bar.volume, bar.trade_count) == (Decimal(7), 3)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "agents.fold.history"]


@pytest.mark.parametrize("rotten_at", [0, 2])
async def test_a_batch_that_rotted_and_does_not_tell_its_end_is_gone_history(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rotten_at: int
) -> None:
    _, flush = await cancelled_after_a_restart(monkeypatch, rotten_at=rotten_at)
    assert_refused_as_gone(flush)
    (warning,) = told(caplog)
    assert warning == (
        "demo.trades partition 0: a correction needs offsets 0 to 2: "
        f"offset {rotten_at}: the batch there is damaged, and does not tell its end"
    )


@pytest.mark.parametrize("loses", [0, 1])
async def test_what_retention_takes_while_it_is_read_again_is_gone_history(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, loses: int
) -> None:
    _, flush = await cancelled_after_a_restart(monkeypatch, loses=loses, begins_then=2)
    assert_refused_as_gone(flush)
    assert told(caplog) == ["demo.trades partition 0: a correction needs offset 0, the log begins at 2"]


async def test_a_log_that_loses_its_end_while_it_is_read_again_is_no_gone_history(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(OffsetOutOfRangeError):
        await cancelled_after_a_restart(monkeypatch, loses=1)
