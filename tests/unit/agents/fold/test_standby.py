"""With which states a standby goes on, and which it begins anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from agents.fold.setup import FoldSetup, make_setup
from agents.fold.standby import Standbys
from agents.fold.state import FoldState, Logs
from agents.kernel import CorruptState
from agents.transport import RecordSet
from app.settings import Settings
from tests.unit.agents.fold.test_state import progress, unreadable

LOGS = Logs("trades-id", "changelog-id")
GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""


class Changelog:
    """One partition's changelog as its consumer gives it: what it has, and then nothing more."""

    def __init__(self, *record_sets: RecordSet) -> None:
        self._partition = TopicPartition("changelog", 0)
        self._record_sets = record_sets
        self._position = 0
        self.is_read = asyncio.Event()

    def assignment(self) -> set[TopicPartition]:
        return {self._partition}

    async def beginning_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def seek(self, _: TopicPartition, offset: int) -> None:
        self._position = offset

    def last_stable_offset(self, _: TopicPartition) -> None:
        """Nobody knows."""

    async def getmany(self, **_: int) -> dict[TopicPartition, list[SimpleNamespace]]:
        for each in self._record_sets:
            if each.start_offset == self._position:
                self._position = each.next_offset
                return {self._partition: [SimpleNamespace(value=each)]}
        self.is_read.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
def setup() -> FoldSetup:
    return make_setup(Settings(), {"livetape.Bar": 1, "livetape.Live": 2})


async def followed(
    setup: FoldSetup, state: FoldState, changelog: Changelog, monkeypatch: pytest.MonkeyPatch
) -> FoldState:
    """What a standby has once it has read the changelog, beginning with a state."""

    @asynccontextmanager
    async def reader(*_: Any, **__: Any) -> AsyncIterator[Changelog]:
        yield changelog

    monkeypatch.setattr("agents.fold.standby.topic_reader", reader)
    monkeypatch.setattr(Logs, "of", lambda _: LOGS)
    states = {0: state}
    following = asyncio.create_task(Standbys(setup, states).follow({0}))
    read = asyncio.create_task(changelog.is_read.wait())
    async with asyncio.timeout(GUARD_S):
        await asyncio.wait({following, read}, return_when=asyncio.FIRST_COMPLETED)
    for task in (following, read):
        task.cancel()
    outcome, _ = await asyncio.gather(following, read, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), outcome
    return states[0]


async def test_one_that_was_cut_short_goes_on_with_what_it_has(
    setup: FoldSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = FoldState(setup, 0, LOGS)
    await state.take(progress(0))
    now = await followed(setup, state, Changelog(progress(1)), monkeypatch)
    assert now is state
    assert now.changelog_offset == 2


@pytest.mark.parametrize("was_dropped", [True, False])
async def test_one_that_is_of_no_use_any_more_is_begun_anew(
    setup: FoldSetup, monkeypatch: pytest.MonkeyPatch, *, was_dropped: bool
) -> None:
    state = FoldState(setup, 0, LOGS)
    await state.take(progress(0))
    if was_dropped:
        state.drop()
    else:
        with pytest.raises(CorruptState):
            await state.take(unreadable(1))
    now = await followed(setup, state, Changelog(progress(0), progress(1)), monkeypatch)
    await now.finish(2)
    assert (now is state, now.leads_to(LOGS, 2)) == (False, True)


async def test_one_that_was_folded_into_is_begun_anew(setup: FoldSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    state = FoldState(setup, 0, LOGS)
    await state.take(progress(0))
    await state.finish(1)
    now = await followed(setup, state, Changelog(progress(0), progress(1)), monkeypatch)
    assert now is not state
    assert now.changelog_offset == 2
