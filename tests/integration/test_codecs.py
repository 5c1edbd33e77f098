"""Every codec, as each family of Kafka clients sends it: what is in the broker's log is what they were given."""

from collections.abc import Sequence
from hashlib import shake_256

from aiokafka import AIOKafkaProducer
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from agents.kernel import read_records
from app.settings import Settings
from tests.integration.api_kit import WAIT_S
from tests.integration.broker_files import RECORDS_AT, largest_batch, segment
from tests.integration.fold_kit import Avro, trade
from tests.integration.java_source import run_java

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ATTRIBUTES_AT = 22  # bytes into a batch; the codec is in the second one's low bits
SNAPPY_FRAME = b"\x82SNAPPY\0"


def values(settings: Settings) -> list[bytes]:
    """Trades that compress well, and one value of noise that no codec makes smaller; 400 KB together."""
    avro = Avro(settings)
    noise = shake_256().digest(150_000)
    return [*(avro.write("Trade", trade(str(number), "5.25", number)) for number in range(2_500)), noise]


def topics(settings: Settings, client: str) -> dict[str, str]:
    """A topic a codec, of one partition; without the namespace."""
    names = {codec: f"{client}-{codec}" for codec in CODECS}
    admin = AdminClient({**settings.kafka_config, "log_level": 0})
    for made in admin.create_topics([NewTopic(settings.topic(name), 1, 1) for name in names.values()]).values():
        made.result(WAIT_S)
    return names


def assert_holds(settings: Settings, topic: str, codec: str, expected: Sequence[bytes]) -> bytes:
    """The log is of this codec, and its values are these; gives the compressed bytes of its largest batch."""
    log = segment(settings, 0, topic).read_bytes()
    batch = largest_batch(log)
    assert batch[ATTRIBUTES_AT] & 0x07 == CODECS[codec]
    records, damaged = read_records(log)
    assert damaged == []
    assert [record.offset for record in records] == list(range(len(expected)))
    assert [record.value for record in records] == list(expected)
    assert codec == "none" or len(log) < 300_000
    return batch[RECORDS_AT:]


def test_librdkafka(settings: Settings) -> None:
    sent = values(settings)
    for codec, topic in topics(settings, "librdkafka").items():
        producer = Producer({**settings.kafka_config, "compression.type": codec, "linger.ms": 1_000})
        for value in sent:
            producer.produce(settings.topic(topic), value)
        assert producer.flush(WAIT_S) == 0
        payload = assert_holds(settings, topic, codec, sent)
        assert not payload.startswith(SNAPPY_FRAME)


def test_java(settings: Settings) -> None:
    sent = values(settings)
    names = topics(settings, "java")
    pairs = [f"{settings.topic(topic)}={codec}" for codec, topic in names.items()]
    lines = "\n".join(value.hex() for value in sent)
    run_java("ProduceCompressed.java", settings.kafka_bootstrap, *pairs, stdin=lines)
    for codec, topic in names.items():
        payload = assert_holds(settings, topic, codec, sent)
        assert payload.startswith(SNAPPY_FRAME) == (codec == "snappy")


async def test_aiokafka_with_gzip_the_one_codec_that_it_needs_no_other_package_for(settings: Settings) -> None:
    sent = values(settings)
    topic = topics(settings, "aiokafka")["gzip"]
    async with AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, compression_type="gzip", linger_ms=1_000, max_batch_size=500_000
    ) as producer:
        for sending in [await producer.send(settings.topic(topic), value) for value in sent]:
            await sending
    assert_holds(settings, topic, "gzip", sent)
