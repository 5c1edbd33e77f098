"""Workers come and go: stopped, started again, two in one group, one of them killed."""

from confluent_kafka import Producer

from app.settings import Settings
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.fold_kit import (
    PARTITIONS,
    Group,
    Tape,
    folding,
    oracles,
    read,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import differences

INSTRUMENTS = [f"I{number}-USD" for number in range(24)]
"""Enough for every partition to have some."""


def write_minutes(tape: Tape, first: int, last: int) -> None:
    """A trade of every instrument each ten seconds of some minutes, and the clock at their end."""
    for second in range(first * 60, last * 60, 10):
        for name in INSTRUMENTS:
            tape.trade(trade(str(second + 1), f"{100 + second % 17}.5", second, instrument=name))
    tape.clock(last * 60)
    tape.flush()


def test_a_worker_that_is_asked_to_end_flushes_a_last_time(settings: Settings) -> None:
    seldom = with_topics(settings).model_copy(update={"flush_ms": 3_600_000})
    tape = Tape(seldom)
    write_minutes(tape, 0, 3)
    with folding(seldom) as worker:
        eventually(lambda: worker.counted("livetape_fold_trades_total") == 18 * len(INSTRUMENTS), lambda: worker.log)
        assert read(seldom, "bars") == []
        assert worker.stop() == 0, worker.log
    assert differences(read_bars(seldom, tape.avro), oracles(seldom, tape.avro)) == []


def test_a_worker_that_is_started_again_goes_on_where_the_one_before_has_ended(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_minutes(tape, 0, 3)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        worker.stop()
    write_minutes(tape, 2, 6)  # its first minute is of trades that were delivered already
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        assert worker.counted("livetape_fold_duplicates_total") == 6 * len(INSTRUMENTS)
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []


def test_two_workers_share_the_partitions_and_one_takes_over_from_the_other(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    group = Group(settings)
    with folding(settings) as first, folding(settings) as second:
        eventually(lambda: group.partitions_of_each() == [2, 2], lambda: first.log + second.log)
        write_minutes(tape, 0, 3)
        wait_until_flushed(settings, first)
        assert first.counted("livetape_fold_trades_total") > 0
        assert second.counted("livetape_fold_trades_total") > 0
        second.kill()
        write_minutes(tape, 3, 6)
        wait_until_flushed(settings, first)
        eventually(lambda: group.partitions_of_each() == [4], lambda: first.log)
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []


def test_a_worker_that_is_fenced_while_the_group_counts_on_it_recovers_and_goes_on(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_minutes(tape, 0, 3)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        for partition in range(PARTITIONS):
            names = {"transactional.id": f"{settings.namespace}-fold-{partition}", "log_level": 0}
            Producer({**settings.kafka_config, **names}).init_transactions(WAIT_S)
        write_minutes(tape, 3, 6)
        wait_until_flushed(settings, worker)
        assert "fenced, its state is dropped" in worker.log
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []
