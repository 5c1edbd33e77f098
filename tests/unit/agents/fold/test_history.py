"""A correction reads the log again: records of schemas that the worker has not met are read once it knows these."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.fold.history import History
from agents.fold.partition import FoldingPartition
from agents.kernel import WriterSchemas
from agents.transport import RecordSet
from app.settings import Settings
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


class Log:
    """One partition of `trades` as its consumer gives it, a batch at a time."""

    def __init__(self, *batches: RecordSet) -> None:
        self._batches = batches
        self._position = 0

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def seek(self, _: TopicPartition, offset: int) -> None:
        self._position = offset

    async def position(self, _: TopicPartition) -> int:
        return self._position

    async def getmany(self, partition: TopicPartition, **_: int) -> dict[TopicPartition, list[SimpleNamespace]]:
        batch = next(batch for batch in self._batches if batch.next_offset > self._position)
        self._position = batch.next_offset
        return {partition: [SimpleNamespace(value=batch)]}


class Registry:
    """Knows one schema."""

    def __init__(self, schemas: WriterSchemas) -> None:
        self._schemas = schemas
        self.asked: list[int] = []

    async def learn(self, schema_id: int) -> None:
        self.asked.append(schema_id)
        self._schemas.add(schema_id, schema_text("trade"))


def record_set(offset: int, records: list[KafkaRecord]) -> RecordSet:
    return RecordSet(TRADES.topic, 0, record_batch(offset, records), offset, offset + len(records))


async def test_a_cancellation_after_a_restart_over_a_change_of_schema_leaves_the_bar_its_other_trades(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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

    @asynccontextmanager
    async def reader(*_: Any) -> AsyncIterator[tuple[Log, TopicPartition]]:
        yield Log(*old, new), TopicPartition(*TRADES)

    monkeypatch.setattr("agents.fold.history.partition_reader", reader)
    schemas = new_schemas()
    fold = new_fold(RULES, schemas)
    fold.restore(record_batch(0, changelog), [], 0)
    fold.restored()
    registry = Registry(schemas)
    recovered: Any = SimpleNamespace(
        next_offset=3, state=SimpleNamespace(fold=fold), aggregates=None, writer=None, history=History(Settings())
    )
    live: Any = SimpleNamespace(changed=lambda _: None)
    partition = FoldingPartition(TRADES, recovered, live, registry, asyncio.Lock())  # type: ignore[arg-type]
    await partition.fold(new, 5)

    assert registry.asked == [NEW_ID]
    (bar,) = [read_bar(key, value) for key, value in bars_in(fold.take_flush()) if b":1m:" in key]
    assert (bar.volume, bar.trade_count) == (Decimal(5), 2)
