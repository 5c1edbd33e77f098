"""One transaction a flush: what the fold changed, how far it has come, and what it puts out, together or not at all."""

from typing import Final

from confluent_kafka import KafkaException, Message, Producer
from confluent_kafka.error import KafkaError

from agents import crash_points
from agents.dead_letters import Headers, dead_letter_headers, kept
from agents.kernel import Flush
from app.settings import Settings

TRANSACTION_TIMEOUT_MS: Final = 10_000
CHANGELOG: Final = "fold-bars-changelog"
OUTPUTS: Final = ("bars.1s", "bars", "late", "trades.dead")
"""Topics of a flush beside the changelog."""
_WAIT_S: Final = 10.0
_START_WAIT_S: Final = 2.0
_LINGER_MS: Final = 5


class FlushFailed(Exception):
    """The transaction is not known to be committed: the state in memory must not be used any more."""


class Fenced(FlushFailed):
    """Another worker has taken the partition over."""


def transactional_id(settings: Settings, partition: int) -> str:
    """Who starts a producer of this id is the only writer of the partition's state from then on."""
    return f"{settings.namespace}-fold-{partition}"


class FlushWriter:
    """The transactional producer of one partition number. Its methods wait for the broker: call them in a thread.

    Starting it fences every other one of the same partition, so that a worker that was thought dead cannot write.
    """

    def __init__(self, settings: Settings, partition: int) -> None:
        self._settings = settings
        self._partition = partition
        self._delivery_errors: list[KafkaError] = []
        self._producer = Producer(
            {
                **settings.kafka_config,
                "transactional.id": transactional_id(settings, partition),
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "linger.ms": _LINGER_MS,
                "compression.type": "lz4",
                "message.max.bytes": 10_000_000,
                "queue.buffering.max.messages": 1_000_000,
                "delivery.report.only.error": True,  # a report of each record costs as much as the record
            }
        )

    def start(self) -> None:
        """Fence other producers of this partition and end what they left open; waits a moment only.

        Raises:
            KafkaException: the broker refuses; or has not answered yet, then `retriable`, and another call goes on.
        """
        self._producer.init_transactions(_START_WAIT_S)

    def write(self, flush: Flush) -> None:
        """Write one flush in one transaction.

        Raises:
            Fenced: another worker has the partition now.
            FlushFailed: the transaction was not committed, or nobody knows.
        """
        try:
            self._producer.begin_transaction()
            self._produce_all(flush)
            crash_points.reach("before-commit")
            self._producer.commit_transaction(_WAIT_S)
        except KafkaException as error:
            raise _failure(error) from error
        if self._delivery_errors:
            raise FlushFailed(f"{self._delivery_errors[0]}")
        crash_points.reach("after-commit")

    def _produce_all(self, flush: Flush) -> None:
        topic = self._settings.topic
        bars_1s, bars, late, dead = (topic(name) for name in OUTPUTS)
        for name, records in ((bars_1s, flush.bars_1s), (bars, flush.bars)):
            for key, value in records:
                self._produce(name, key, value)
        for late_key, late_value, _offset, _reason in flush.late:
            self._produce(late, late_key, late_value)
        for dead_key, dead_value, offset, reason in flush.dead:
            headers = dead_letter_headers(topic("trades"), self._partition, offset, reason, dead_value)
            self._produce(dead, *kept(dead_key, dead_value), headers)
        crash_points.reach("mid-flush")
        for state_key, state_value in flush.changelog:
            self._produce(topic(CHANGELOG), state_key, state_value)

    def _produce(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, self._partition, headers=headers, on_delivery=self._note_delivery
                )
            except BufferError:
                self._producer.poll(1.0)
            else:
                return

    def _note_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._delivery_errors.append(error)


def _failure(error: KafkaException) -> FlushFailed:
    cause = error.args[0]
    fenced = cause.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)  # noqa: SLF001 - librdkafka's public name
    return (Fenced if fenced else FlushFailed)(cause.str())
