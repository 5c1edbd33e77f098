"""What is sent of dead letters when one of them cannot be."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from app import dead_letters
from app.dead_letters import MAX_BYTES, CannotSend, DeadLetter, NotAllSent, send
from app.settings import Settings

SETTINGS = Settings()
TRADES = SETTINGS.topic("trades")
PARTITIONS = 4
KEY = b"any"


def a_letter(offset: int, value: bytes = b"\1", **told: Any) -> DeadLetter:
    fields: dict[str, Any] = {"topic": TRADES, "partition": 0, "reason": "any", "key": KEY.hex(), "value": value.hex()}
    return DeadLetter(offset=offset, time=datetime(2026, 3, 9, tzinfo=UTC), **fields | told)


class Broker:
    """A producer of a topic: it refuses or loses what has one of these values, and takes all else."""

    def __init__(self, refused: bytes = b"", lost: bytes = b"", not_queued: bytes = b"") -> None:
        self._refused, self._lost, self._not_queued = refused, lost, not_queued
        self.max_bytes = 0
        self.taken: list[bytes | None] = []
        self._told: list[Callable[[], None]] = []

    def list_topics(self, topic: str, _timeout_s: float) -> SimpleNamespace:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=range(PARTITIONS))})

    def produce(
        self, _topic: str, value: bytes, *_: Any, on_delivery: Callable[[KafkaError | None, Any], None]
    ) -> None:
        if len(value) > self.max_bytes:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        if value == self._not_queued:
            raise KafkaException(KafkaError(KafkaError._FATAL))
        if value == self._refused:
            self._told.append(lambda: on_delivery(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None))
        elif value != self._lost:
            self.taken.append(value)
            self._told.append(lambda: on_delivery(None, None))

    def poll(self, _timeout_s: float) -> None:
        """Tell nothing before all is queued."""

    def flush(self, _timeout_s: float) -> None:
        for tell in self._told:
            tell()


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Callable[[Broker], Broker]:
    def use(broker: Broker) -> Broker:
        def made(config: dict[str, Any]) -> Broker:
            broker.max_bytes = int(config["message.max.bytes"])
            return broker

        monkeypatch.setattr(dead_letters, "check_answers", lambda _: None)
        monkeypatch.setattr(dead_letters, "Producer", made)
        return broker

    return use


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (
            a_letter(3, bytes([1]) * (MAX_BYTES - len(KEY) + 1)),
            "its key and value have 900001 bytes, and at most 900000 are",
        ),
        (
            a_letter(3, value_bytes=900_001),
            'value .* 900001 bytes was kept; put a whole record of at most 900000 there, and leave "value_bytes" out',
        ),
        (
            a_letter(3, key_bytes=900_001),
            'key .* 900001 bytes was kept; put a whole record of at most 900000 there, and leave "key_bytes" out',
        ),
        (a_letter(3, partition=PARTITIONS), "the topic has no such partition"),
        (a_letter(3, partition=-1), "the topic has no such partition"),
        (a_letter(3, partition=-2), "the topic has no such partition"),
    ],
    ids=["too large", "value kept in part", "key kept in part", "no such partition", "any partition", "no partition"],
)
def test_one_that_would_be_refused_is_told_before_the_first_is_sent(
    broker: Callable[[Broker], Broker], bad: DeadLetter, reason: str
) -> None:
    kafka = broker(Broker())
    with pytest.raises(CannotSend, match=f"{TRADES} partition {bad.partition} offset 3: .*{reason}"):
        send(SETTINGS, [a_letter(1), a_letter(2), bad])
    assert kafka.taken == []


def test_one_of_the_largest_that_is_folded_is_sent_whatever_other_producers_keep_to(
    broker: Callable[[Broker], Broker],
) -> None:
    kafka = broker(Broker())
    settings = Settings(kafka_client={"message.max.bytes": "1000"})
    value = bytes([1]) * (MAX_BYTES - len(KEY))
    assert send(settings, [a_letter(1, value)]) == 1
    assert kafka.taken == [value]


@pytest.mark.parametrize(
    ("refusing", "reason", "sent"),
    [
        (Broker(refused=b"\2"), f"{TRADES} partition 0 offset 2: .*too large", 2),
        (Broker(not_queued=b"\2"), f"{TRADES} partition 0 offset 2: .*[Ff]atal", 1),
        (Broker(lost=b"\2"), "Kafka no longer answers", 2),
    ],
    ids=["refused", "not queued", "lost"],
)
def test_where_sending_ends_it_is_told_how_many_were_sent(
    broker: Callable[[Broker], Broker], refusing: Broker, reason: str, sent: int
) -> None:
    broker(refusing)
    with pytest.raises(NotAllSent, match=rf"(?s){reason}.*\nat least {sent} of 3 were sent"):
        send(SETTINGS, [a_letter(1, b"\1"), a_letter(2, b"\2"), a_letter(3, b"\3")])
