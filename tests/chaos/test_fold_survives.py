"""Fold workers that are killed and frozen while trades come in: no bar is lost, doubled or wrong."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from subprocess import TimeoutExpired

import pytest

from app.settings import CRASH_AT, Settings
from app.units import SECOND_NS
from tests.chaos.market import Market
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.fold_kit import (
    Group,
    Tape,
    Worker,
    folding,
    oracles,
    read,
    read_bars,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import differences

HORIZON_S = 60
KILLS = 10
POINTS = ("mid-flush", "before-commit", "after-commit", "during-recovery")
KILLED = -9
NOT_ITS_OWN = ("fenced, its state is dropped", "its kept state is not what the changelog says")
FLUSHES = "livetape_fold_flush_seconds_count"
PAUSES = "livetape_fold_pause_seconds_count"
PAUSED_S = "livetape_fold_pause_seconds_sum"
RECOVERIES = "livetape_fold_recovery_seconds_count"
STANDBY_LAG = "livetape_fold_standby_lag_records"


@pytest.fixture
def seed() -> int:
    """Of trades and moments; LIVETAPE is not in the name, since tests drop such variables."""
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(2**32)))
    print(f"CHAOS_SEED={seed}")
    return seed


@pytest.fixture
def hasty(settings: Settings) -> Settings:
    """Settings by which a silent worker is given up soon, and bars become too old to correct within the test."""
    intervals = (*settings.intervals, "5s/1s", "5m/1m")
    own = {"session_timeout_ms": 2_000, "horizon_ns": HORIZON_S * SECOND_NS, "intervals": intervals}
    return with_topics(settings.model_copy(update=own))


def check(settings: Settings, tape: Tape) -> None:
    """Every bar and every late trade that the log asks for is there, once."""
    expected = oracles(settings, tape.avro)
    assert differences(read_bars(settings, tape.avro), expected) == []
    log = {(record.partition, record.offset): (record.partition, record.value) for record in read(settings, "trades")}
    late = Counter(log[number, offset] for number, oracle in enumerate(expected) for offset in oracle.late)
    assert Counter((record.partition, record.value) for record in read(settings, "late")) == late
    assert read(settings, "trades.dead") == []
    versions = [version for oracle in expected for versions in oracle.published.values() for version in versions]
    assert {version["state"] for version in versions} == {"final", "revised"}
    assert late
    assert any(oracle.duplicates for oracle in expected)


def wait_until_flushing(worker: Worker) -> None:
    """Wait until a worker has written something from now on."""
    before = worker.counted(FLUSHES)
    eventually(lambda: worker.counted(FLUSHES) > before, lambda: worker.log)


def followed_by(worker: Worker) -> int:
    """How many partitions of others a worker keeps warm, once something was written to each."""
    return worker.metrics.count(f"\n{STANDBY_LAG}{{")


def moments(seed: int) -> Iterator[tuple[bool, float]]:
    """Whether to wait for the first flush, and the seconds after that."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(KILLS):
        is_flushing = number % 3 > 0
        yield is_flushing, chance.uniform(0, 1) if is_flushing else chance.uniform(1, 5)


def test_workers_killed_at_random_and_at_every_named_point_leave_every_bar_right(hasty: Settings, seed: int) -> None:
    tape = Tape(hasty)
    with Market(tape, seed, HORIZON_S):
        for is_flushing, seconds in moments(seed):
            with folding(hasty) as worker:
                if is_flushing:
                    wait_until_flushing(worker)
                with pytest.raises(TimeoutExpired):
                    worker.process.wait(seconds)
                worker.kill()
        for point in POINTS:
            with folding(hasty, **{CRASH_AT: f"{point}:2"}) as worker:
                assert worker.process.wait(WAIT_S) == KILLED, worker.log
        last = folding(hasty)
    with last as worker:
        wait_until_flushed(hasty, worker)
    check(hasty, tape)


def test_a_worker_added_and_one_killed_while_trades_come_in_lose_and_double_nothing(hasty: Settings, seed: int) -> None:
    tape = Tape(hasty)
    group = Group(hasty)
    with folding(hasty) as first:
        with Market(tape, seed, HORIZON_S):
            # Partitions whose state was not restored yet when the other one comes have none that could be kept.
            eventually(lambda: min(group.committed().values(), default=0) > 0, lambda: first.log)
            with folding(hasty) as added:
                eventually(lambda: group.partitions_of_each() == [2, 2], lambda: first.log + added.log)
                wait_until_flushing(first)
                wait_until_flushing(added)
                eventually(lambda: first.counted(PAUSES, state="kept") >= 2, lambda: first.log)
                eventually(lambda: followed_by(first) == 2, lambda: first.log)
                kept = first.counted(PAUSES, state="kept")
                added.kill()
                killed_s = time.monotonic()
                written = group.ends()
            eventually(lambda: all(group.committed()[number] >= end for number, end in written.items()))
            taken_over_s = time.monotonic() - killed_s
            eventually(lambda: group.partitions_of_each() == [4], lambda: first.log)
            eventually(lambda: first.counted(PAUSES, state="kept") >= kept + 2, lambda: first.log)
            eventually(lambda: first.counted(PAUSES, state="standby") >= 2, lambda: first.log)
        wait_until_flushed(hasty, first)
        for state in ("kept", "standby"):
            mean_s = first.counted(PAUSED_S, state=state) / first.counted(PAUSES, state=state)
            print(f"a partition whose state was {state} paused for {mean_s:.2f} s")
    check(hasty, tape)
    print(f"{taken_over_s:.2f} s from the kill to all that was written before it in committed flushes")


def test_two_workers_and_their_standbys_go_on_without_a_third_that_was_killed(hasty: Settings, seed: int) -> None:
    tape = Tape(hasty)
    group = Group(hasty)
    with folding(hasty) as one, folding(hasty) as two, folding(hasty) as three:
        workers = one, two, three
        with Market(tape, seed, HORIZON_S):
            eventually(lambda: group.partitions_of_each() == [1, 1, 2], lambda: one.log + two.log + three.log)
            for worker in workers:
                wait_until_flushing(worker)
            eventually(lambda: sum(map(followed_by, workers)) == 4, lambda: one.log + two.log + three.log)
            three.kill()
            eventually(lambda: group.partitions_of_each() == [2, 2], lambda: one.log + two.log)
            wait_until_flushing(one)
            wait_until_flushing(two)
        wait_until_flushed(hasty, one)
        kept, warm = (
            sum(each.counted(RECOVERIES, state=state) for each in (one, two)) for state in ("kept", "standby")
        )
        assert kept >= 2, one.log + two.log
        print(f"{warm:.0f} partitions were taken over by their standbys; shares that are even come first")
    check(hasty, tape)


def test_a_worker_frozen_until_another_took_over_is_fenced_and_joins_again(hasty: Settings, seed: int) -> None:
    tape = Tape(hasty)
    group = Group(hasty)
    with folding(hasty) as zombie, folding(hasty) as heir:
        with Market(tape, seed, HORIZON_S):
            eventually(lambda: group.partitions_of_each() == [2, 2], lambda: zombie.log + heir.log)
            wait_until_flushing(zombie)
            zombie.pause()
            eventually(lambda: group.partitions_of_each() == [4], lambda: heir.log)
            wait_until_flushing(heir)
            taken_over = group.ends()
            eventually(lambda: all(group.committed()[number] >= end for number, end in taken_over.items()))
            zombie.go_on()
            eventually(lambda: any(said in zombie.log for said in NOT_ITS_OWN), lambda: zombie.log)
            eventually(lambda: group.partitions_of_each() == [2, 2], lambda: zombie.log + heir.log)
            wait_until_flushing(zombie)
        wait_until_flushed(hasty, heir)
    check(hasty, tape)
