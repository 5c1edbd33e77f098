"""The join's changelog has the trades that wait by stretches of the log, each a record that every broker takes."""

from typing import Final

import pytest

from agents.kernel import CorruptState, JoinProgress, QuoteJoin
from tests.unit.agents.kernel.join_kit import TRADES_EPOCH, batch_of, new_join, read_joined
from tests.unit.agents.kernel.partition_kit import Changelog, long, new_fold, numbers_behind, records_in
from tests.unit.agents.kernel.record_sets import NONE, KafkaRecord, record_batch
from tests.unit.agents.kernel.test_corrections import RULES as FOLD_RULES
from tests.unit.agents.kernel.test_join_by_hand import RULES, as_of_3, clock, tick

WAITING: Final = b"\1A"
FAR: Final = 9_000
"""An offset of the next stretch."""


def waiting_join() -> QuoteJoin:
    """A join for whose clocks three trades wait, far apart in the log."""
    join = new_join(RULES)
    join.take_trades(batch_of([tick(0, 10)], NONE), [], 0)
    join.take_trades(batch_of([tick(FAR, 20), tick(FAR + 1, 20)], NONE), [], 1)
    return join


def flushed(join: QuoteJoin) -> Changelog:
    return records_in(join.take_flush().changelog)


def told(changelog: Changelog) -> list[tuple[list[int], list[int] | None]]:
    """Of each record of trades that wait the stretch that its key names, and its runs; none of a tombstone."""
    return numbers_behind(WAITING, changelog)


def restored(changelog: Changelog) -> tuple[QuoteJoin, JoinProgress | None]:
    join = new_join(RULES)
    join.restore(record_batch(0, [KafkaRecord(*record) for record in changelog]), [], 0)
    return join, join.restored(0, 0)


def with_runs(changelog: Changelog, runs: list[int]) -> Changelog:
    """The same state with other trades that wait in the first stretch."""
    version = (dict(changelog)[WAITING + long(0)] or b"")[:1]
    changed = version + b"".join(map(long, runs))
    return [(key, changed if key == WAITING + long(0) else value) for key, value in changelog]


def with_waiting(progress: bytes | None) -> bytes:
    """Progress as releases wrote it that had the trades that wait in it."""
    before = b"\3" + long(len(TRADES_EPOCH)) + TRADES_EPOCH.encode() + long(FAR + 2)
    of_3 = as_of_3(progress)
    assert of_3.startswith(before + long(0))
    runs = [2, 0, 1, FAR - 1, 2]
    return before + b"".join(map(long, runs)) + of_3[len(before) + 1 :]


def test_a_flush_writes_the_stretches_whose_waiting_trades_changed() -> None:
    join = waiting_join()
    assert told(flushed(join)) == [([0], [1, 0, 1]), ([1], [1, FAR, 2])]
    join.take_trades(batch_of([clock(FAR + 2, 15)], NONE), [], FAR + 2)
    join.take_quotes(batch_of([clock(0, 15)], NONE), [], 0)
    assert told(flushed(join)) == [([0], None)]


def test_trades_that_wait_come_back_and_end_once_they_are_published() -> None:
    join, progress = restored(flushed(waiting_join()))
    assert progress is not None
    assert (progress.trades_from, progress.trades_reached) == (0, FAR + 2)
    join.take_trades(batch_of([tick(0, 10)], NONE), [], 0)
    join.take_trades(batch_of([tick(FAR, 20), tick(FAR + 1, 20), clock(FAR + 2, 30)], NONE), [], 1)
    join.take_quotes(batch_of([clock(0, 30)], NONE), [], 0)
    flush = join.take_flush()
    assert [read_joined(key, value)["seq"] for key, value in records_in(flush.joined)] == [0, FAR, FAR + 1]
    assert told(records_in(flush.changelog)) == [([0], None), ([1], None)]


def test_trades_that_wait_by_the_progress_of_a_release_before_get_their_records() -> None:
    *others, (key, value) = flushed(waiting_join())
    ids = [record for record in others if not record[0].startswith(WAITING)]
    join, progress = restored([*ids, (key, with_waiting(value))])
    assert progress is not None
    assert progress.trades_from == 0
    join.take_trades(batch_of([tick(0, 10)], NONE), [], 0)
    join.take_trades(batch_of([tick(FAR, 20), tick(FAR + 1, 20), clock(FAR + 2, 9)], NONE), [], 1)
    assert told(flushed(join)) == [([0], [1, 0, 1]), ([1], [1, FAR, 2])]


@pytest.mark.parametrize(
    "runs",
    [[1, FAR, 1], [1, 8_000, 1_000], [1, 5, 0], [2, 5, 1, -3, 1], [1, 5], [1, 5, 1, 7]],
    ids=["another stretch", "reaches into another", "empty", "goes back", "is cut", "has more"],
)
def test_waiting_trades_that_cannot_be_are_refused(runs: list[int]) -> None:
    changelog = flushed(waiting_join())
    with pytest.raises(CorruptState, match="of no known format"):
        restored(with_runs(changelog, runs))


def test_waiting_trades_of_such_a_form_that_can_be_are_taken() -> None:
    restored(with_runs(flushed(waiting_join()), [2, 0, 1, 5, 1]))


def test_waiting_trades_without_progress_are_refused() -> None:
    with pytest.raises(CorruptState, match="no progress record"):
        restored([record for record in flushed(waiting_join()) if record[0].startswith(WAITING)])


def test_a_fold_refuses_the_state_of_a_join() -> None:
    waiting = [KafkaRecord(*record) for record in flushed(waiting_join()) if record[0].startswith(WAITING)]
    with pytest.raises(CorruptState, match="the state is of a join"):
        new_fold(FOLD_RULES).restore(record_batch(0, waiting), [], 0)
