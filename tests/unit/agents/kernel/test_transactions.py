"""What was written in transactions: committed trades count, aborted ones and control records never."""

from collections.abc import Sequence

import pytest

from agents.kernel import FoldOutcome, PartitionFold
from app.units import MINUTE_NS, SECOND_NS
from tests.unit.agents.kernel.bar_oracle import Event, Rules, Tape, Trade
from tests.unit.agents.kernel.partition_kit import a_clock, a_trade, bars_in, new_fold, read_bar, records_in, records_of
from tests.unit.agents.kernel.record_sets import (
    ABORT,
    COMMIT,
    CONTROL,
    LZ4,
    TRANSACTIONAL,
    KafkaRecord,
    end_of_transaction,
    record_batch,
)

RULES = Rules((("1s", SECOND_NS), ("1m", MINUTE_NS)), 0, 0, 10 * SECOND_NS, SECOND_NS)
CLOCK_OFFSET = 20
WRITER, OTHER = 7, 8


def trades(producer_id: int, *offsets: int, codec: int = LZ4) -> bytes:
    """A batch of a transaction."""
    records = records_of([a_trade(offset, offset) for offset in offsets])
    return record_batch(offsets[0], records, codec=codec, flags=TRANSACTIONAL, producer_id=producer_id)


def fold_all(*batches: bytes, aborted: Sequence[tuple[int, int]]) -> tuple[PartitionFold, FoldOutcome]:
    """The fold after all of these and a clock that ends every bar."""
    fold = new_fold(RULES)
    clock = record_batch(CLOCK_OFFSET, records_of([a_clock(CLOCK_OFFSET, 1_000)]))
    outcome = fold.fold(b"".join(batches) + clock, aborted, 0)
    assert (outcome.corrupt, outcome.next_offset) == ("", CLOCK_OFFSET + 1)
    return fold, outcome


def assert_counted(fold: PartitionFold, *offsets: int) -> None:
    """The bars are those of the trades at these offsets, and nothing was refused."""
    counted: list[Trade] = [a_trade(offset, offset) for offset in offsets]
    events: list[Event] = [*counted, a_clock(CLOCK_OFFSET, 1_000)]
    flush = fold.take_flush()
    assert (flush.late, flush.dead) == ([], [])
    bars = [read_bar(key, value) for key, value in bars_in(flush)]
    assert {bar.window: bar for bar in bars} == Tape(RULES).take_all(events).last_published()


def test_committed_trades_count() -> None:
    fold, outcome = fold_all(trades(WRITER, 0, 1, 2), end_of_transaction(3, WRITER, COMMIT), aborted=[])
    assert outcome.records == 4
    assert_counted(fold, 0, 1, 2)


def test_aborted_trades_do_not_count() -> None:
    batches = [trades(WRITER, 0, 1), trades(WRITER, 2), end_of_transaction(3, WRITER, ABORT), trades(OTHER, 4)]
    fold, outcome = fold_all(*batches, end_of_transaction(5, OTHER, COMMIT), aborted=[(WRITER, 0)])
    assert outcome.records == 2
    assert_counted(fold, 4)


def test_transactions_of_two_producers_may_lie_in_each_other() -> None:
    fold, _ = fold_all(
        trades(WRITER, 0, 1),
        trades(OTHER, 2, 3),
        trades(WRITER, 4),
        end_of_transaction(5, WRITER, ABORT),
        trades(OTHER, 6),
        end_of_transaction(7, OTHER, COMMIT),
        aborted=[(WRITER, 0)],
    )
    assert_counted(fold, 2, 3, 6)


def test_a_producer_that_aborted_is_heard_again_in_its_next_transaction() -> None:
    fold, _ = fold_all(
        trades(WRITER, 0),
        end_of_transaction(1, WRITER, ABORT),
        trades(WRITER, 2),
        end_of_transaction(3, WRITER, COMMIT),
        trades(WRITER, 4),
        end_of_transaction(5, WRITER, ABORT),
        trades(WRITER, 6),
        end_of_transaction(7, WRITER, COMMIT),
        aborted=[(WRITER, 4), (WRITER, 0)],
    )
    assert_counted(fold, 2, 6)


def test_a_batch_of_no_transaction_counts_whatever_its_producer_aborts() -> None:
    idempotent = record_batch(2, records_of([a_trade(2, 2)]), producer_id=WRITER)
    fold, _ = fold_all(trades(WRITER, 0, 1), idempotent, end_of_transaction(3, WRITER, ABORT), aborted=[(WRITER, 0)])
    assert_counted(fold, 2)


def test_a_fetch_may_begin_inside_of_an_aborted_transaction_and_end_inside_of_another() -> None:
    fold = new_fold(RULES)
    first = trades(WRITER, 4) + end_of_transaction(5, WRITER, ABORT) + trades(WRITER, 6) + trades(OTHER, 7)
    assert fold.fold(first, [(WRITER, 2), (OTHER, 7)], 4).next_offset == 8
    second = trades(OTHER, 8) + end_of_transaction(9, OTHER, ABORT) + end_of_transaction(10, WRITER, COMMIT)
    clock = record_batch(CLOCK_OFFSET, records_of([a_clock(CLOCK_OFFSET, 1_000)]))
    assert fold.fold(second + clock, [(OTHER, 7)], 8).next_offset == CLOCK_OFFSET + 1
    assert_counted(fold, 6)


def test_a_transaction_of_nothing_moves_the_fold_behind_its_marker() -> None:
    fold = new_fold(RULES)
    outcome = fold.fold(end_of_transaction(0, WRITER, ABORT) + end_of_transaction(1, OTHER, COMMIT), [(WRITER, 0)], 0)
    assert (outcome.corrupt, outcome.next_offset, outcome.records, outcome.dead) == ("", 2, 0, 0)


@pytest.mark.parametrize(
    "record",
    [KafkaRecord(b"\0\0\0\5", b""), KafkaRecord(b"\0", None), KafkaRecord(None, None), KafkaRecord(b"\0\1\0\0", b"x")],
    ids=["of a later kind", "with a key cut off", "empty", "of a later version"],
)
def test_a_control_record_that_is_not_known_is_no_trade_and_no_dead_letter(record: KafkaRecord) -> None:
    control = record_batch(2, [record], flags=TRANSACTIONAL | CONTROL, producer_id=WRITER)
    fold, outcome = fold_all(trades(WRITER, 0, 1), control, aborted=[])
    assert outcome.records == 3
    assert_counted(fold, 0, 1)


def test_aborted_trades_that_cannot_be_read_are_no_dead_letters() -> None:
    corrupt = record_batch(
        0, records_of([a_trade(0, 0)]), codec=LZ4, flags=TRANSACTIONAL, producer_id=WRITER, payload=b"no lz4"
    )
    fold, _ = fold_all(corrupt, end_of_transaction(1, WRITER, ABORT), trades(WRITER, 2), aborted=[(WRITER, 0)])
    assert_counted(fold, 2)


def test_state_of_an_aborted_flush_is_not_restored() -> None:
    writer = new_fold(RULES)
    writer.fold(record_batch(0, records_of([a_trade(0, 0), a_trade(1, 1)])), [], 0)
    before = writer.take_flush()
    kept = [KafkaRecord(key, value) for key, value in records_in(before.changelog)]
    writer.fold(record_batch(2, records_of([a_trade(2, 2)])), [], 2)
    undone = [KafkaRecord(key, value) for key, value in records_in(writer.take_flush().changelog)]
    changelog = (
        record_batch(0, kept, flags=TRANSACTIONAL, producer_id=WRITER)
        + end_of_transaction(len(kept), WRITER, COMMIT)
        + record_batch(len(kept) + 1, undone, flags=TRANSACTIONAL, producer_id=WRITER)
        + end_of_transaction(len(kept) + 1 + len(undone), WRITER, ABORT)
    )
    restored = new_fold(RULES)
    restored.restore(changelog, [(WRITER, len(kept) + 1)], 0)
    progress = restored.restored()
    assert progress is not None
    assert progress.next_offset == 2
    again = record_batch(2, records_of([a_trade(2, 2), a_trade(3, 3), a_clock(4, 1_000)]))
    assert restored.fold(again, [], 2).trades == 2
    events: list[Event] = [a_trade(0, 0), a_trade(1, 1), a_trade(2, 2), a_trade(3, 3), a_clock(4, 1_000)]
    after = restored.take_flush()
    bars = [read_bar(key, value) for key, value in [*bars_in(before), *bars_in(after)]]
    assert {bar.window: bar for bar in bars} == Tape(RULES).take_all(events).last_published()
