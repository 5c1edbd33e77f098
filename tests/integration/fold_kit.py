"""What the tests of the fold share: trades and clocks on the real broker, a real worker, and what came out of it.

Records are written by fastavro and the stock producer and read back the same way, so that nothing of the fold's own
codecs says what it should have read or written.
"""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import fastavro
import httpx
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from app.schema_registry import register_all
from app.settings import PROJECT, Settings
from app.topic_admin import apply
from app.units import MILLISECOND_NS, SECOND_NS
from local import ports
from tests.integration.api_kit import LOCAL, WAIT_S, eventually
from tests.integration.fold_oracle import Fields, PartitionOracle

START_NS: Final = 1_700_000_100 * SECOND_NS  # a whole minute, five minutes and quarter of an hour
PARTITIONS: Final = 4
_HEADER = struct.Struct(">bI")


def trade(trade_id: str, price: str, at_s: float, **other: Any) -> Fields:
    """A trade of BTC-USDT on Binance, `at_s` seconds after START_NS, received a moment later."""
    event_time_ns = START_NS + round(at_s * 1_000) * MILLISECOND_NS
    return {
        "venue": "binance",
        "instrument": "BTC-USDT",
        "trade_id": trade_id,
        "trade_seq": int(trade_id) if trade_id.isdecimal() else None,
        "price": Decimal(price),
        "size": Decimal("0.5"),
        "aggressor": "buy",
        "event_time_ns": event_time_ns,
        "receive_time_ns": event_time_ns + 5_000_000,
        **other,
    }


class Avro:
    """Writes and reads values of schemas/*.avsc by the registry ids of the settings' registry."""

    def __init__(self, settings: Settings) -> None:
        self.ids = register_all(settings)
        self._schemas = {
            f"livetape.{path.stem.capitalize()}": fastavro.schema.load_schema(str(path))
            for path in settings.schemas_dir.glob("*.avsc")
        }
        self._written_by = {self.ids[name]: (name, self._schemas[name]) for name in self.ids.keys() & self._schemas}
        self._registry_url = settings.registry_url

    def evolve(self, name: str, schema: Fields) -> None:
        """Register another version of the type `livetape.<name>`, and write by it from now on."""
        full_name = f"livetape.{name}"
        url = f"{self._registry_url}/subjects/{full_name}/versions"
        answer = httpx.post(url, json={"schema": json.dumps(schema)}, timeout=WAIT_S).raise_for_status()
        self.ids[full_name] = answer.json()["id"]
        self._schemas[full_name] = fastavro.parse_schema(schema)
        self._written_by[self.ids[full_name]] = (full_name, self._schemas[full_name])

    def write(self, name: str, fields: Fields) -> bytes:
        """The Kafka value of a record of the type `livetape.<name>`."""
        full_name = f"livetape.{name}"
        body = io.BytesIO()
        with localcontext(prec=100):
            fastavro.schemaless_writer(body, self._schemas[full_name], fields)
        return _HEADER.pack(0, self.ids[full_name]) + body.getvalue()

    def read(self, value: bytes) -> tuple[str, Fields]:
        """Record name without namespace, and fields."""
        name, schema = self._written_by[_HEADER.unpack_from(value)[1]]
        with localcontext(prec=100):
            fields = fastavro.schemaless_reader(io.BytesIO(value[_HEADER.size :]), schema, None)
        assert isinstance(fields, dict)
        return name.removeprefix("livetape."), fields


class Tape:
    """Writes `trades` and `quotes` as a bridge does: each to its instrument's partition, a clock into every one."""

    def __init__(self, settings: Settings, **producer: Any) -> None:
        self.avro = Avro(settings)
        self.topic = settings.topic("trades")
        self.quotes = settings.topic("quotes")
        self._producer = Producer(
            {
                **settings.kafka_config,
                "log_level": 0,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                **producer,
            }
        )

    def trade(self, fields: Fields) -> None:
        """Write a trade."""
        self.raw(self.avro.write("Trade", fields), key=f"{fields['venue']}:{fields['instrument']}".encode())

    def quote(self, fields: Fields) -> None:
        """Write a quote."""
        key = f"{fields['venue']}:{fields['instrument']}".encode()
        self.raw(self.avro.write("Quote", fields), key=key, topic=self.quotes)

    def clock(self, at_s: float, venue: str = "binance", topic: str | None = None) -> None:
        """Write a venue's clock, `at_s` seconds after START_NS, into `trades` or another topic."""
        value = self.avro.write("Clock", {"venue": venue, "time_ns": START_NS + round(at_s * 1_000) * MILLISECOND_NS})
        for partition in range(PARTITIONS):
            self.raw(value, key=venue.encode(), partition=partition, topic=topic)

    def raw(
        self,
        value: bytes | None,
        *,
        key: bytes = b"binance:BTC-USDT",
        partition: int = -1,
        topic: str | None = None,
    ) -> None:
        """Write any bytes, into `trades` or another topic."""
        self._producer.produce(topic or self.topic, value, key, partition)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until all is stored; what is written before one flush and not another is a batch of its own."""
        assert self._producer.flush(WAIT_S) == 0


class Worker:
    """A fold worker as its own process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, metrics_port: int) -> None:
        self.process = process
        self._log = log
        self._metrics_port = metrics_port

    @property
    def log(self) -> str:
        """All that the worker has said."""
        return self._log.read_text()

    @property
    def metrics(self) -> str:
        """Its /metrics; empty while it does not answer yet."""
        try:
            return LOCAL.get(f"http://127.0.0.1:{self._metrics_port}/metrics").text
        except httpx.TransportError:
            return ""

    def counted(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that have these labels; 0 while there are none, or no worker answers yet."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait(WAIT_S)

    def stop(self) -> int:
        """Ask it to end, and wait for that; its exit code."""
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def pause(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def folding(settings: Settings, *, app: str | None = None, **environment: str) -> Iterator[Worker]:
    """A fold worker for as long as the block runs: `livetape worker`, or Faust's own command with another app."""
    (port,) = ports.free_ports(1)
    settings = settings.model_copy(update={"worker_metrics_port": port})
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    log = settings.logs_dir / f"worker-{settings.namespace}-{port}.log"
    command = [sys.executable, "-m", "cli", "worker"]
    if app is not None:
        homes = settings.home / "faust"
        homes.mkdir(parents=True, exist_ok=True)
        datadir = tempfile.mkdtemp(prefix=f"{settings.namespace}-", dir=homes)
        faust = str(Path(sys.executable).with_name("faust"))
        command = [faust, "--datadir", datadir, "--app", app, "worker", "--without-web", "--loglevel", "info"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **settings.environment(), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Worker(process, log, port)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(WAIT_S)


class Stored(NamedTuple):
    """A record as the broker has it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


def read(settings: Settings, topic: str, since: Mapping[int, int] | None = None) -> list[Stored]:
    """Every committed record of a topic, by partition and offset; `since` says where a partition is begun."""
    first = since or {}
    consumer = Consumer(
        {
            **settings.kafka_config,
            "group.id": "fold-kit",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    records = []
    try:
        consumer.assign(
            [TopicPartition(settings.topic(topic), number, first.get(number, 0)) for number in range(PARTITIONS)]
        )
        at_end: set[int | None] = set()
        while len(at_end) < PARTITIONS:
            for message in consumer.consume(10_000, timeout=1.0):
                error = message.error()
                if error is None:
                    records.append(_stored(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    at_end.add(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()
    return sorted(records)


def _stored(message: Message) -> Stored:
    partition, offset, key, value = message.partition(), message.offset(), message.key(), message.value()
    assert partition is not None
    assert offset is not None
    assert not isinstance(key, str)
    assert not isinstance(value, str)
    headers = dict(cast("list[tuple[str, bytes]]", message.headers() or []))
    return Stored(partition, offset, key, value, headers)


def read_bars(settings: Settings, avro: Avro) -> list[Fields]:
    """Every committed version of every bar, in the order of each topic."""
    return [avro.read(record.value or b"")[1] for topic in ("bars.1s", "bars") for record in read(settings, topic)]


def oracles(settings: Settings, avro: Avro, dead: Collection[tuple[int, int]] = ()) -> list[PartitionOracle]:
    """What each partition's fold should have made of the log as it is now, without its `dead` (partition, offset)s."""
    made = [PartitionOracle(settings, number) for number in range(PARTITIONS)]
    for record in read(settings, "trades"):
        if (record.partition, record.offset) in dead:
            continue
        name, fields = avro.read(record.value or b"")
        oracle = made[record.partition]
        (oracle.clock if name == "Clock" else oracle.trade)(record.offset, fields)
    return made


class Group:
    """The fold's consumer group, or another worker's that reads `trades`."""

    def __init__(self, settings: Settings, name: str = "fold") -> None:
        self.settings = settings
        self._name = f"{settings.namespace}.{name}"
        self._admin = AdminClient({**settings.kafka_config, "log_level": 0})

    def has_flushed_all(self) -> bool:
        """Whether everything that is in `trades` now is in committed flushes."""
        return self.ends() == self.committed()

    def ends(self) -> dict[int, int]:
        """Where each partition of `trades` ends."""
        consumer = Consumer({**self.settings.kafka_config, "group.id": "fold-kit"})
        try:
            topic = self.settings.topic("trades")
            consumer.list_topics(topic, WAIT_S)  # else a busy broker's partitions are not known yet
            return {
                number: consumer.get_watermark_offsets(TopicPartition(topic, number), WAIT_S)[1]
                for number in range(PARTITIONS)
            }
        finally:
            consumer.close()

    def committed(self) -> dict[int, int]:
        """The group's offsets, 0 where there is none yet."""
        # Not by AdminClient.list_consumer_group_offsets: librdkafka crashes there while the group's coordinator loads.
        consumer = Consumer({**self.settings.kafka_config, "group.id": self._name})
        try:
            topic = self.settings.topic("trades")
            offsets = consumer.committed([TopicPartition(topic, number) for number in range(PARTITIONS)], WAIT_S)
            return {at.partition: max(at.offset, 0) for at in offsets}
        except KafkaException:
            return {}  # the broker has not loaded its groups yet
        finally:
            consumer.close()

    def partitions_of_each(self) -> list[int]:
        """How many partitions each worker of the group has, fewest first."""
        try:
            members = self._admin.describe_consumer_groups([self._name])[self._name].result(WAIT_S).members
        except KafkaException:
            return []  # there is no such group yet
        return sorted(len(member.assignment.topic_partitions) for member in members)


def wait_until_flushed(settings: Settings, worker: Worker) -> None:
    """Wait until the workers have committed everything that is in `trades` now."""
    group = Group(settings)
    eventually(group.has_flushed_all, lambda: f"{group.committed()} of {group.ends()}\n{worker.log}")


def make_anew(settings: Settings, topic: str) -> None:
    """Delete a topic and make it again, empty."""
    name = settings.topic(topic)
    admin = AdminClient({**settings.kafka_config, "log_level": 0})
    admin.delete_topics([name], operation_timeout=WAIT_S)[name].result(WAIT_S)
    eventually(lambda: name not in admin.list_topics(timeout=WAIT_S).topics)  # else it is there still, and not made
    apply(settings)


def with_topics(settings: Settings) -> Settings:
    """The same settings, after their topics were made."""
    apply(settings)
    return settings
