"""The fold worker while Kafka goes away and comes back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import Settings
from app.topic_admin import apply
from local import stack
from local.kafka import Kafka
from tests.integration.api_kit import eventually
from tests.integration.fold_kit import Tape, folding, oracles, read_bars, trade, wait_until_flushed
from tests.integration.fold_oracle import differences


def write_seconds(tape: Tape, first: int, last: int) -> None:
    """A trade a second."""
    for number in range(first, last):
        tape.trade(trade(str(number), "5", number))
    tape.clock(last)


@contextmanager
def a_minute_written(home: Path) -> Iterator[tuple[Settings, Kafka, Tape]]:
    """Servers of the test's own, so that their Kafka may be stopped, and a minute of trades on it."""
    settings = stack.on_free_ports(Settings(namespace="test-outage"), home)
    with stack.running(settings) as servers:
        apply(settings)
        tape = Tape(settings)
        write_seconds(tape, 1, 60)
        tape.flush()
        yield settings, next(server for server in servers.servers if isinstance(server, Kafka)), tape


def test_the_fold_goes_on_when_kafka_is_back_and_ends_when_asked_though_it_is_away(tmp_path: Path) -> None:
    with a_minute_written(tmp_path) as (settings, kafka, tape), folding(settings) as worker:
        wait_until_flushed(settings, worker)
        kafka.stop()
        write_seconds(tape, 60, 120)
        kafka.launch(detached=False)
        kafka.wait_ready()
        tape.flush()
        wait_until_flushed(settings, worker)
        assert worker.process.poll() is None
        write_seconds(tape, 120, 400)
        tape.flush()
        wait_until_flushed(settings, worker)
        assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []
        kafka.stop()
        assert worker.stop() == 0, worker.log


def test_a_worker_that_is_started_before_kafka_waits_for_it_and_ends_when_asked(tmp_path: Path) -> None:
    with a_minute_written(tmp_path) as (settings, kafka, tape):
        kafka.stop()
        with folding(settings) as worker:
            eventually(lambda: "it is tried again" in worker.log, lambda: worker.log)
            assert worker.stop() == 0, worker.log
        with folding(settings) as worker:
            eventually(lambda: "it is tried again" in worker.log, lambda: worker.log)
            kafka.launch(detached=False)
            kafka.wait_ready()
            write_seconds(tape, 60, 120)
            tape.flush()
            wait_until_flushed(settings, worker)
            assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []
