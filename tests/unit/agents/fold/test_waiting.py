"""A partition of the fold that waits, for a schema or its log: others are folded, and it flushes what it has folded."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from agents.kernel import Flush, PartitionFold, WriterSchemas
from agents.transport import RecordSet
from agents.worker import build_worker
from app.settings import Settings
from tests.unit.agents.fold.test_partition import GUARD_S, Written, folding, within
from tests.unit.agents.kernel.partition_kit import (
    a_clock,
    a_trade,
    new_fold,
    new_schemas,
    records_in,
    records_of,
    schema_text,
    trade_value,
    wire,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch
from tests.unit.agents.kernel.test_corrections import NEW_ID, RULES, cancel

if TYPE_CHECKING:
    from agents.fold.partition import FoldingPartition
    from agents.fold.table import BarTable

WAITING, OTHER = 0, 1
TRADES = TP(Settings().topic("trades"), WAITING)
NEW_IDS = range(NEW_ID, NEW_ID + 3)


@pytest.fixture(params=[False, True])
def each_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Record sets as small as they are, and all taken for large ones."""
    if request.param:
        monkeypatch.setattr("agents.uninterrupted.THREAD_BYTES", 0)


class Registry:
    """Tells a schema once it is back; and a log that can be read again once its broker is."""

    def __init__(self, schemas: WriterSchemas, *log: RecordSet) -> None:
        self._schemas = schemas
        self._log = log
        self.is_back = asyncio.Event()
        self.asked: list[TP] = []
        self.has_log = asyncio.Event()
        self.has_log.set()
        self.left_unread = False

    async def learn(self, schema_id: int, tp: TP) -> None:
        self.asked.append(tp)
        await self.is_back.wait()
        self._schemas.add(schema_id, schema_text("trade"))

    async def reread(self, _: TP, fold: PartitionFold, lock: asyncio.Lock, *, first: int, end: int) -> int | None:
        try:
            await self.has_log.wait()
        except asyncio.CancelledError:
            self.left_unread = True
            raise
        for each in self._log:
            if first <= each.start_offset < end:
                async with lock:
                    unknown = fold.reread(each.data, [])
                if unknown is not None:
                    return unknown
        return None


class Folding:
    """The table of a worker that has two partitions, and no broker."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        app = build_worker(Settings())
        self._futures: list[asyncio.Task[None]] = []
        self.paused: set[TP] = set()
        consumer = SimpleNamespace(
            highwater=lambda _: None,
            assignment=lambda: {TRADES},
            pause_partitions=self.paused.update,
            resume_partitions=self.paused.difference_update,
        )
        monkeypatch.setattr(app, "consumer", consumer)
        monkeypatch.setattr(app, "add_future", lambda work: self._futures.append(asyncio.create_task(work)))
        monkeypatch.setattr(app, "crash", self._crash)
        self.table = cast("BarTable", app.tables["bars"])
        self.written = {number: Written() for number in (WAITING, OTHER)}
        self.crashes: list[BaseException] = []

    def have(self, number: int, fold: PartitionFold, registry: Registry, at: int = 0) -> "FoldingPartition":
        partition = self.table._partitions[number] = folding(fold, self.written[number], registry, at)
        partition.topic, partition.partition = TRADES.topic, number
        return partition

    async def take(self, record_set: RecordSet) -> None:
        """As the agent does, with no further event before what is folded in a thread is folded."""
        await within(self.table.fold(record_set))
        if folding := set(self.table._folding.values()):
            await within(asyncio.wait(folding))

    async def come_to_an_end(self) -> None:
        await within(asyncio.gather(*self._futures))

    async def _crash(self, error: BaseException) -> None:
        self.crashes.append(error)


def set_of(first: int, records: Sequence[KafkaRecord], number: int = WAITING) -> RecordSet:
    return RecordSet(TRADES.topic, number, record_batch(first, list(records)), first, first + len(records))


def of_new_schema(offset: int, seconds: float, schema_id: int = NEW_ID) -> KafkaRecord:
    return KafkaRecord(b"key", wire(schema_id, trade_value(a_trade(offset, seconds))[5:]))


def knowing_all() -> WriterSchemas:
    schemas = new_schemas()
    for schema_id in NEW_IDS:
        schemas.add(schema_id, schema_text("trade"))
    return schemas


def contents(flush: Flush) -> tuple[int, list[Any], list[Any]]:
    bars = [record for batches in (flush.bars, flush.bars_1s) for record in records_in(batches)]
    return flush.next_offset, bars, records_in(flush.changelog)


def folded_at_once(*sets: RecordSet, fold: PartitionFold | None = None) -> list[Any]:
    """What a fold that knows every schema flushes after each set."""
    fold = fold or new_fold(RULES, knowing_all())
    flushes = []
    for each in sets:
        fold.fold(each.data, [], each.start_offset)
        flushes.append(contents(fold.take_flush()))
    return flushes


@pytest.mark.usefixtures("each_size")
async def test_a_schema_that_is_not_told_now_holds_up_its_partition_alone_and_changes_nothing_of_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker, schemas = Folding(monkeypatch), new_schemas()
    registry = Registry(schemas)
    waiting, other = (worker.have(number, new_fold(RULES, schemas), registry) for number in (WAITING, OTHER))
    before = records_of([a_trade(0, 1), a_trade(1, 2)])
    behind = [of_new_schema(2, 3), *records_of([a_trade(3, 4), a_clock(4, 100)])]
    later = [of_new_schema(5, 101), *records_of([a_clock(6, 200)])]
    await worker.take(set_of(0, [*before, *behind]))
    await worker.take(set_of(5, later))
    await worker.take(set_of(0, records_of([a_trade(0, 1)]), OTHER))
    await within(waiting.flush())
    assert (waiting.flushed_offset, other.next_offset) == (2, 1)
    registry.is_back.set()
    await worker.come_to_an_end()
    await within(waiting.flush())
    assert [contents(flush) for flush in worker.written[WAITING].flushes] == folded_at_once(
        set_of(0, before), set_of(2, [*behind, *later])
    )
    assert (registry.asked, worker.crashes) == ([TRADES], [])


async def test_what_is_flushed_while_a_correction_waits_for_a_schema_of_its_stretch_changes_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = [set_of(offset, [of_new_schema(offset, 1 + offset, schema_id)]) for offset, schema_id in enumerate(NEW_IDS)]
    new = [set_of(3, records_of([a_trade(3, 5)])), set_of(4, records_of([cancel(4, "1"), a_clock(5, 100)]))]
    folded = new_fold(RULES, knowing_all())
    for each in old:
        folded.fold(each.data, [], each.start_offset)
    changelog = [KafkaRecord(key, value) for key, value in records_in(folded.take_flush().changelog)]

    def restored(schemas: WriterSchemas) -> PartitionFold:
        fold = new_fold(RULES, schemas)
        fold.restore(record_batch(0, changelog), [], 0)
        fold.restored()
        return fold

    worker, schemas = Folding(monkeypatch), new_schemas()
    registry = Registry(schemas, *old, new[0])
    waiting = worker.have(WAITING, restored(schemas), registry, at=3)
    await worker.take(set_of(3, records_of([a_trade(3, 5), cancel(4, "1"), a_clock(5, 100)])))
    await within(waiting.flush())
    assert waiting.flushed_offset == 4
    registry.is_back.set()
    await worker.come_to_an_end()
    await within(waiting.flush())

    knowing = restored(knowing_all())
    at_once = folded_at_once(new[0], fold=knowing)
    assert knowing.fold(new[1].data, [], 4).needs_history == 0
    for each in (*old, new[0]):
        knowing.reread(each.data, [])
    at_once += folded_at_once(new[1], fold=knowing)
    assert [contents(flush) for flush in worker.written[WAITING].flushes] == at_once
    assert worker.crashes == []


TRADED = records_of([a_trade(0, 1), a_trade(1, 2)])
CANCELLED = records_of([cancel(2, "0"), a_trade(3, 4), a_clock(4, 100)])


@pytest.mark.usefixtures("each_size")
async def test_a_log_that_cannot_be_read_again_now_holds_up_its_partition_alone_and_changes_nothing_of_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker, schemas = Folding(monkeypatch), new_schemas()
    log = Registry(schemas, set_of(0, TRADED))
    log.has_log.clear()
    waiting, other = (worker.have(number, new_fold(RULES, schemas), log) for number in (WAITING, OTHER))
    later = records_of([a_trade(5, 101), a_clock(6, 200)])
    await worker.take(set_of(0, [*TRADED, *CANCELLED]))
    await worker.take(set_of(5, later))
    await worker.take(set_of(0, TRADED, OTHER))
    await within(waiting.flush())
    assert (waiting.flushed_offset, other.next_offset) == (2, 2)
    log.has_log.set()
    await worker.come_to_an_end()
    await within(waiting.flush())

    knowing = new_fold(RULES, schemas)
    at_once = folded_at_once(set_of(0, TRADED), fold=knowing)
    behind = set_of(2, [*CANCELLED, *later])
    assert knowing.fold(behind.data, [], 2).needs_history == 0
    knowing.reread(set_of(0, TRADED).data, [])
    at_once += folded_at_once(behind, fold=knowing)
    assert [contents(flush) for flush in worker.written[WAITING].flushes] == at_once
    assert worker.crashes == []


async def test_a_partition_that_is_let_go_of_while_its_log_is_read_again_flushes_what_it_has_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker, schemas = Folding(monkeypatch), new_schemas()
    log = Registry(schemas, set_of(0, TRADED))
    log.has_log.clear()
    waiting = worker.have(WAITING, new_fold(RULES, schemas), log)
    waiting.start(GUARD_S, lambda _, error: worker.crashes.append(error))
    await worker.take(set_of(0, [*TRADED, *CANCELLED]))
    await within(worker.table.revoked())
    await worker.come_to_an_end()
    assert [flush.next_offset for flush in worker.written[WAITING].flushes] == [2]
    assert WAITING not in worker.table._states, "nobody knows what the kernel still waits for"
    assert (log.left_unread, worker.crashes) == (True, [])


async def test_a_log_that_is_refused_when_it_is_read_again_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, schemas = Folding(monkeypatch), new_schemas()
    log = Registry(schemas)

    async def refused(*_: object, **__: object) -> None:
        raise KafkaError

    monkeypatch.setattr(log, "reread", refused)
    worker.have(WAITING, new_fold(RULES, schemas), log)
    await worker.take(set_of(0, [*TRADED, *CANCELLED]))
    with pytest.raises(KafkaError):
        await worker.come_to_an_end()
    assert [type(error) for error in worker.crashes] == [KafkaError]


async def test_a_partition_that_is_let_go_of_waits_no_more_and_flushes_what_it_has_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker, schemas = Folding(monkeypatch), new_schemas()
    waiting = worker.have(WAITING, new_fold(RULES, schemas), Registry(schemas))
    waiting.start(GUARD_S, lambda _, error: worker.crashes.append(error))
    await worker.take(set_of(0, [*records_of([a_trade(0, 1)]), of_new_schema(1, 2)]))
    await within(worker.table.revoked())
    await worker.come_to_an_end()
    assert [flush.next_offset for flush in worker.written[WAITING].flushes] == [1]
    assert WAITING not in worker.table._states, "it is in the middle of a record set"
    back = worker.have(WAITING, new_fold(RULES, knowing_all()), Registry(schemas), at=1)
    await worker.take(set_of(1, [of_new_schema(1, 2)]))
    assert (back.next_offset, worker.crashes) == (2, [])


async def test_a_partition_that_is_damaged_behind_what_it_waited_for_is_fetched_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.held_partitions.MOST_KEPT", 1)
    worker, schemas = Folding(monkeypatch), new_schemas()
    registry = Registry(schemas)
    waiting = worker.have(WAITING, new_fold(RULES, schemas), registry)
    await worker.take(set_of(0, [of_new_schema(0, 1)]))
    await worker.take(RecordSet(*TRADES, bytes(100), 1, 1))
    await worker.take(set_of(2, records_of([a_trade(2, 2)])))
    registry.is_back.set()
    await worker.come_to_an_end()
    assert (waiting.next_offset, worker.paused, worker.crashes) == (1, {TRADES}, [])
    await worker.table.revoked()
    assert worker.paused == set()


async def test_a_partition_whose_flush_failed_begins_to_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, schemas = Folding(monkeypatch), new_schemas()
    registry = Registry(schemas)
    dropped = worker.have(WAITING, new_fold(RULES, schemas), registry)
    fold_once = dropped._fold_once

    async def fails_meanwhile(record_set: RecordSet) -> Any:
        outcome = await fold_once(record_set)
        dropped.drop()
        return outcome

    monkeypatch.setattr(dropped, "_fold_once", fails_meanwhile)
    await worker.take(set_of(0, [of_new_schema(0, 1)]))
    await worker.come_to_an_end()
    assert (registry.asked, worker.crashes) == ([], [])
