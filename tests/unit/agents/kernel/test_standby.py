"""A state that took the changelog little by little is that of a fold that read it at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.kernel import PartitionFold, read_progress
from tests.unit.agents.kernel.bar_oracle import Event, Rules
from tests.unit.agents.kernel.partition_kit import (
    Partition,
    bars_in,
    compacted,
    live_in,
    new_fold,
    records_in,
    records_of,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch
from tests.unit.agents.kernel.test_fold_equals_oracle import rules, tapes

bounded = settings(max_examples=200)
Records = list[tuple[bytes, bytes | None]]


@dataclass
class Followed:
    """A fold, and the changelog as its flushes wrote it."""

    partition: Partition
    flushes: list[Records]


def folded(rules: Rules, events: Sequence[Event], flush_every: int) -> Followed:
    followed = Followed(Partition(rules), [])
    for first in range(0, len(events), flush_every):
        followed.partition.fold(record_batch(first, records_of(events[first : first + flush_every])))
        followed.flushes.append(records_in(followed.partition.flush().changelog))
    return followed


def restored(rules: Rules, pieces: Sequence[Records]) -> PartitionFold:
    fold = new_fold(rules)
    offset = 0
    for records in filter(None, pieces):
        fold.restore(record_batch(offset, [KafkaRecord(key, value) for key, value in records]), [], offset)
        offset += len(records)
    fold.restored()
    return fold


def what_becomes_of(fold: PartitionFold, first: int, events: Sequence[Event]) -> tuple[object, ...]:
    """All that a fold shows once it has taken the rest of the log: forming bars, state, bars, what it refused."""
    live = live_in(fold)
    record_set = record_batch(first, records_of(events))
    at = first
    while (outcome := fold.fold(record_set, [], at)).needs_history is not None:
        at = outcome.next_offset
        fold.history_is_gone()
    flush = fold.take_flush()
    *state, (_, progress) = records_in(flush.changelog)
    reached = read_progress(progress or b"")
    shown = dict(compacted(state)), reached.next_offset, reached.clocks
    return live, shown, sorted(bars_in(flush)), flush.late, flush.dead, outcome.duplicates


@given(rules(), tapes(), st.integers(1, 5), st.integers(0, 20))
@bounded
def test_a_standby_is_what_a_restore_of_the_whole_changelog_is(
    rules: Rules, events: list[Event], flush_every: int, left: int
) -> None:
    first = len(events) - min(left, len(events))
    flushes = folded(rules, events[:first], flush_every).flushes
    whole = [record for flush in flushes for record in flush]
    if not whole or not events[first:]:
        return
    standby, at_once, shortest = (restored(rules, pieces) for pieces in (flushes, [whole], [compacted(whole)]))
    expected = what_becomes_of(at_once, first, events[first:])
    assert what_becomes_of(standby, first, events[first:]) == expected
    assert what_becomes_of(shortest, first, events[first:]) == expected
