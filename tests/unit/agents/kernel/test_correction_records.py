"""The changelog has corrections by stretches of the log, each a record that every broker takes."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from agents.kernel import CorruptState
from app.units import MINUTE_NS
from tests.unit.agents.kernel.partition_kit import (
    Changelog,
    Partition,
    a_clock,
    a_trade,
    compacted,
    long,
    numbers_behind,
)
from tests.unit.agents.kernel.test_corrections import RULES, cancel, correct, last_bar, minute

KEY: Final = b"\1C\x0ebinance\x10BTC-USDT"
STRETCH: Final = 8_192
FAR: Final = STRETCH + 10
"""An offset of the next stretch."""


def told(changelog: Changelog) -> list[tuple[list[int], list[int] | None]]:
    """Of each record of corrections the stretch that its key names, and its offsets; none of a tombstone."""
    return [(stretch, numbers and numbers[::2]) for stretch, numbers in numbers_behind(KEY, changelog)]


def in_one_record(changelog: Changelog) -> Changelog:
    """The same state as releases wrote it that had all corrections of an instrument in one record."""
    last = dict(changelog)
    parts = [value for key, value in last.items() if key.startswith(KEY) and value is not None]
    others = [(key, value) for key, value in last.items() if not key.startswith(KEY)]
    return [(KEY, parts[0][:1] + b"".join(part[1:] for part in parts)), *others]


def busted() -> Partition:
    """Five trades of one second, two of which were cancelled, far apart in the log."""
    partition = Partition(RULES)
    trades = [a_trade(offset, 1 + offset / 10) for offset in range(5)]
    partition.take(*trades, a_clock(5, 100), cancel(6, "0"))
    partition.take(cancel(FAR, "1"))
    return partition


def test_a_flush_writes_the_stretches_whose_corrections_changed() -> None:
    partition = busted()
    partition.take(cancel(FAR + 1, "2"))
    assert told(partition.changelog) == [([0], [6]), ([1], [FAR]), ([1], [FAR, FAR + 1])]


@pytest.mark.parametrize("is_compacted", [False, True])
def test_every_stretch_comes_back(*, is_compacted: bool) -> None:
    partition = busted()
    partition.crash_and_restore(is_compacted=is_compacted)
    partition.take(cancel(FAR + 1, "2"))
    assert (minute(partition).trade_count, partition.dead) == (2, [])


@pytest.mark.parametrize("by_standby", [False, True])
def test_one_record_of_a_release_before_becomes_one_for_each_stretch(*, by_standby: bool) -> None:
    partition = busted()
    partition.changelog = in_one_record(partition.changelog)
    before = len(partition.changelog)
    if by_standby:
        partition.crash_and_take_over()
    else:
        partition.crash_and_restore(is_compacted=True)
    partition.take(cancel(FAR + 1, "2"))
    assert told(partition.changelog[before:]) == [([], None), ([0], [6]), ([1], [FAR, FAR + 1])]
    assert (minute(partition).trade_count, partition.dead) == (2, [])
    partition.crash_and_restore(is_compacted=True)
    partition.take(cancel(FAR + 2, "3"))
    assert (minute(partition).trade_count, partition.dead) == (1, [])


def test_a_stretch_all_of_whose_corrections_are_too_old_ends() -> None:
    partition = busted()
    partition.take(a_clock(FAR + 1, 8_000))
    assert {tuple(stretch) for stretch, offsets in told(compacted(partition.changelog)) if offsets is None} == {
        (0,),
        (1,),
    }


def test_a_correction_that_is_needed_for_longer_is_written_again_in_its_stretch() -> None:
    partition = Partition(replace(RULES, horizon_ns=MINUTE_NS))
    partition.take(a_trade(0, 1, trade_id="a"), correct(1, "a", a_trade(1, 2, size="2", trade_id="b")))
    moved = correct(FAR, "b", a_trade(FAR, 70, size="3", trade_id="c"))
    partition.take(moved, a_trade(FAR + 1, 70.5, trade_id="d"))
    assert told(partition.changelog) == [([0], [1]), ([0], [1]), ([1], [FAR])]
    partition.crash_and_restore(is_compacted=True)
    partition.take(a_clock(FAR + 2, 125))
    partition.take(cancel(FAR + 3, "d", seconds=125))
    assert (last_bar(partition, "1s", 70).volume, partition.dead) == (Decimal(3), [])


@pytest.mark.parametrize(
    ("stretch", "flaw"), [(2, "another stretch of the log"), (-1, "no format version")], ids=["another", "below 0"]
)
def test_corrections_that_are_not_where_they_belong_are_refused(stretch: int, flaw: str) -> None:
    partition = busted()
    partition.changelog = [
        (KEY + long(stretch) if key == KEY + long(1) else key, value) for key, value in partition.changelog
    ]
    with pytest.raises(CorruptState, match=flaw):
        partition.crash_and_restore(is_compacted=True)


def test_corrections_that_are_there_twice_are_refused() -> None:
    partition = busted()
    partition.changelog += [record for record in in_one_record(partition.changelog) if record[0] == KEY]
    with pytest.raises(CorruptState, match="corrections that are out of order"):
        partition.crash_and_restore(is_compacted=True)
