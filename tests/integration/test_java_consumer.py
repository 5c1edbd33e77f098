"""A Java service that reads `bars` as README tells: Kafka's own consumer, `read_committed`, Avro by the registry."""

import json
from decimal import Decimal

from confluent_kafka import Message, Producer

from app.settings import Settings
from tests.integration.api_kit import WAIT_S
from tests.integration.fold_kit import (
    Stored,
    Tape,
    folding,
    oracles,
    read,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import Fields, differences
from tests.integration.java_source import run_java

TOPIC = "bars"
KEY = "binance:BTC-USDT"


def write_minutes(tape: Tape, first: int, last: int) -> None:
    """A trade each ten seconds of some minutes, and the clock at their end."""
    for second in range(first * 60, last * 60, 10):
        tape.trade(trade(str(second + 1), f"{100 + second % 17}.000000000000000001", second))
    tape.clock(last * 60)
    tape.flush()


def fold(settings: Settings) -> None:
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        assert worker.stop() == 0, worker.log


def abort(settings: Settings, records: list[Stored]) -> list[tuple[int, int]]:
    """Write records again in a transaction that is aborted; partition and offset of each."""
    places = []

    def note(error: object, message: Message) -> None:
        assert error is None
        places.append((message.partition() or 0, message.offset() or 0))

    producer = Producer({**settings.kafka_config, "transactional.id": f"{settings.namespace}-aborted"})
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    for record in records:
        producer.produce(settings.topic(TOPIC), record.value, record.key, record.partition, on_delivery=note)
    assert producer.flush(WAIT_S) == 0
    producer.abort_transaction(WAIT_S)
    return places


def read_by_java(settings: Settings) -> list[tuple[Stored, Fields]]:
    """Every record of `bars` that Java reads, and its fields, by partition and offset."""
    place = settings.kafka_bootstrap, settings.topic(TOPIC), settings.registry_url
    found = []
    for line in run_java("ReadBars.java", *place, stdin="").splitlines():
        partition, offset, key, value, fields = line.split(" ", 4)
        record = Stored(int(partition), int(offset), bytes.fromhex(key), bytes.fromhex(value), {})
        found.append((record, json.loads(fields, parse_float=Decimal)))
    return sorted(found, key=lambda each: each[0][:2])


def test_a_java_consumer_reads_every_committed_bar_and_none_that_was_aborted(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    write_minutes(tape, 0, 3)
    fold(settings)
    aborted = abort(settings, read(settings, TOPIC))
    write_minutes(tape, 3, 6)
    fold(settings)
    stored = read(settings, TOPIC)
    assert stored[0][:2] < min(aborted) < max(aborted) < stored[-1][:2]
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro)) == []

    told = read_by_java(settings)
    assert [record for record, _ in told] == [record._replace(headers={}) for record in stored]
    header = b"\0" + tape.avro.ids["livetape.Bar"].to_bytes(4, "big")
    for record, fields in told:
        assert record.value is not None
        assert record.value.startswith(header)
        assert fields == tape.avro.read(record.value)[1]
        assert record.key == f"{KEY}:{fields['interval']}:{fields['start_ns']}".encode()
