"""Which states a worker may go on with, by what they know of the changelog."""

import pytest

from agents.fold_setup import make_setup
from agents.fold_state import FoldState, Logs, Warmth
from agents.kernel import CorruptState
from agents.transport import RecordSet
from app.settings import Settings
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

LOGS = Logs("trades-id", "changelog-id")


@pytest.fixture
def state() -> FoldState:
    setup = make_setup(Settings(), {"livetape.Bar": 1, "livetape.Live": 2})
    return FoldState(setup, 0, LOGS)


def record_set(offset: int, *records: KafkaRecord) -> RecordSet:
    return RecordSet("changelog", 0, record_batch(offset, list(records)), offset, offset + len(records))


def unreadable(offset: int) -> RecordSet:
    return record_set(offset, KafkaRecord(b"no key of ours", b""))


def progress(offset: int) -> RecordSet:
    return record_set(offset, KafkaRecord(b"\1P", b"\1\2x\0\0\0"))


async def test_one_that_has_taken_nothing_leads_anywhere(state: FoldState) -> None:
    assert state.warmth is Warmth.COLD
    assert state.leads_to(LOGS, 0)
    assert state.leads_to(LOGS, 100)


async def test_one_that_is_ahead_of_the_changelog_is_of_another(state: FoldState) -> None:
    await state.take(progress(7))
    assert state.warmth is Warmth.STANDBY
    assert [state.leads_to(LOGS, end) for end in (7, 8, 9)] == [False, True, True]


async def test_one_that_is_finished_stands_for_its_own_end_alone(state: FoldState) -> None:
    await state.take(progress(7))
    await state.finish(9)
    assert state.warmth is Warmth.KEPT
    assert [state.leads_to(LOGS, end) for end in (8, 9, 10)] == [False, True, False]
    state.flushed(5, 12)
    assert [state.leads_to(LOGS, end) for end in (9, 12)] == [False, True]


async def test_one_whose_flush_is_nobody_knows_where_stands_for_nothing(state: FoldState) -> None:
    await state.finish(0)
    state.flushed(5, None)
    assert not any(state.leads_to(LOGS, end) for end in range(20))


@pytest.mark.parametrize("other", [Logs("another", "changelog-id"), Logs("trades-id", "another")])
async def test_one_of_other_logs_leads_nowhere(state: FoldState, other: Logs) -> None:
    assert not state.leads_to(other, 0)


async def test_one_that_could_not_take_a_record_leads_nowhere(state: FoldState) -> None:
    await state.take(progress(0))
    with pytest.raises(CorruptState):
        await state.take(unreadable(1))
    assert not state.leads_to(LOGS, 1)
    state.drop()
    state.drop()
    assert not state.leads_to(LOGS, 1)
