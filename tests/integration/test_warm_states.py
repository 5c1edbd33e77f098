"""A state that was kept, or followed as a standby, is used where it is what the changelog says, and else is not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource
from faust.types import TP

from agents.fold.flush import OUTPUTS
from agents.fold.recovery import Recovered
from agents.fold.standby import Standbys
from agents.fold.state import FoldState, Warmth
from agents.log_bounds import undecided
from agents.transaction import Fenced, packed
from app.kafka_admin import admin_client
from app.settings import Settings
from tests.integration.api_kit import WAIT_S
from tests.integration.fold_kit import Tape, make_anew, oracles, read, read_bars, with_topics
from tests.integration.fold_oracle import differences
from tests.integration.state_kit import CHANGELOG, PARTITION, fold_setup, put, recovered, write_some
from tests.integration.test_reset import run_reset
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch


@pytest.fixture
def tape(settings: Settings) -> Tape:
    tape = Tape(with_topics(settings))
    write_some(tape, 1, 30)
    return tape


def the_log(settings: Settings) -> bytes:
    """The partition's trades as one record set."""
    records = [record for record in read(settings, "trades") if record.partition == PARTITION]
    return record_batch(0, [KafkaRecord(record.key, record.value) for record in records])


async def fold_on(settings: Settings, partition: Recovered) -> None:
    """Fold what the log has by now, and flush it, as a worker does."""
    reached = partition.state.reached
    partition.state.fold.fold(the_log(settings), [], max(reached.next_offset, 0) if reached else 0)
    flush = partition.state.fold.take_flush()
    partition.state.flushed(flush.next_offset, await partition.writer.write(flush))


async def kept(settings: Settings, tape: Tape) -> FoldState:
    """The state of a worker that has folded everything and let go of the partition."""
    partition = await recovered(settings, tape)
    await fold_on(settings, partition)
    await partition.writer.close()
    return partition.state


@asynccontextmanager
async def standing_by(settings: Settings, tape: Tape) -> AsyncIterator[dict[int, FoldState]]:
    """The states that a worker follows while the block runs."""
    states: dict[int, FoldState] = {}
    following = asyncio.create_task(Standbys(fold_setup(settings, tape), states).follow({PARTITION}))
    try:
        yield states
    finally:
        following.cancel()
        await asyncio.wait({following})


async def wait_until_at_the_end(settings: Settings, states: dict[int, FoldState]) -> None:
    """Wait until a standby has all that is committed now."""
    last = max(record.offset for record in read(settings, CHANGELOG) if record.partition == PARTITION)
    async with asyncio.timeout(WAIT_S):
        while PARTITION not in states or (states[PARTITION].changelog_offset or 0) <= last:  # noqa: ASYNC110 - none is told
            await asyncio.sleep(0.01)


async def check(settings: Settings, tape: Tape, partition: Recovered) -> None:
    """Fold some more: every bar is right, whoever folded it."""
    write_some(tape, 20, 60)
    tape.clock(300)
    tape.flush()
    await fold_on(settings, partition)
    await partition.writer.close()
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []


async def test_a_kept_state_goes_on_where_nobody_wrote_meanwhile(settings: Settings, tape: Tape) -> None:
    state = await kept(settings, tape)
    partition = await recovered(settings, tape, state)
    assert (partition.warmth, partition.next_offset) == (Warmth.KEPT, 29)
    assert partition.state is state
    await check(settings, tape, partition)


async def test_a_kept_state_goes_on_where_another_fenced_it_and_wrote_nothing(settings: Settings, tape: Tape) -> None:
    state = await kept(settings, tape)
    other = await recovered(settings, tape)
    partition = await recovered(settings, tape, state)
    assert partition.warmth == Warmth.KEPT
    write_some(tape, 30, 31)
    with pytest.raises(Fenced):
        await fold_on(settings, other)
    await other.writer.close()
    await check(settings, tape, partition)


async def test_a_kept_state_is_refused_where_another_wrote_meanwhile(settings: Settings, tape: Tape) -> None:
    state = await kept(settings, tape)
    write_some(tape, 30, 35)
    other = await recovered(settings, tape)
    await fold_on(settings, other)
    await other.writer.close()
    partition = await recovered(settings, tape, state)
    assert (partition.warmth, partition.next_offset) == (Warmth.COLD, 34)
    await check(settings, tape, partition)


async def test_a_kept_state_is_refused_where_another_ended_in_the_middle_of_a_flush(
    settings: Settings, tape: Tape
) -> None:
    state = await kept(settings, tape)
    write_some(tape, 30, 35)
    other = await recovered(settings, tape)
    other.state.fold.fold(the_log(settings), [], other.next_offset)
    await other.writer._producer.begin_transaction()
    await other.writer._send({CHANGELOG: other.state.fold.take_flush().changelog})
    partition = await recovered(settings, tape, state)
    assert (partition.warmth, partition.next_offset) == (Warmth.COLD, 29)
    await other.writer.close()
    await check(settings, tape, partition)


@pytest.fixture
def _forgetful_coordinator(settings: Settings) -> Iterator[None]:
    """The broker takes batches of transactions that their coordinator has not heard of: it will never end them."""
    admin = admin_client(settings)

    def configure(value: str | None, operation: AlterConfigOpType) -> None:
        entry = ConfigEntry("transaction.partition.verification.enable", value, incremental_operation=operation)
        broker = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[entry])
        for done in admin.incremental_alter_configs([broker]).values():
            done.result(WAIT_S)

    configure("false", AlterConfigOpType.SET)
    yield
    configure(None, AlterConfigOpType.DELETE)


def leave_out(settings: Settings, partition: Recovered, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have no end of a transaction written to these topics: the coordinator does not hear that they are part of it."""
    manager = partition.writer._producer._txn_manager
    topics = {settings.topic(name) for name in names}
    add = manager.maybe_add_partition_to_txn
    monkeypatch.setattr(
        manager,
        "maybe_add_partition_to_txn",
        lambda tp: manager._txn_partitions.add(tp) if tp.topic in topics else add(tp),
    )


async def do_nothing() -> None:
    """Stands where a transaction is ended."""


@pytest.fixture
def bars(settings: Settings, tape: Tape) -> TP:
    """The partition of `bars`, with trades to be folded that make some final."""
    write_some(tape, 30, 60)
    tape.clock(300)
    tape.flush()
    return TP(settings.topic("bars"), PARTITION)


@pytest.mark.usefixtures("_forgetful_coordinator")
async def test_what_the_broker_left_undecided_is_folded_again_and_published_once(
    settings: Settings, tape: Tape, bars: TP, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await recovered(settings, tape)
    leave_out(settings, before, monkeypatch, CHANGELOG, *OUTPUTS)
    monkeypatch.setattr(before.writer._producer, "commit_transaction", do_nothing)
    await fold_on(settings, before)
    await before.writer.close()
    changelog = TP(settings.topic(CHANGELOG), PARTITION)
    assert undecided(settings, {changelog, bars}).keys() == {changelog, bars}
    partition = await recovered(settings, tape)
    assert (partition.warmth, partition.next_offset) == (Warmth.COLD, 0)
    assert not undecided(settings, {changelog, bars})
    await check(settings, tape, partition)


@pytest.mark.usefixtures("_forgetful_coordinator")
async def test_an_output_alone_that_the_broker_left_undecided_is_aborted_with_its_flush(
    settings: Settings, tape: Tape, bars: TP, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await recovered(settings, tape)
    leave_out(settings, before, monkeypatch, "bars")
    monkeypatch.setattr(before.writer._producer, "commit_transaction", before.writer._producer.abort_transaction)
    await fold_on(settings, before)
    await before.writer.close()
    assert undecided(settings, {bars})
    partition = await recovered(settings, tape)
    assert partition.next_offset == 0
    assert not undecided(settings, {bars})
    await check(settings, tape, partition)


@pytest.mark.usefixtures("_forgetful_coordinator")
@pytest.mark.parametrize("is_next_aborted", [False, True])
async def test_an_output_alone_that_the_broker_left_undecided_is_published_with_its_flush(
    settings: Settings, tape: Tape, bars: TP, monkeypatch: pytest.MonkeyPatch, *, is_next_aborted: bool
) -> None:
    before = await recovered(settings, tape)
    leave_out(settings, before, monkeypatch, "bars")
    await fold_on(settings, before)
    if is_next_aborted:
        await before.writer._producer.begin_transaction()
        await before.writer._send({CHANGELOG: packed([(b"", None)])})
        await before.writer._producer.abort_transaction()
    await before.writer.close()
    assert undecided(settings, {bars})
    partition = await recovered(settings, tape)
    assert partition.next_offset > 0
    assert not undecided(settings, {bars})
    await check(settings, tape, partition)


async def test_a_transaction_of_somebody_else_in_an_output_is_left_alone(
    settings: Settings, tape: Tape, bars: TP, caplog: pytest.LogCaptureFixture
) -> None:
    other = Producer({**settings.kafka_config, "transactional.id": f"{settings.namespace}-other"})
    other.init_transactions(WAIT_S)
    other.begin_transaction()
    other.produce(bars.topic, b"", partition=bars.partition)
    assert other.flush(WAIT_S) == 0
    assert undecided(settings, {bars})
    partition = await recovered(settings, tape)
    assert "undecided" not in caplog.text
    assert undecided(settings, {bars})
    other.abort_transaction(WAIT_S)
    await check(settings, tape, partition)


async def test_a_kept_state_of_a_changelog_made_anew_is_refused(settings: Settings, tape: Tape) -> None:
    state = await kept(settings, tape)
    make_anew(settings, CHANGELOG)
    again = await kept(settings, tape)
    assert again.changelog_offset == state.changelog_offset
    partition = await recovered(settings, tape, state)
    assert partition.warmth == Warmth.COLD
    await partition.writer.close()


async def test_a_standby_takes_over_with_no_more_than_the_rest_of_the_changelog(
    settings: Settings, tape: Tape, caplog: pytest.LogCaptureFixture
) -> None:
    active = await recovered(settings, tape)
    async with standing_by(settings, tape) as states:
        await fold_on(settings, active)
        for first in range(30, 90, 20):
            write_some(tape, first, first + 20)
            await fold_on(settings, active)
        await wait_until_at_the_end(settings, states)
    followed_to = states[PARTITION].changelog_offset
    write_some(tape, 90, 100)
    await fold_on(settings, active)
    await active.writer.close()
    with caplog.at_level("INFO"):
        partition = await recovered(settings, tape, states[PARTITION])
    assert (partition.warmth, partition.next_offset) == (Warmth.STANDBY, 99)
    rest = (active.state.changelog_offset or 0) - (followed_to or 0)
    assert f"partition {PARTITION}: {rest} offsets of the changelog were read" in caplog.text
    await check(settings, tape, partition)


async def test_a_standby_goes_on_after_a_pause_of_its_own(settings: Settings, tape: Tape) -> None:
    active = await recovered(settings, tape)
    await fold_on(settings, active)
    setup = fold_setup(settings, tape)
    async with standing_by(settings, tape) as states:
        await wait_until_at_the_end(settings, states)
    state = states[PARTITION]
    write_some(tape, 30, 40)
    await fold_on(settings, active)
    following = asyncio.create_task(Standbys(setup, states).follow({PARTITION}))
    await wait_until_at_the_end(settings, states)
    following.cancel()
    assert states == {PARTITION: state}
    await active.writer.close()
    partition = await recovered(settings, tape, state)
    assert (partition.warmth, partition.next_offset) == (Warmth.STANDBY, 39)
    await check(settings, tape, partition)


async def test_a_standby_whose_changelog_cannot_be_read_is_given_up(settings: Settings, tape: Tape) -> None:
    active = await recovered(settings, tape)
    await fold_on(settings, active)
    await active.writer.close()
    states: dict[int, FoldState] = {}
    put(settings, (b"no key of ours", b""))
    async with asyncio.timeout(WAIT_S):
        await Standbys(fold_setup(settings, tape), states).follow({PARTITION})
    assert states == {}


async def test_a_standby_through_a_reset_is_not_what_was_before(settings: Settings, tape: Tape) -> None:
    active = await recovered(settings, tape)
    await fold_on(settings, active)
    await active.writer.close()
    async with standing_by(settings, tape) as states:
        await wait_until_at_the_end(settings, states)
    assert run_reset(settings).returncode == 0
    partition = await recovered(settings, tape, states[PARTITION])
    assert partition.next_offset == 0
    await fold_on(settings, partition)
    await partition.writer.close()
    again = [bar for bar in read_bars(settings, tape.avro) if bar["generation"] == 1]
    before = [bar for bar in read_bars(settings, tape.avro) if bar["generation"] == 0]
    assert again == [{**bar, "generation": 1} for bar in before]


async def test_a_standby_that_the_changelog_was_cut_before_is_begun_anew(settings: Settings, tape: Tape) -> None:
    active = await recovered(settings, tape)
    await fold_on(settings, active)
    await active.writer.close()
    async with standing_by(settings, tape) as states:
        await wait_until_at_the_end(settings, states)
    followed = states[PARTITION]
    assert run_reset(settings).returncode == 0
    following = asyncio.create_task(Standbys(fold_setup(settings, tape), states).follow({PARTITION}))
    await wait_until_at_the_end(settings, states)
    following.cancel()
    assert states[PARTITION] is not followed
    partition = await recovered(settings, tape, states[PARTITION])
    assert (partition.warmth, partition.next_offset) == (Warmth.STANDBY, 0)
    await fold_on(settings, partition)
    await partition.writer.close()
