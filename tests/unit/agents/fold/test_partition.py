"""A partition of the fold that is let go of, breaks, or has what belongs to another one."""

import asyncio
import threading
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from agents.aggregates import AggregateFailed, AggregateOutput
from agents.dead_letters import dead_letter
from agents.epoch import RecordsGone
from agents.fold import metrics
from agents.fold.flush import FlushWriter
from agents.fold.partition import FoldingPartition
from agents.fold.recovery import AggregateNotRestored, Recovered
from agents.fold.state import FoldState, Warmth
from agents.kernel import CorruptState, Flush, PackedBatch, read_records
from agents.log_errors import CorruptRecords, OffsetJump
from agents.transaction import Batches
from agents.transport import RecordSet
from agents.worker import build_worker
from app.partitions import partition_of
from app.settings import Settings
from app.units import SECOND_NS
from tests.unit.agents.kernel.bar_oracle import Event, Rules
from tests.unit.agents.kernel.partition_kit import a_trade, new_fold, records_of
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

if TYPE_CHECKING:
    from agents.fold.table import BarTable

GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""
TRADES = TP("trades", 0)
RULES = Rules((("1s", SECOND_NS),), 0, 0, 10 * SECOND_NS, SECOND_NS)


class Written:
    """Takes flushes as the writer of a partition does."""

    def __init__(self) -> None:
        self.flushes: list[Flush] = []

    async def write(self, flush: Flush, _aggregates: AggregateOutput | None) -> int:
        self.flushes.append(flush)
        return 0

    async def close(self) -> None:
        """Nothing is held."""


def state_of(fold: Any) -> "FoldState":
    """A state whose changelog is known."""
    return cast("FoldState", SimpleNamespace(fold=fold, misplaced_series=0, flushed=lambda *_: None))


def folding(fold: Any, written: Written, asked: Any = None, at: int = 0, aggregates: Any = ()) -> FoldingPartition:
    return going_on(state_of(fold), written, asked, at, aggregates=aggregates)


def going_on(
    state: "FoldState", written: Written, asked: Any = None, at: int = 0, *, partitions: int = 1, aggregates: Any = ()
) -> FoldingPartition:
    """A partition, of so many, that goes on at an offset; its forming bars are nobody's.

    `asked` stands where schemas are learnt, and where the log is read again.
    """
    recovered = Recovered(state, aggregates, cast("Any", written), asked, at, Warmth.COLD)
    live: Any = SimpleNamespace(close=lambda: None, changed=lambda _: None)
    return FoldingPartition(TRADES, recovered, live, asked, asyncio.Lock(), partitions=partitions)


def set_of(first: int, *records: KafkaRecord) -> RecordSet:
    return RecordSet(*TRADES, record_batch(first, list(records)), first, first + len(records))


def of_events(*events: Event) -> list[KafkaRecord]:
    return records_of(list(events))


async def within(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(GUARD_S):
        return await work


@pytest.mark.parametrize("start", [0, 5, 11])
async def test_a_set_that_begins_elsewhere_is_refused(start: int) -> None:
    partition = folding(new_fold(RULES), Written(), at=10)
    with pytest.raises(OffsetJump, match=f"expects offset 10, and the fetch begins at {start}: the log was cut"):
        await partition.fold(set_of(start, *of_events(a_trade(start, 0))), 20)


class Breaking:
    """A fold that fails with a record half folded."""

    def fold(self, *_: object) -> None:
        raise CorruptState("the ids of a trade would not fit")


async def test_nothing_of_a_record_that_was_folded_by_half_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    app = build_worker(Settings(namespace="test"))
    crashes: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashes.append(error)

    monkeypatch.setattr(app, "crash", crash)
    monkeypatch.setattr(app, "consumer", SimpleNamespace(highwater=lambda _: 1))
    table = cast("BarTable", app.tables["bars"])
    written = Written()
    partition = folding(Breaking(), written)
    partition.start(GUARD_S, lambda _, error: crashes.append(error))
    table._partitions[0] = partition
    with pytest.raises(CorruptState):
        await table.fold(set_of(0, *of_events(a_trade(0, 0))))
    assert await within(partition.close()) is None
    assert [type(error) for error in crashes] == [CorruptState]
    assert written.flushes == []


class Ending:
    """Aggregates that take the trades of one record set, and end in the middle of the next one's."""

    def __init__(self, error: type[BaseException]) -> None:
        self._errors = iter((None, error))

    def take(self, batches: Iterable[object]) -> None:
        for _ in batches:
            if error := next(self._errors):
                raise error

    def flush(self, _: Flush) -> AggregateOutput:
        return AggregateOutput()


@pytest.mark.parametrize("error", [ValueError, SystemExit, asyncio.CancelledError, KeyboardInterrupt])
async def test_no_trade_is_written_that_the_aggregates_did_not_take(error: type[BaseException]) -> None:
    written = Written()
    fold = new_fold(RULES)
    fold.hand_out_trades()
    partition = folding(fold, written, aggregates=Ending(error))
    partition.start(GUARD_S, lambda _, failure: pytest.fail(str(failure)))
    await partition.fold(set_of(0, *of_events(a_trade(0, 0))), 2)
    await partition.flush()
    with pytest.raises(error):
        await partition.fold(set_of(1, *of_events(a_trade(1, 0))), 2)
    await partition.flush()
    assert await within(partition.close()) is None
    assert [flush.next_offset for flush in written.flushes] == [1]


def left_alone() -> dict[int, float]:
    told = (
        (number, REGISTRY.get_sample_value("livetape_fold_left_alone", {"partition": str(number)})) for number in (0, 1)
    )
    return {number: value for number, value in told if value is not None}


class Damaged:
    """A fold that comes to a batch whose end nobody can tell."""

    def fold(self, *_: object) -> None:
        raise CorruptRecords("trades partition 0 offset 0: its length is wrong")


GONE = RecordsGone("partition 1 begins at offset 40", "test.trades", 29)
REFUSED = AggregateNotRestored(AggregateFailed("vwap", "its state cannot be restored", ValueError("too large")), 29)


@pytest.mark.parametrize("error", [GONE, REFUSED])
async def test_partitions_that_are_left_alone_are_told_until_they_are_another_workers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def gone(*_: object) -> None:
        raise error

    def nothing(*_: object) -> None:
        """Is fetched."""

    async def follow(_: set[int]) -> None:
        """Nothing."""

    app = build_worker(Settings(namespace="test"))
    consumer = SimpleNamespace(
        highwater=lambda _: 1, assignment=set, pause_partitions=nothing, resume_partitions=nothing
    )
    monkeypatch.setattr(app, "consumer", consumer)
    monkeypatch.setattr(app, "batch_standbys", set)
    monkeypatch.setattr("agents.fold.table.recover", gone)
    table = cast("BarTable", app.tables["bars"])
    table._setup = cast("Any", None)
    table._standbys = cast("Any", SimpleNamespace(follow=follow))
    await table.assigned({TP("test.trades", 1)})
    assert table._take_over is not None
    await within(table._take_over)
    damaged = folding(Damaged(), Written())
    table._partitions[0] = damaged
    assert left_alone() == {1: 1}
    assert table._next_offsets()[TP("test.trades", 1)] == 29
    assert str(error) in caplog.text
    await table.fold(set_of(0, *of_events(a_trade(0, 0))))
    assert left_alone() == {0: 1, 1: 1}
    await table.revoked()
    assert left_alone() == {}


class KeptWriter(FlushWriter):
    """Writes to no broker: what would be on the topics is kept."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(cast("Any", SimpleNamespace(settings=settings, aggregates=())), TRADES.partition)
        self.outputs: list[Batches] = []

    def _new_producer(self) -> None:
        """Nothing is sent."""

    async def write_batches(self, outputs: Batches, state: Batches) -> dict[str, int | None]:
        self.outputs.append(outputs)
        return dict.fromkeys(state)

    async def close(self) -> None:
        """Nothing is held."""


def letters_of(batches: Iterable[PackedBatch]) -> list[tuple[Any, Any, dict[str, bytes | None]]]:
    """Key, value and headers of each record."""
    read = [read_records(batch.stamped(0)) for batch in batches]
    return [(record.key, record.value, dict(record.headers)) for records, _ in read for record in records]


STORM = 10_000
HEADERLESS = "the value has no wire header"


def counted() -> float:
    return REGISTRY.get_sample_value("livetape_fold_dead_letters_total", {"reason": HEADERLESS}) or 0.0


async def test_a_storm_of_dead_letters_is_written_and_counted_whole_and_told_in_few_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    packing = set()

    def seen(*args: Any, **options: Any) -> Any:
        packing.add(threading.get_ident())
        return dead_letter(*args, **options)

    monkeypatch.setattr("agents.dead_letters.dead_letter", seen)
    writer = KeptWriter(Settings(namespace="test"))
    partition = folding(new_fold(RULES), cast("Any", writer))
    garbage = [KafkaRecord(b"binance:BTC-USDT", b"no Avro: %d" % number) for number in range(STORM)]
    before = counted()
    await partition.fold(set_of(0, *garbage), STORM)
    await partition.flush()
    (outputs,) = writer.outputs
    assert letters_of(outputs["trades.dead"]) == [
        (
            record.key,
            record.value,
            {"topic": b"test.trades", "partition": b"0", "offset": b"%d" % offset, "reason": HEADERLESS.encode()},
        )
        for offset, record in enumerate(garbage)
    ]
    assert counted() - before == STORM
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"trades partition 0: {STORM} in one flush, the first of them at offset 0: {HEADERLESS}" in line
    assert threading.get_ident() not in packing, "other partitions, and heartbeats, have the event loop meanwhile"


PARTITIONS = 4
NAMES = [f"I{number}-USD" for number in range(8)]
AWAY = [name for name in NAMES if partition_of(f"binance:{name}".encode(), PARTITIONS) != TRADES.partition]


def a_trade_of_each(first: int) -> list[Event]:
    return [replace(a_trade(offset, 0), instrument=name) for offset, name in enumerate(NAMES, first)]


def misplaced() -> float | None:
    return REGISTRY.get_sample_value("livetape_fold_misplaced_series", {"partition": "0"})


async def test_instruments_that_belong_to_another_partition_are_told_once_and_shown_as_long_as_it_is_had(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert 3 < len(AWAY) < len(NAMES), "some of either kind, and more than are named"
    written = Written()
    state = state_of(new_fold(RULES))
    begun = going_on(state, written, partitions=PARTITIONS)
    await begun.fold(set_of(0, *of_events(*a_trade_of_each(0))), 8)
    await begun.fold(set_of(8, *of_events(*a_trade_of_each(8))), 16)
    assert misplaced() == len(AWAY)
    (told,) = [record.getMessage() for record in caplog.records]
    assert f"trades partition 0 has trades of {len(AWAY)} instruments that belong to other partitions" in told
    named = [f"binance:{name} (partition {partition_of(f'binance:{name}'.encode(), PARTITIONS)})" for name in AWAY]
    assert told.endswith(": " + ", ".join(named[:3]) + ", …")
    metrics.MISPLACED_SERIES.clear()
    back = going_on(state, written, at=16, partitions=PARTITIONS)
    back.start(GUARD_S, lambda _, error: pytest.fail(str(error)))
    assert misplaced() == len(AWAY), "they are still here"
    await back.fold(set_of(16, *of_events(*a_trade_of_each(16))), 24)
    await within(back.close())
    assert (misplaced(), len(caplog.records)) == (len(AWAY), 1)
    metrics.MISPLACED_SERIES.clear()
