"""`livetape reset`: the state is gone, the log is folded again, and its bars outrank all before."""

import asyncio
import os
import subprocess
import sys
from decimal import Decimal

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.fold.reset import reset_fold
from agents.kernel import CorruptState
from agents.reset import ResetRefused
from agents.transaction import Fenced
from app.settings import Settings
from app.topic_admin import apply
from tests.integration.api_kit import WAIT_S
from tests.integration.broker_files import FORMAT_AT, LAST_OFFSET_DELTA_AT, LENGTH_AT, RECORDS_AT, damage
from tests.integration.fold_kit import (
    Tape,
    folding,
    make_anew,
    oracles,
    read,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import differences
from tests.integration.state_kit import (
    CHANGELOG,
    PARTITION,
    fold_29,
    fold_all,
    lose,
    next_offset,
    put,
    recovered,
    write_some,
)
from tests.unit.agents.kernel.record_sets import KafkaRecord, record_batch

OTHER = 1


def run_reset(settings: Settings) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "reset", "--yes"]
    environment = os.environ | settings.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=WAIT_S)


def begin_another_file(settings: Settings) -> None:
    """Let the broker begin one for what is written to the changelog next."""
    entry = ConfigEntry("segment.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.topic(CHANGELOG), incremental_configs=[entry])
    admin = AdminClient(settings.kafka_config)
    admin.incremental_alter_configs([resource])[resource].result(WAIT_S)


def write_a_minute(tape: Tape, price: str = "100") -> None:
    for number in range(1, 100):
        tape.trade(trade(str(number), price, number))
    tape.clock(300)
    tape.flush()


def test_after_a_reset_the_log_is_folded_again_under_a_generation_that_outranks_the_last(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_a_minute(tape)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    before = read_bars(settings, tape.avro)
    made = run_reset(settings)
    assert made.returncode == 0, made.stderr
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    assert {bar["generation"] for bar in before} == {0}
    again = [bar for bar in read_bars(settings, tape.avro) if bar["generation"] == 1]
    assert len(again) == len(before)
    assert differences(again, oracles(settings, tape.avro)) == []


def test_a_reset_is_refused_while_a_worker_runs(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_a_minute(tape)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        refused = run_reset(settings)
        tape.trade(trade("100", "100", 301))
        tape.flush()
        wait_until_flushed(settings, worker)
    assert refused.returncode == 1
    assert "1 fold workers of" in refused.stderr
    assert "stop them first" in refused.stderr
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []


def test_a_log_made_anew_is_folded_after_a_reset(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_a_minute(tape)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    make_anew(settings, "trades")
    tape = Tape(settings)
    write_a_minute(tape, price="250")
    made = run_reset(settings)
    assert made.returncode == 0, made.stderr
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    newest = [bar for bar in read_bars(settings, tape.avro) if bar["generation"] == 1]
    assert newest
    assert all(bar["high"] == Decimal(250) for bar in newest)


@pytest.mark.parametrize("key", [b"\2X", b"\1B", b"no key of ours"])
async def test_a_changelog_that_cannot_be_read_can_be_after_a_reset(settings: Settings, key: bytes) -> None:
    tape, _ = await fold_29(settings)
    put(settings, (key, b"of another version"))
    with pytest.raises(CorruptState, match="livetape reset"):
        await recovered(settings, tape)
    made = run_reset(settings)
    assert made.returncode == 0, made.stderr
    await fold_all(settings, await recovered(settings, tape))
    assert {action.what for action in apply(settings)} == {"unchanged"}


@pytest.mark.parametrize("at", [FORMAT_AT, LAST_OFFSET_DELTA_AT, RECORDS_AT])
async def test_a_damaged_changelog_is_no_obstacle_to_a_reset(settings: Settings, at: int) -> None:
    """The byte is of the batch with all of the state, its progress record included."""
    tape, changelog = await fold_29(settings)
    other = await recovered(settings, tape, partition=OTHER)
    other.state.fold.fold(record_batch(0, [KafkaRecord(b"no", b"trade")]), [], 0)
    await other.writer.write(other.state.fold.take_flush())
    await other.writer.close()
    damage(settings, changelog[0], at, CHANGELOG)
    with pytest.raises(CorruptState, match="livetape reset"):
        await recovered(settings, tape)
    made = run_reset(settings)
    assert made.returncode == 0, made.stderr
    await fold_all(settings, await recovered(settings, tape))
    assert {bar["generation"] for bar in read_bars(settings, tape.avro)[-2:]} == {1}


async def test_a_reset_that_the_broker_cannot_read_back_says_so_until_it_begins_another_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.partition_reader.POLLS", 3)  # or each look at what the broker does not give takes long
    tape, _ = await fold_29(settings)
    put(settings, (b"no key", b"of ours"))
    damage(settings, read(settings, CHANGELOG)[-1], LENGTH_AT, CHANGELOG)
    with pytest.raises(ResetRefused, match=f"partition {PARTITION}, behind a damaged batch in the same file"):
        await asyncio.to_thread(list, reset_fold(settings))
    begin_another_file(settings)
    await asyncio.to_thread(list, reset_fold(settings))
    await fold_all(settings, await recovered(settings, tape))
    assert {bar["generation"] for bar in read_bars(settings, tape.avro)[-2:]} == {2}


async def test_a_reset_is_refused_where_no_generation_can_be_read(settings: Settings) -> None:
    _, changelog = await fold_29(settings)
    damage(settings, changelog[0], RECORDS_AT, CHANGELOG)
    refused = run_reset(settings)
    assert refused.returncode == 1
    assert f"{settings.topic(CHANGELOG)} is damaged in partition {PARTITION}, " in refused.stderr
    assert "fold the log into another LIVETAPE_NAMESPACE" in refused.stderr


async def test_other_intervals_can_be_folded_after_a_reset(settings: Settings) -> None:
    tape, _ = await fold_29(settings)
    other = settings.model_copy(update={"intervals": ("2s", "1m")})
    with pytest.raises(CorruptState, match="none of the configured intervals"):
        await recovered(other, tape)
    made = run_reset(other)
    assert made.returncode == 0, made.stderr
    await fold_all(other, await recovered(other, tape))


async def test_who_had_the_partition_before_is_fenced(settings: Settings) -> None:
    tape, _ = await fold_29(settings)
    zombie = await recovered(settings, tape)
    write_some(tape, 30, 40)
    log = record_batch(0, [KafkaRecord(record.key, record.value) for record in read(settings, "trades")])
    assert zombie.state.fold.fold(log, [], zombie.next_offset).trades == 10
    assert run_reset(settings).returncode == 0
    with pytest.raises(Fenced):
        await zombie.writer.write(zombie.state.fold.take_flush())
    await zombie.writer.close()


async def test_the_log_may_lose_its_oldest_records_between_a_reset_and_the_next_worker(settings: Settings) -> None:
    tape, _ = await fold_29(settings)
    assert run_reset(settings).returncode == 0
    lose(settings, PARTITION, 20)
    assert await next_offset(settings, tape) == 20


def test_bars_whose_trades_the_log_has_lost_stay_as_they_are(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_a_minute(tape)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    before = read_bars(settings, tape.avro)
    lose(settings, before[0]["partition"], 20)
    assert run_reset(settings).returncode == 0
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        assert "are not published" in worker.log
    assert read_bars(settings, tape.avro) == before
