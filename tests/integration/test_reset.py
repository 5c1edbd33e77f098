"""`livetape reset`: the state is gone, the log is folded again, and its bars outrank all before."""

import os
import subprocess
import sys
from decimal import Decimal

from confluent_kafka.admin import AdminClient

from app.settings import Settings
from tests.integration.fold_kit import Tape, folding, oracles, read_bars, trade, wait_until_flushed, with_topics
from tests.integration.fold_oracle import differences


def run_reset(settings: Settings) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "reset", "--yes"]
    environment = os.environ | settings.environment()
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


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
    admin = AdminClient(settings.kafka_config)
    admin.delete_topics([settings.topic("trades")])[settings.topic("trades")].result()
    tape = Tape(with_topics(settings))
    write_a_minute(tape, price="250")
    made = run_reset(settings)
    assert made.returncode == 0, made.stderr
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    newest = [bar for bar in read_bars(settings, tape.avro) if bar["generation"] == 1]
    assert newest
    assert all(bar["high"] == Decimal(250) for bar in newest)
