"""Lag by partition: records, and seconds of event time, whatever the wall clock says."""

import math

from confluent_kafka import Producer
from faust.types import TP

from agents.lag import Lag, LagMeter
from app.settings import Settings
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.fold_kit import PARTITIONS, Tape, folding, trade, wait_until_flushed, with_topics

PARTITION = 2


def write(tape: Tape, *at_s: float) -> None:
    """A trade of one partition for each of these times."""
    for number, second in enumerate(at_s):
        tape.raw(tape.avro.write("Trade", trade(str(number), "5", second)), partition=PARTITION)
    tape.flush()


def lag(settings: Settings, next_offset: int) -> Lag:
    tp = TP(settings.topic("trades"), PARTITION)
    return LagMeter(settings).measure({tp: next_offset})[tp]


def test_lag_is_what_the_log_has_behind_a_place(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write(tape, *range(200), 190)
    assert lag(settings, 0) == Lag(201, 199.0)
    assert lag(settings, 1) == Lag(201 - 1, 199.0)
    assert lag(settings, 50) == Lag(151, 150.0)
    assert lag(settings, 200) == Lag(1, 0.0)  # the last trade is older than its neighbours
    assert lag(settings, 201) == Lag(0, 0.0)


def test_clocks_tell_the_time_of_a_quiet_partition_and_garbage_tells_none(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write(tape, 0)
    tape.clock(90)
    tape.raw(b"garbage", partition=PARTITION)
    tape.flush()
    assert lag(settings, 1) == Lag(2, 90.0)
    assert lag(settings, 2) == Lag(1, 0.0)


def test_markers_of_transactions_are_records_that_tell_no_time(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    producer = Producer({**settings.kafka_config, "transactional.id": tape.topic, "log_level": 0})
    producer.init_transactions(WAIT_S)
    for second in range(100):
        producer.begin_transaction()
        producer.produce(tape.topic, tape.avro.write("Trade", trade(str(second), "5", second)), partition=PARTITION)
        producer.commit_transaction(WAIT_S)
    eventually(lambda: lag(settings, 0) == Lag(200, 99.0))  # a commit is answered before its marker is written
    assert lag(settings, 100) == Lag(100, 50.0)


def test_with_no_time_in_sight_there_are_no_seconds(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    for _ in range(3):
        tape.raw(b"garbage", partition=PARTITION)
    tape.flush()
    records, seconds = lag(settings, 1)
    assert records == 2
    assert math.isnan(seconds)


def test_the_worker_shows_the_lag_of_each_of_its_partitions(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write(tape, *range(30))
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        name = f'livetape_fold_lag_records{{partition="{PARTITION}"}}'
        eventually(lambda: f"{name} 0.0" in worker.metrics, lambda: worker.metrics)
        names = [f'livetape_fold_lag_seconds{{partition="{partition}"}}' for partition in range(PARTITIONS)]
        eventually(
            lambda: {f"{name} 0.0" for name in names} <= set(worker.metrics.splitlines()), lambda: worker.metrics
        )
