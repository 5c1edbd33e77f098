"""Which states a worker may go on with, by what they know of the changelog."""

import pytest

from agents.epoch import FROM_START
from agents.fold.setup import make_setup
from agents.fold.state import FoldState, Logs, Warmth
from agents.kernel import CorruptState, progress_record
from agents.transport import RecordSet
from app.settings import Settings
from app.units import MILLISECOND_NS
from tests.unit.agents.kernel.partition_kit import (
    CLOCK_ID,
    NOON,
    TRADE_ID,
    a_clock,
    a_trade,
    bars_in,
    records_of,
    schema_text,
)
from tests.unit.agents.kernel.record_sets import LOG_APPEND_TIME, KafkaRecord, record_batch

LOGS = Logs("trades-id", "changelog-id")


@pytest.fixture
def state() -> FoldState:
    setup = make_setup(Settings(), {"livetape.Bar": 1, "livetape.Live": 2})
    for schema_id, name in ((TRADE_ID, "trade"), (CLOCK_ID, "clock")):
        setup.writer_schemas.add(schema_id, schema_text(name))
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


@pytest.mark.parametrize("was_reset", [False, True])
@pytest.mark.parametrize(("first", "are_whole"), [(0, True), (20, False)])
async def test_what_a_log_begins_inside_of_is_published_only_where_nothing_of_it_is_gone(
    state: FoldState, first: int, *, are_whole: bool, was_reset: bool
) -> None:
    if was_reset:
        await state.take(record_set(0, KafkaRecord(*progress_record(LOGS.trades, 1, FROM_START))))
    await state.finish(1)
    state.begin(first)
    log = records_of([a_trade(first, 0), a_clock(first + 1, 60)])
    state.fold.fold(
        record_batch(first, log, flags=LOG_APPEND_TIME, base_timestamp_ms=NOON // MILLISECOND_NS), [], first
    )
    assert bool(bars_in(state.fold.take_flush())) == are_whole
