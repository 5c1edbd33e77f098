"""The dead letters of a namespace: read as they came, and sent again once they are mended."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final, NamedTuple, cast

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.error import KafkaError
from pydantic import BaseModel, ConfigDict, Field

from app.kafka_admin import check_answers
from app.log_reader import TIMEOUT_S, committed_reader, records_to_end
from app.producing import produce_in_turn
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.settings import Settings

SOURCES: Final = ("trades", "quotes")
"""Topics whose records may be dead letters, on the topic of the same name with `.dead` behind it."""
KEYED: Final = ("livetape.Trade", "livetape.Quote")
"""Records whose partition is that of their key, `venue:instrument`; a clock is in all of them."""
BY_KEY: Final = -1
"""librdkafka's number for the partition that its partitioner chooses."""
MAX_BYTES: Final = 900_000
"""Of a record that is folded or joined and of a dead letter, key and value together: brokers take 1 MiB by default."""
PRODUCER_BYTES: Final = 1_000_000
"""Of a record with all that goes with it: more than any that is sent, whatever the settings keep other producers to."""
_HEX: Final = r"^([0-9a-f]{2})*$"
HexBytes = Annotated[str, Field(pattern=_HEX)]


class CannotSend(Exception):
    """A dead letter cannot be sent again as it is; the message says which and why."""


class NotAllSent(Exception):
    """Sending ended before all were sent; the message says at which and why, and how many were sent."""


class DeadLetter(BaseModel):
    """A record that could not be folded or joined, where it was in its topic, and why it is here.

    Key and value are the record's own bytes in hexadecimal digits, so that whoever mends them sees every byte.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str
    partition: int
    offset: int
    time: datetime
    reason: str
    key: HexBytes | None
    value: HexBytes | None
    key_bytes: int | None = None
    """How long the key was, where it is kept only in part."""
    value_bytes: int | None = None
    """The same of the value."""


class _Placed(NamedTuple):
    """A dead letter, and the partition that it goes into; None where its key tells."""

    letter: DeadLetter
    partition: int | None


def read(settings: Settings) -> Iterator[DeadLetter]:
    """Every dead letter that is there now: of trades and then of quotes, partition by partition in the log's order.

    Raises:
        KafkaAway: nobody answers.
        KafkaException: the broker refuses or no longer answers, or lacks one of the topics.
    """
    check_answers(settings)
    consumer = committed_reader(settings, "dead-letters")
    try:
        for source in SOURCES:
            yield from _read_topic(consumer, settings.topic(f"{source}.dead"))
    finally:
        consumer.close()


def _read_topic(consumer: Consumer, topic: str) -> Iterator[DeadLetter]:
    for partition in _partitions(consumer, topic):
        yield from map(_letter, records_to_end(consumer, topic, partition))


def _partitions(client: Consumer | Producer, topic: str) -> list[int]:
    described = client.list_topics(topic, TIMEOUT_S).topics[topic]
    if described.error is not None:
        raise KafkaException(described.error)
    return sorted(described.partitions)


def _letter(message: Message) -> DeadLetter:
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    said = {name: value.decode() for name, value in headers}
    key, value = message.key(), message.value()
    return DeadLetter(
        topic=said["topic"],
        partition=int(said["partition"]),
        offset=int(said["offset"]),
        time=datetime.fromtimestamp(message.timestamp()[1] / 1_000, UTC),
        reason=said["reason"],
        key=None if key is None else key.hex(),
        value=None if value is None else value.hex(),
        key_bytes=int(said["key_bytes"]) if "key_bytes" in said else None,
        value_bytes=int(said["value_bytes"]) if "value_bytes" in said else None,
    )


def send(settings: Settings, letters: Iterable[DeadLetter]) -> int:
    """Send records to their topics again, each with its key; how many that were.

    A trade or quote goes into the partition of its instrument, which may be another by now, and all else into the one
    that it was in. All are looked at before the first is sent. One that was taken after all is a duplicate there and
    counts once.

    Raises:
        CannotSend: one is of another topic or a partition that is not there, a batch that could not be read, kept only
            in part, larger than what is folded or joined, or has a key that is not of its venue and instrument; or the
            registry does not answer.
        KafkaAway: before the first is sent, nobody answers.
        KafkaException: nor is any sent, the broker lacks one of the topics.
        NotAllSent: the broker refuses one, or no longer answers.
    """
    reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings))
    placed = [_Placed(letter, _partition_of(reader, _checked(settings, letter))) for letter in letters]
    check_answers(settings)
    producer = Producer(
        {
            **settings.kafka_config,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.max.bytes": PRODUCER_BYTES,
            "log_level": 0,
        }
    )
    _check_partitions(producer, placed)
    _send(producer, placed)
    return len(placed)


def _check_partitions(producer: Producer, placed: Sequence[_Placed]) -> None:
    topics = {letter.topic for letter, _ in placed}
    present = {topic: _partitions(producer, topic) for topic in topics}
    for letter, partition in placed:
        if partition is not None and partition not in present[letter.topic]:
            raise CannotSend(f"{_where(letter)}: the topic has no such partition")


def _send(producer: Producer, placed: Sequence[_Placed]) -> None:
    sent: list[DeadLetter] = []
    refused: list[tuple[DeadLetter, KafkaError]] = []

    def note(letter: DeadLetter, error: KafkaError | None, _: Message) -> None:
        if error is None:
            sent.append(letter)
        else:
            refused.append((letter, error))

    for letter, partition in placed:
        at = TopicPartition(letter.topic, BY_KEY if partition is None else partition)
        try:
            produce_in_turn(producer, at, _bytes(letter.key), _bytes(letter.value), partial(note, letter))
        except KafkaException as error:
            refused.append((letter, error.args[0]))
            break
        producer.poll(0)
    producer.flush(TIMEOUT_S)
    if len(sent) < len(placed):
        why = f"{_where(refused[0][0])}: {refused[0][1].str()}" if refused else "Kafka no longer answers"
        known = f"at least {len(sent):,} of {len(placed):,} were sent"
        raise NotAllSent(f"{why}\n{known}; they count once though all are sent again")


def _bytes(digits: str | None) -> bytes | None:
    return None if digits is None else bytes.fromhex(digits)


def _partition_of(reader: RecordReader, letter: DeadLetter) -> int | None:
    """A trade or quote that can be read is for the partition of its key, as every producer chooses it.

    In another one, where it may have been before its venue or instrument was mended, it would make a second bar of its
    window, which stands in the place of the one that there is.
    """
    try:
        name, fields = reader.read(_bytes(letter.value))
    except BadRecord:
        return letter.partition
    except RegistryAway as error:
        raise CannotSend(f"{_where(letter)}: nobody can tell of which instrument it is: {error}") from error
    if name not in KEYED:
        return letter.partition
    key = f"{fields['venue']}:{fields['instrument']}".encode()
    if _bytes(letter.key) != key:
        raise CannotSend(
            f"{_where(letter)}: its value is of {fields['venue']}:{fields['instrument']}, and its key is another: "
            f'put "key": "{key.hex()}" there'
        )
    return None


def _where(letter: DeadLetter) -> str:
    return f"{letter.topic} partition {letter.partition} offset {letter.offset}"


def _checked(settings: Settings, letter: DeadLetter) -> DeadLetter:
    where = _where(letter)
    topics = [settings.topic(source) for source in SOURCES]
    if letter.topic not in topics:
        raise CannotSend(f"{where}: not of {' or '.join(topics)}, the logs of this namespace")
    if letter.key is None and letter.reason.startswith("the record batch "):
        raise CannotSend(f"{where}: a whole batch that could not be read; send its records one by one")
    key_bytes, value_bytes = len(letter.key or "") // 2, len(letter.value or "") // 2
    for part, length, whole in (("key", key_bytes, letter.key_bytes), ("value", value_bytes, letter.value_bytes)):
        if whole is not None and length < whole:
            raise CannotSend(
                f"{where}: of its {part} only the first part of {whole} bytes was kept; put a whole record of at most "
                f'{MAX_BYTES} there, and leave "{part}_bytes" out'
            )
    if key_bytes + value_bytes > MAX_BYTES:
        raise CannotSend(
            f"{where}: its key and value have {key_bytes + value_bytes} bytes, and at most {MAX_BYTES} are taken"
        )
    return letter
