"""State that does not belong to the log is refused, with a message that says what is wrong and what to do."""

import re

import pytest

from agents.epoch import EpochMismatch
from agents.kernel import CorruptState
from app.settings import Settings
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.broker_files import LENGTH_AT, damage
from tests.integration.fold_kit import Group, Tape, folding, make_anew, read, wait_until_flushed, with_topics
from tests.integration.state_kit import (
    CHANGELOG,
    PARTITION,
    PROGRESS,
    epoch_of,
    fold_29,
    lose,
    next_offset,
    progress,
    progress_of,
    put,
    recovered,
    write_some,
)

REMEDY = "the log is then folded from its start again"


async def refuse(settings: Settings, tape: Tape, error: type[Exception], *said: str) -> None:
    """Expect the partition to be refused, with all of this in the message."""
    with pytest.raises(error, match=".*".join(re.escape(part) for part in said)):
        await recovered(settings, tape)


def test_a_worker_ends_when_the_topic_of_trades_was_made_anew(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    put(settings, (PROGRESS, progress(epoch="another-log", next_offset=0)))
    write_some(tape, 1, 30)
    with folding(settings) as worker:
        assert worker.process.wait(WAIT_S) != 0
        assert f"{settings.topic('trades')} has id " in worker.log
        assert "and what is stored came from another-log: " in worker.log
        assert REMEDY in worker.log
    assert read(settings, "bars.1s") == []


def test_a_worker_whose_topics_are_missing_says_so(settings: Settings) -> None:
    with folding(settings) as worker:
        assert worker.process.wait(WAIT_S) != 0
        named = f"{settings.topic('trades')}, {settings.topic(CHANGELOG)}"
        assert f"these topics are not there: {named}" in worker.log
        assert "`livetape topics apply`" in worker.log


async def test_state_that_belongs_to_the_log_is_taken_up(settings: Settings) -> None:
    tape, _ = await fold_29(settings)
    assert await next_offset(settings, tape) == 29


async def test_state_with_no_progress_is_refused(settings: Settings, servers: Settings) -> None:
    _, changelog = await fold_29(settings)
    other = with_topics(servers.model_copy(update={"namespace": f"{settings.namespace}-copy"}))
    put(other, *((record.key, record.value) for record in changelog if record.key != PROGRESS))
    await refuse(other, Tape(other), CorruptState, "the changelog has state but no progress record")


async def test_state_of_a_topic_that_was_deleted_and_made_anew_is_refused(settings: Settings) -> None:
    tape, changelog = await fold_29(settings)
    trades = settings.topic("trades")
    make_anew(settings, "trades")
    write_some(tape, 1, 60)
    folded_from = f"what is stored came from {epoch_of(progress_of(changelog))}"
    await refuse(settings, tape, EpochMismatch, f"{trades} has id ", folded_from, REMEDY)
    assert read(settings, CHANGELOG) == changelog


async def test_progress_past_the_end_of_the_log_is_refused(settings: Settings) -> None:
    tape, changelog = await fold_29(settings)
    put(settings, (PROGRESS, progress(epoch=epoch_of(progress_of(changelog)), next_offset=1_000)))
    said = f"{settings.topic('trades')} ends at offset 29, and what is stored has come to 1000: "
    await refuse(settings, tape, EpochMismatch, said, REMEDY)


async def test_a_log_that_begins_after_the_progress_is_refused(settings: Settings) -> None:
    tape, _ = await fold_29(settings)
    write_some(tape, 30, 60)
    lose(settings, PARTITION, 40)
    said = f"{settings.topic('trades')} begins at offset 40, and what is stored has come to 29 only"
    await refuse(settings, tape, EpochMismatch, said, REMEDY)


def test_a_partition_whose_log_begins_after_its_progress_is_left_alone_and_the_others_are_folded(
    settings: Settings,
) -> None:
    tape = Tape(with_topics(settings))
    write_some(tape, 1, 30)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        assert worker.stop() == 0, worker.log
    write_some(tape, 30, 60)
    tape.clock(100)
    tape.flush()
    lose(settings, PARTITION, 40)
    group = Group(settings)
    others = {number: end for number, end in group.ends().items() if number != PARTITION}
    with folding(settings) as worker:
        eventually(lambda: group.committed() == others | {PARTITION: 29}, lambda: worker.log)
        refusal = f"partition {PARTITION} is not folded: {settings.topic('trades')} begins at offset 40"
        eventually(lambda: refusal in worker.log, lambda: worker.log)
        assert REMEDY in worker.log
        assert worker.stop() == 0, worker.log


async def test_a_changelog_that_the_broker_cannot_read_is_refused(settings: Settings) -> None:
    tape, changelog = await fold_29(settings)
    damage(settings, changelog[0], LENGTH_AT, CHANGELOG)
    await refuse(settings, tape, CorruptState, "the broker cannot read the batch there", REMEDY)


async def test_a_changelog_of_another_version_is_refused(settings: Settings) -> None:
    tape, changelog = await fold_29(settings)
    put(settings, (PROGRESS, b"\x63" + progress_of(changelog)[1:]))
    await refuse(settings, tape, CorruptState, "the record is of no format version up to 4", REMEDY)
