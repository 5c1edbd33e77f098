"""The dead letters of a namespace: read as they came, and sent again once they are mended."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Final, cast

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.error import KafkaError
from pydantic import BaseModel, ConfigDict, Field

from app.log_end import TIMEOUT_S, committed_reader, records_to_end
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
_HEX: Final = r"^([0-9a-f]{2})*$"
HexBytes = Annotated[str, Field(pattern=_HEX)]


class CannotSend(Exception):
    """A dead letter cannot be sent again as it is; the message says which and why."""


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
    value_bytes: int | None = None
    """How long the value was, where it is kept only in part."""


def read(settings: Settings) -> Iterator[DeadLetter]:
    """Every dead letter that is there now: of trades and then of quotes, partition by partition in the log's order.

    Raises:
        KafkaException: the broker refuses or does not answer, or lacks one of the topics.
    """
    consumer = committed_reader(settings, "dead-letters")
    try:
        for source in SOURCES:
            yield from _read_topic(consumer, settings.topic(f"{source}.dead"))
    finally:
        consumer.close()


def _read_topic(consumer: Consumer, topic: str) -> Iterator[DeadLetter]:
    described = consumer.list_topics(topic, TIMEOUT_S).topics[topic]
    if described.error is not None:
        raise KafkaException(described.error)
    for partition in sorted(described.partitions):
        yield from map(_letter, records_to_end(consumer, topic, partition))


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
        value_bytes=int(said["value_bytes"]) if "value_bytes" in said else None,
    )


def send(settings: Settings, letters: Iterable[DeadLetter]) -> int:
    """Send records to their topics again, each with its key; how many that were.

    A trade or quote goes into the partition of its instrument, which may be another by now, and all else into the one
    that it was in. All are looked at before the first is sent. One that was taken after all is a duplicate there and
    counts once.

    Raises:
        CannotSend: one is of another topic, kept only in part, a batch that could not be read, or has a key that is not
            of its venue and instrument; or the registry does not answer.
        KafkaException: the broker refuses or does not answer.
    """
    reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings))
    sendable = [_placed(reader, _checked(settings, letter)) for letter in letters]
    failed: list[KafkaError] = []

    def note(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer(
        {**settings.kafka_config, "enable.idempotence": True, "partitioner": "murmur2_random", "log_level": 0}
    )
    for letter in sendable:
        produce_in_turn(
            producer, TopicPartition(letter.topic, letter.partition), _bytes(letter.key), _bytes(letter.value), note
        )
        producer.poll(0)
    if producer.flush(TIMEOUT_S) or failed:
        raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's public name
    return len(sendable)


def _bytes(digits: str | None) -> bytes | None:
    return None if digits is None else bytes.fromhex(digits)


def _placed(reader: RecordReader, letter: DeadLetter) -> DeadLetter:
    """A trade or quote that can be read is for the partition of its key, as every producer chooses it.

    In another one, where it may have been before its venue or instrument was mended, it would make a second bar of its
    window, which stands in the place of the one that there is.
    """
    try:
        name, fields = reader.read(_bytes(letter.value))
    except BadRecord:
        return letter
    except RegistryAway as error:
        raise CannotSend(f"{_where(letter)}: nobody can tell of which instrument it is: {error}") from error
    if name not in KEYED:
        return letter
    key = f"{fields['venue']}:{fields['instrument']}".encode()
    if _bytes(letter.key) != key:
        raise CannotSend(
            f"{_where(letter)}: its value is of {fields['venue']}:{fields['instrument']}, and its key is another: "
            f'put "key": "{key.hex()}" there'
        )
    return letter.model_copy(update={"partition": BY_KEY})


def _where(letter: DeadLetter) -> str:
    return f"{letter.topic} partition {letter.partition} offset {letter.offset}"


def _checked(settings: Settings, letter: DeadLetter) -> DeadLetter:
    where = _where(letter)
    topics = [settings.topic(source) for source in SOURCES]
    if letter.topic not in topics:
        raise CannotSend(f"{where}: not of {' or '.join(topics)}, the logs of this namespace")
    if letter.value_bytes is not None and len(letter.value or "") // 2 < letter.value_bytes:
        raise CannotSend(
            f"{where}: only the first part of its {letter.value_bytes} bytes was kept; put the whole there"
        )
    if letter.key is None and letter.reason.startswith("the record batch "):
        raise CannotSend(f"{where}: a whole batch that could not be read; send its records one by one")
    return letter
