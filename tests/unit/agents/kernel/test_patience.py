"""For how late a trade a state was kept: what it has forgotten is never taken for new, whatever is configured later."""

from dataclasses import replace

import pytest

from agents.epoch import FROM_START
from agents.kernel import CorruptState, progress_record
from tests.unit.agents.kernel.bar_oracle import Event, Rules, Tape
from tests.unit.agents.kernel.partition_kit import (
    EPOCH,
    NOON,
    SECOND,
    Partition,
    a_clock,
    a_trade,
    new_fold,
    read_bar,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

PATIENCE = b"\1T"
RULES = Rules((("1s", SECOND),), out_of_order_ns=SECOND, grace_ns=SECOND, horizon_ns=60 * SECOND, max_ahead_ns=SECOND)
KEPT: list[Event] = [a_trade(0, 0), a_trade(1, 80), a_clock(2, 100)]
"""After these the bar of second 80 is kept, and that of second 0 is not."""
TOO_LONG = [
    replace(RULES, horizon_ns=61 * SECOND),
    replace(RULES, out_of_order_ns=2 * SECOND),
    replace(RULES, grace_ns=2 * SECOND),
    replace(RULES, horizon_ns=0, out_of_order_ns=2 * SECOND),
]
AS_LONG = [
    RULES,
    replace(RULES, horizon_ns=30 * SECOND),
    replace(RULES, horizon_ns=0),
]


def folded(rules: Rules = RULES) -> Partition:
    """A partition that has flushed the kept trades."""
    partition = Partition(rules)
    partition.take(*KEPT)
    return partition


@pytest.mark.parametrize("longer", TOO_LONG)
def test_settings_that_ask_for_what_is_forgotten_are_refused(longer: Rules) -> None:
    partition = folded()
    kept = f"kept for a horizon of {60 * SECOND} ns, trades out of order by {SECOND} ns and a grace of {SECOND} ns"
    with pytest.raises(CorruptState, match=kept):
        partition.come_back(longer)


@pytest.mark.parametrize("shorter", AS_LONG)
def test_settings_that_ask_for_less_are_those_that_count_from_then_on(shorter: Rules) -> None:
    partition = folded()
    partition.come_back(shorter)
    rest: list[Event] = [a_trade(3, 80.5), a_trade(4, 50), a_trade(5, 99), a_clock(6, 300)]
    partition.take(*rest)
    tape = Tape(shorter).take_all([*KEPT, *rest])
    assert {bar.window: bar for bar in (read_bar(*bar) for bar in partition.bars)} == tape.last_published()
    assert partition.late == tape.late


@pytest.mark.parametrize("longer", [replace(RULES, grace_ns=10 * SECOND), replace(RULES, out_of_order_ns=10 * SECOND)])
def test_a_bar_that_is_final_by_a_shorter_time_is_not_left_out_where_a_later_one_begins_as_final(longer: Rules) -> None:
    partition = Partition(longer)
    partition.take(a_trade(0, 95), a_trade(1, 100))
    assert partition.bars == []
    partition.come_back(RULES)
    partition.take(a_trade(2, 97.2), a_clock(3, 200))
    starts = [(read_bar(*bar).window.start_ns - NOON) // SECOND for bar in partition.bars]
    assert starts == [95, 97, 100]


def test_a_horizon_that_was_shortened_is_not_long_again_once_something_was_folded() -> None:
    partition = folded()
    shorter = replace(RULES, horizon_ns=30 * SECOND)
    partition.come_back(shorter)
    partition.come_back(RULES)
    partition.come_back(shorter)
    partition.take(a_clock(3, 101))
    with pytest.raises(CorruptState, match=f"kept for a horizon of {30 * SECOND} ns"):
        partition.come_back(RULES)


def test_state_of_a_release_that_did_not_tell_is_taken_for_what_is_configured_and_tells_it_from_then_on() -> None:
    partition = folded()
    partition.changelog = [record for record in partition.changelog if record[0] != PATIENCE]
    partition.come_back(RULES)
    partition.take(a_clock(3, 101))
    with pytest.raises(CorruptState, match=f"kept for a horizon of {60 * SECOND} ns"):
        partition.come_back(replace(RULES, horizon_ns=61 * SECOND))


OVERLAPPING = replace(
    RULES, intervals=(("1s", SECOND), ("5s", 5 * SECOND)), hopping=(("10s/5s", 10 * SECOND, 5 * SECOND),)
)


@pytest.mark.parametrize("other", [replace(OVERLAPPING, grace_ns=0), replace(OVERLAPPING, out_of_order_ns=0)])
def test_a_bar_that_overlaps_others_keeps_the_times_it_forms_by(other: Rules) -> None:
    partition = folded(OVERLAPPING)
    partition.come_back(replace(OVERLAPPING, horizon_ns=30 * SECOND))
    with pytest.raises(CorruptState, match=f"a grace of {SECOND} ns, and lacks what"):
        partition.come_back(other)


def test_what_a_reset_leaves_was_kept_for_anything() -> None:
    fold = new_fold(replace(RULES, horizon_ns=3_600 * SECOND))
    fold.restore(record_batch(0, [KafkaRecord(*progress_record(EPOCH, 1, FROM_START))]), [], 0)
    progress = fold.restored()
    assert progress is not None
    assert progress.next_offset == FROM_START


def test_it_is_written_once() -> None:
    partition = folded()
    partition.take(a_trade(3, 101))
    partition.come_back(RULES)
    partition.take(a_trade(4, 102))
    assert [key for key, _ in partition.changelog].count(PATIENCE) == 1
