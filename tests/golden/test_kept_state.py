"""State that an earlier release has written is read by this one, and the fold goes on from it as if it had made it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.golden.kept_state import FOLDER, RULES, KeptState
from tests.unit.agents.kernel.bar_oracle import Published, Tape
from tests.unit.agents.kernel.partition_kit import Partition, new_fold, read_bar, records_of
from tests.unit.agents.kernel.record_sets import record_batch

FIRST_WITH_SIDES, FIRST_WITH_RETURNS = 2, 3
FILES = sorted(FOLDER.glob("state_v*.json"))


def restored(kept: KeptState) -> Partition:
    """A partition that comes back from the kept state."""
    partition = Partition(RULES)
    partition._fold = new_fold(RULES)
    for record_set in kept.state:
        partition._fold.restore(record_set, [], 0)
    progress = partition._fold.restored()
    assert progress is not None
    partition.next_offset = progress.next_offset
    return partition


def as_kept(bar: Published, found: Published, kept: KeptState, path: Path) -> Published:
    """The bar that is due: what a version of the format did not have yet is not known where the state has trades of it.

    Version 1 had no sides, and no version before 3 the returns of coarser bars, which a revision sums up anew.
    """
    version = int(path.stem.removeprefix("state_v"))
    is_of_state = bar.first_offset < kept.folded
    if is_of_state and version < FIRST_WITH_SIDES:
        bar = replace(bar, buy_volume=None, sell_volume=None)
    if is_of_state and version < FIRST_WITH_RETURNS and found.squared_returns is None:
        bar = replace(bar, squared_returns=None)
    return bar


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_fold_goes_on_from_kept_state(path: Path) -> None:
    kept = KeptState.read(path)
    partition = restored(kept)
    assert partition.next_offset == kept.folded
    outcome = partition.fold(record_batch(kept.folded, records_of(kept.events[kept.folded :])))
    partition.flush()

    tape = Tape(RULES).take_all(kept.events)
    published = {bar.window: bar for bar in (read_bar(key, value) for key, value in partition.bars)}
    due = {window: bar for window, bar in tape.last_published().items() if bar.seq >= kept.folded}
    assert published == {window: as_kept(bar, published[window], kept, path) for window, bar in due.items()}
    assert partition.late == [offset for offset in tape.late if offset >= kept.folded]
    assert outcome["duplicates"] == len([offset for offset in tape.duplicates if offset >= kept.folded])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kept_state_has_what_can_go_wrong(path: Path) -> None:
    kept = KeptState.read(path)
    tape = Tape(RULES).take_all(kept.events)
    assert [offset for offset in tape.duplicates if offset >= kept.folded]
    assert [offset for offset in tape.late if offset >= kept.folded]
    assert [bar for bar in tape.published if bar.seq >= kept.folded and bar.revision]


def test_there_is_kept_state() -> None:
    assert FILES
