"""A partition of the join whose quotes end, or whose clocks stand still: a venue is away, or a log is damaged."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from agents.epoch import RecordsGone
from agents.join.partition import JoiningPartition, Side
from agents.join.recovery import JoinSetup, RecoveredJoin
from agents.kernel import JoinFlush, JoinOutcome, QuoteJoin, WriterSchemas
from agents.log_errors import CorruptRecords
from agents.quote_join import build_join
from agents.transport import RecordSet
from app.settings import Settings
from tests.unit.agents.kernel.bar_oracle import Clock
from tests.unit.agents.kernel.join_kit import batches_of, new_join, read_joined
from tests.unit.agents.kernel.join_oracle import Fields, Log
from tests.unit.agents.kernel.partition_kit import NOON, new_schemas, records_in, wire
from tests.unit.agents.kernel.record_sets import NONE, KafkaRecord, record_batch
from tests.unit.agents.kernel.test_join_by_hand import APPENDED_MS, MINUTE_MS, RULES, clock, quote, tick

if TYPE_CHECKING:
    from agents.join.table import JoinTable

WAIT_S = 20
FORMAT_AT = 16  # bytes into a batch


class Written:
    """Takes flushes as the writer of a partition does."""

    def __init__(self) -> None:
        self.joined: list[Fields] = []
        self.is_any = asyncio.Event()

    async def write(self, flush: JoinFlush) -> None:
        self.joined += [read_joined(key, value) for key, value in records_in(flush.joined)]
        if self.joined:
            self.is_any.set()

    async def close(self) -> None:
        pass


def joining(settings: Settings, join: QuoteJoin, written: Any) -> JoiningPartition:
    config: Any = None
    setup = JoinSetup(settings, config, WriterSchemas(), WriterSchemas(), 0)
    return JoiningPartition(setup, 0, RecoveredJoin(join, written, 0, 0))


async def test_a_trade_that_waits_for_quotes_of_a_venue_that_is_gone_is_published_once_their_log_is_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings()
    asked: list[TP] = []

    def bounds(_: Settings, partitions: Collection[TP]) -> dict[TP, tuple[int, int]]:
        asked.extend(partitions)
        return dict.fromkeys(partitions, (0, 1))

    monkeypatch.setattr("agents.join.partition.log_bounds", bounds)
    written = Written()
    partition = joining(settings, new_join(RULES), written)
    trades = Log([tick(0, 10), clock(1, 100)], [APPENDED_MS, APPENDED_MS + 31 * MINUTE_MS])
    quotes = Log([quote(0, 9)], [APPENDED_MS])
    for log, side in ((trades, partition.trades), (quotes, partition.quotes)):
        count = len(log.events)
        await partition.take(RecordSet(side.tp.topic, 0, batches_of(log, 0, count, NONE), 0, count))
    failures: list[Exception] = []
    partition.start(0.01, lambda _, error: failures.append(error))
    await asyncio.wait_for(written.is_any.wait(), WAIT_S)
    await partition.close()
    assert [(fields["match"], fields["seq"]) for fields in written.joined] == [("quoted", 0)]
    assert (asked, failures) == ([partition.quotes.tp], [])


async def test_when_more_trades_wait_than_are_fetched_their_log_tells_when_quotes_are_waited_for_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.join.partition.MOST_WAITING", 1)
    monkeypatch.setattr("agents.join.partition.appended_until", lambda *_: APPENDED_MS + 31 * MINUTE_MS)
    monkeypatch.setattr("agents.join.partition.log_bounds", lambda _, asked: dict.fromkeys(asked, (0, 1)))
    written = Written()
    partition = joining(Settings(), new_join(RULES), written)
    trades = Log([tick(0, 10), tick(1, 11), clock(2, 100)], [APPENDED_MS] * 3)
    quotes = Log([quote(0, 9)], [APPENDED_MS])
    for log, side in ((trades, partition.trades), (quotes, partition.quotes)):
        count = len(log.events)
        await partition.take(RecordSet(side.tp.topic, 0, batches_of(log, 0, count, NONE), 0, count))
    assert partition.paused(set()) == {partition.trades.tp}
    failures: list[Exception] = []
    partition.start(0.01, lambda _, error: failures.append(error))
    await asyncio.wait_for(written.is_any.wait(), WAIT_S)
    await partition.close()
    assert [(fields["match"], fields["trade_id"]) for fields in written.joined] == [("quoted", "0"), ("quoted", "1")]
    assert (partition.paused(set()), failures) == (set(), [])


async def test_while_the_clocks_stand_still_quotes_are_fetched_again_once_only_their_log_does_not_decide_a_trade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.join.partition.MOST_QUOTES", 1)
    written = Written()
    partition = joining(Settings(), new_join(RULES), written)
    later = Clock(2, "kraken", NOON)
    times = [APPENDED_MS, APPENDED_MS, APPENDED_MS + 16 * MINUTE_MS]
    trades = Log([clock(0, 5), tick(1, 10), later], times)
    quotes = Log([clock(0, 5), quote(1, 8), quote(2, 9), replace(later, offset=3)], [APPENDED_MS, *times])

    async def take(side: Side, log: Log, first: int, count: int) -> None:
        taken = batches_of(log, first, count, NONE)
        await partition.take(RecordSet(side.tp.topic, 0, taken, side.next_offset, side.next_offset + count))

    await take(partition.trades, trades, 0, 2)
    await take(partition.quotes, quotes, 0, 3)
    assert partition.paused(set()) == {partition.quotes.tp}, (
        "the trades' log has not gone on by as much as a clock is waited for"
    )
    await take(partition.trades, trades, 2, 1)
    assert partition.paused(set()) == set()
    assert partition.paused({partition.trades.tp}) == {partition.quotes.tp}, "no number of quotes may decide its trades"
    await take(partition.quotes, quotes, 3, 1)
    await partition.flush()
    assert [(fields["match"], fields["quote_offset"]) for fields in written.joined] == [("quoted", 2)]
    assert partition.paused(set()) == {partition.quotes.tp}


async def test_what_came_before_a_damaged_batch_is_written_and_nothing_behind_it_is_taken() -> None:
    written = Written()
    partition = joining(Settings(), new_join(RULES), written)
    trades = Log([tick(0, 10), clock(1, 100), tick(2, 101)], [APPENDED_MS] * 3)
    quotes = Log([quote(0, 9), clock(1, 100), quote(2, 101)], [APPENDED_MS] * 3)
    await partition.take(RecordSet(partition.trades.tp.topic, 0, batches_of(trades, 0, 2, NONE), 0, 2))
    whole, last = batches_of(quotes, 0, 2, NONE), batches_of(quotes, 2, 1, NONE)
    of_an_old_format = last[:FORMAT_AT] + b"\1" + last[FORMAT_AT + 1 :]
    failures: list[Exception] = []
    partition.start(WAIT_S, lambda _, error: failures.append(error))
    with pytest.raises(CorruptRecords, match="offset 2: "):
        await partition.take(RecordSet(partition.quotes.tp.topic, 0, whole + of_an_old_format, 0, 3))
    await partition.close()
    await partition.take(RecordSet(partition.quotes.tp.topic, 0, last, 3, 4))
    await partition.take(RecordSet(partition.trades.tp.topic, 0, batches_of(trades, 2, 1, NONE), 2, 3))
    assert [(fields["match"], fields["seq"]) for fields in written.joined] == [("quoted", 0)]
    assert (partition.trades.next_offset, partition.quotes.flushed_offset, failures) == (2, 2, [])


class JoinWorker:
    """The join's table with no broker, and a registry that does not tell a schema yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        app = build_join(Settings())
        self.crashes: list[BaseException] = []
        self.paused: set[TP] = set()
        self._futures: list[asyncio.Task[None]] = []
        consumer = SimpleNamespace(
            assignment=lambda: {TP(Settings().topic(name), 0) for name in ("trades", "quotes")},
            pause_partitions=self.paused.update,
            resume_partitions=self.paused.difference_update,
        )
        monkeypatch.setattr(app, "consumer", consumer)
        monkeypatch.setattr(app, "add_future", lambda work: self._futures.append(asyncio.create_task(work)))
        self.table = cast("JoinTable", app.tables["quotes"])
        self.written = Written()
        self.schemas = new_schemas()
        self.is_told = asyncio.Event()
        self.asked: list[tuple[int, TP]] = []
        self.partition = self.table._partitions[0] = joining(Settings(), new_join(RULES, self.schemas), self.written)
        self.partition.trades.schemas = cast("Any", SimpleNamespace(learn=self._learn))

    async def take(self, side: Side, data: bytes, first: int, count: int) -> None:
        await asyncio.wait_for(self.table.take(RecordSet(*side.tp, data, first, first + count)), WAIT_S)

    async def take_ahead_and_hold(self) -> None:
        """Take two trades that wait for quotes; then hold one of a schema that is not told, and one behind it."""
        side = self.partition.trades
        log = Log([tick(0, 10), tick(1, 11), clock(2, 100), tick(4, 101)], [APPENDED_MS] * 5)
        await self.take(side, batches_of(log, 0, 3, NONE), 0, 3)
        await self.take(side, record_batch(3, [FOREIGN]), 3, 1)
        await self.take(side, batches_of(log, 3, 1, NONE), 4, 1)

    async def come_to_an_end(self) -> None:
        await asyncio.wait_for(asyncio.gather(*self._futures), WAIT_S)

    async def _learn(self, schema_id: int, tp: TP) -> None:
        self.asked.append((schema_id, tp))
        await self.is_told.wait()
        self.schemas.refuse(schema_id, "unknown")


FOREIGN = KafkaRecord(b"binance:BTC-USDT", wire(999, b""))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> JoinWorker:
    return JoinWorker(monkeypatch)


@pytest.fixture
def little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetching stops soon: at a second record set that is held, and at a second trade that waits for quotes."""
    monkeypatch.setattr("agents.held_partitions.MOST_KEPT", 1)
    monkeypatch.setattr("agents.join.partition.MOST_WAITING", 1)


async def test_a_log_that_waits_for_a_schema_holds_up_no_other_one_and_what_was_joined_is_written(
    worker: JoinWorker,
) -> None:
    partition, written = worker.partition, worker.written
    trades = Log([tick(0, 10), clock(1, 20), tick(3, 30), clock(4, 100)], [APPENDED_MS] * 5)
    quotes = Log([quote(0, 9), clock(1, 100)], [APPENDED_MS] * 2)
    await worker.take(partition.trades, batches_of(trades, 0, 2, NONE) + record_batch(2, [FOREIGN]), 0, 3)
    await worker.take(partition.trades, batches_of(trades, 2, 2, NONE), 3, 2)
    await worker.take(partition.quotes, batches_of(quotes, 0, 2, NONE), 0, 2)
    await asyncio.wait_for(partition.flush(), WAIT_S)
    assert [fields["seq"] for fields in written.joined] == [0]
    assert (partition.trades.flushed_offset, partition.quotes.flushed_offset) == (2, 2)
    worker.is_told.set()
    await worker.come_to_an_end()
    await partition.flush()
    assert [fields["seq"] for fields in written.joined] == [0, 3]
    assert worker.asked == [(999, partition.trades.tp)]


@pytest.mark.usefixtures("little_is_kept")
async def test_a_log_that_waits_for_a_schema_is_fetched_again_once_it_is_told_unless_it_is_ahead_of_the_other(
    worker: JoinWorker,
) -> None:
    trades = worker.partition.trades
    log = Log([tick(1, 10), tick(2, 11), clock(3, 100)], [APPENDED_MS] * 4)
    await worker.take(trades, record_batch(0, [FOREIGN]), 0, 1)
    await worker.take(trades, batches_of(log, 0, 1, NONE), 1, 1)
    worker.table._pace(worker.partition)
    assert worker.paused == {trades.tp}
    worker.is_told.set()
    await worker.come_to_an_end()
    worker.table._pace(worker.partition)
    assert worker.paused == set()
    await worker.take(trades, batches_of(log, 1, 2, NONE), 2, 2)
    assert worker.paused == {trades.tp}, "two trades wait for quotes"


@pytest.mark.usefixtures("little_is_kept")
async def test_a_log_that_waits_for_a_schema_while_it_is_ahead_of_the_other_is_fetched_no_sooner(
    worker: JoinWorker,
) -> None:
    await worker.take_ahead_and_hold()
    worker.is_told.set()
    await worker.come_to_an_end()
    worker.table._pace(worker.partition)
    assert worker.paused == {worker.partition.trades.tp}


@pytest.mark.usefixtures("little_is_kept")
async def test_a_log_that_waits_for_a_schema_is_not_fetched_again_because_the_other_one_caught_up(
    worker: JoinWorker,
) -> None:
    partition = worker.partition
    quotes = Log([quote(0, 9), clock(1, 100)], [APPENDED_MS] * 2)
    await worker.take_ahead_and_hold()
    await worker.take(partition.quotes, batches_of(quotes, 0, 2, NONE), 0, 2)
    assert (partition.paused(set()), worker.paused) == (set(), {partition.trades.tp})
    worker.is_told.set()
    await worker.come_to_an_end()
    assert worker.paused == set()


async def test_a_log_that_is_damaged_behind_what_it_waited_for_is_fetched_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agents.held_partitions.MOST_KEPT", 1)
    worker = JoinWorker(monkeypatch)
    trades, both = worker.partition.trades, {worker.partition.trades.tp, worker.partition.quotes.tp}
    await worker.take(trades, record_batch(0, [FOREIGN]), 0, 1)
    await worker.take(trades, bytes(100), 1, 0)
    await worker.take(trades, batches_of(Log([tick(1, 10)], []), 0, 1, NONE), 1, 1)
    worker.is_told.set()
    await worker.come_to_an_end()
    assert (trades.next_offset, worker.paused) == (1, both)


async def test_one_whose_flush_failed_begins_to_wait_for_nothing(worker: JoinWorker) -> None:
    take = worker.partition.trades.take

    def fails_meanwhile(*arguments: Any) -> JoinOutcome:
        worker.partition.drop()
        return take(*arguments)

    worker.partition.trades.take = fails_meanwhile
    await worker.take(worker.partition.trades, record_batch(0, [FOREIGN]), 0, 1)
    await worker.come_to_an_end()
    assert worker.asked == []


async def test_one_that_is_let_go_of_waits_for_no_schema_and_writes_what_it_has_joined(
    worker: JoinWorker,
) -> None:
    partition = worker.partition
    trades = Log([tick(0, 10), clock(1, 100)], [APPENDED_MS] * 2)
    quotes = Log([quote(0, 9), clock(1, 100)], [APPENDED_MS] * 2)
    await worker.take(partition.quotes, batches_of(quotes, 0, 2, NONE), 0, 2)
    partition.start(WAIT_S, lambda _, error: worker.crashes.append(error))
    await worker.take(partition.trades, batches_of(trades, 0, 2, NONE) + record_batch(2, [FOREIGN]), 0, 3)
    await asyncio.wait_for(worker.table.revoked(), WAIT_S)
    await worker.come_to_an_end()
    assert [(fields["match"], fields["seq"]) for fields in worker.written.joined] == [("quoted", 0)]
    assert (partition.trades.flushed_offset, worker.crashes) == (2, [])


async def test_nothing_of_a_record_that_was_taken_by_half_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    app = build_join(Settings())
    crashes: list[BaseException] = []

    async def crash(error: BaseException) -> None:
        crashes.append(error)

    def break_down(*_: object) -> JoinOutcome:
        raise ArithmeticError

    monkeypatch.setattr(app, "crash", crash)
    table = cast("JoinTable", app.tables["quotes"])
    written = Written()
    partition = table._partitions[0] = joining(Settings(), new_join(RULES), written)
    trades = Log([tick(0, 10), clock(1, 100)], [APPENDED_MS] * 2)
    quotes = Log([quote(0, 9), clock(1, 100)], [APPENDED_MS] * 2)
    for log, side in ((quotes, partition.quotes), (trades, partition.trades)):
        await partition.take(RecordSet(side.tp.topic, 0, batches_of(log, 0, 2, NONE), 0, 2))
    partition.start(WAIT_S, lambda _, error: crashes.append(error))
    partition.trades.take = break_down
    with pytest.raises(ArithmeticError):
        await table.take(RecordSet(partition.trades.tp.topic, 0, b"", 2, 3))
    await asyncio.wait_for(partition.close(), WAIT_S)
    assert ([type(error) for error in crashes], written.joined) == ([ArithmeticError], [])


async def test_a_partition_that_retention_passed_is_left_alone_and_the_others_are_joined(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings()
    gone, other = (TP(settings.topic("trades"), number) for number in (0, 1))

    async def recover(_: JoinSetup, number: int) -> RecoveredJoin:
        if number == gone.partition:
            raise RecordsGone("its records are gone", gone.topic, 7)
        return RecoveredJoin(new_join(RULES), cast("Any", Written()), 3, 0)

    monkeypatch.setattr("agents.join.table.recover_join", recover)
    app = build_join(settings)
    app.consumer = cast("Any", SimpleNamespace(assignment=set, resume_partitions=lambda _: None))
    table = cast("JoinTable", app.tables["quotes"])
    table._setup = JoinSetup(settings, cast("Any", None), WriterSchemas(), WriterSchemas(), 0)
    await table.assigned({gone, other})
    assert (table.position(gone), table.position(other)) == (None, 3)
    assert table._next_offsets()[gone] == 7
    assert "partition 0 is not joined: its records are gone" in caplog.text
    await table.revoked()


async def test_a_quote_that_cannot_be_read_is_counted_as_the_joins_dead_letter_and_not_as_the_folds() -> None:
    partition = joining(Settings(), new_join(RULES), Written())
    garbage = record_batch(0, [KafkaRecord(b"binance:BTC-USDT", b"hello")])
    await partition.take(RecordSet(partition.quotes.tp.topic, 0, garbage, 0, 1))
    before = dead_letters()
    await partition.flush()
    assert dead_letters() == (before[0] + 1, before[1])


def dead_letters() -> tuple[float, float]:
    """How many the join has counted, and the fold."""
    reason = {"reason": "the value has no wire header"}
    join, fold = (REGISTRY.get_sample_value(f"livetape_{name}_dead_letters_total", reason) for name in ("join", "fold"))
    return join or 0.0, fold or 0.0
