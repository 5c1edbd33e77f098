"""A user's own per-event agent and table run in the fold's worker as in any Faust app."""

import json
from collections import Counter

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from app.settings import Settings
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.fold_kit import (
    PARTITIONS,
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

APP = "tests.integration.user_app"
NAMES = [f"customer-{number}" for number in range(20)]


def make_topics(settings: Settings) -> None:
    """The user's topics; the changelog has the name that Faust gives it."""
    admin = AdminClient(settings.kafka_config)
    names = ("orders", "calls", "totals", "fold-sums-changelog")
    made = admin.create_topics([NewTopic(settings.topic(name), PARTITIONS) for name in names])
    for done in made.values():
        done.result(WAIT_S)


def order(settings: Settings, quantities: dict[str, list[int]], codec: str = "none", topic: str = "orders") -> None:
    """Write orders, by the partitioner that the fold's topics have."""
    config = {"log_level": 0, "partitioner": "murmur2_random", "compression.type": codec, "linger.ms": 100}
    producer = Producer({**settings.kafka_config, **config})
    for name, all_of_it in quantities.items():
        for quantity in all_of_it:
            producer.produce(settings.topic(topic), json.dumps(quantity), name)
    assert producer.flush(WAIT_S) == 0


def totals(settings: Settings) -> dict[bytes | None, int]:
    """The last total of each customer."""
    return {record.key: json.loads(record.value or b"0") for record in read(settings, "totals")}


def test_a_user_s_agent_sums_its_events_while_trades_are_folded_and_goes_on_after_a_restart(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    make_topics(settings)
    sums: Counter[bytes] = Counter()
    for round_number in range(2):
        quantities = {name: [round_number * 100 + at for at in range(50)] for name in NAMES}
        sums.update({name.encode(): sum(all_of_it) for name, all_of_it in quantities.items()})
        with folding(settings, app=APP) as worker:
            order(settings, quantities)
            for number in range(100):
                tape.trade(trade(str(round_number * 100 + number), "7", round_number * 100 + number))
            tape.clock(round_number * 100 + 100)
            tape.flush()
            wait_until_flushed(settings, worker)
            eventually(lambda: totals(settings) == sums, lambda: f"{totals(settings)}\n{worker.log}")
            assert worker.stop() == 0
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []


def test_a_user_s_agent_reads_what_is_written_with_any_codec_of_kafka(settings: Settings) -> None:
    with_topics(settings)
    make_topics(settings)
    with folding(settings, app=APP) as worker:
        for codec in ("none", "gzip", "lz4", "snappy", "zstd"):
            order(settings, {name: [1] * 100 for name in NAMES}, codec)
        sums = {name.encode(): 500 for name in NAMES}
        eventually(lambda: totals(settings) == sums, lambda: f"{totals(settings)}\n{worker.log}")
        assert worker.stop() == 0


def test_trades_are_folded_while_a_user_s_agent_waits_and_its_records_with_it(settings: Settings) -> None:
    """The worker is killed: asked to end it would let the agent finish."""
    tape = Tape(with_topics(settings))
    make_topics(settings)
    with folding(settings, app=APP) as worker:
        order(settings, {"anna": [1] * 1_000}, topic="calls")
        for number in range(100):
            tape.trade(trade(str(number), "7", number))
        tape.flush()
        wait_until_flushed(settings, worker)
        worker.kill()
