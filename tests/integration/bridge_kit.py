"""What the tests of the bridge share: the real program, simulated exchanges to read, and what came out at both ends.

Kafka is read by the stock consumer and Avro by fastavro, from the schemas of schemas/: nothing of the bridge's own
writing is used to say what it should have written.
"""

import asyncio
import io
import json
import signal
import ssl
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fastavro
import httpx
import zmq
from confluent_kafka import Consumer, TopicPartition

from app.schema_registry import register_all
from app.settings import PROJECT, Settings
from app.sources import VenueConfig, Writer
from app.topic_admin import apply
from cli.parts import BRIDGE, RELAY, bridge_config
from local import certificates, ports
from replay.coinbase import CoinbaseProtocol
from replay.exchange import Exchange
from replay.history import History
from replay.quotes import SimulatedQuote
from replay.recording import RecordedFrame
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName
from tests.integration.api_kit import LOCAL, WAIT_S

POLL_S = 0.2
HEADER = struct.Struct(">bI")
POSITION = struct.Struct(">16sQ")
SCHEMAS = {
    name: fastavro.parse_schema(json.loads((PROJECT / "schemas" / f"{name.lower()}.avsc").read_text()))
    for name in ("Trade", "Clock", "Gap", "Quote", "Candle")
}
Fields = Mapping[str, Any]
_prepared: set[str] = set()
"""Namespaces whose topics are there."""


@dataclass(frozen=True)
class Record:
    """A record of `trades`, its value decoded; `raw` are the value's own bytes."""

    partition: int
    offset: int
    key: str
    kind: str
    fields: Fields
    raw: bytes

    @property
    def sequence(self) -> int:
        """The bridge's number of it."""
        return int(self.fields["bridge_sequence"])


@dataclass(frozen=True)
class Heard:
    """A message that a ZeroMQ subscriber got."""

    topic: str
    session: str
    sequence: int
    value: bytes


class Bridge:
    """A running bridge, or a relay."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, metrics: str, prefix: str) -> None:
        self.process = process
        self._log = log
        self._metrics = metrics
        self._prefix = prefix

    @property
    def log(self) -> str:
        """All that it has said."""
        return self._log.read_text()

    def metrics(self) -> str:
        """The text of /metrics; empty while it does not serve."""
        try:
            return LOCAL.get(f"http://{self._metrics}/metrics").text
        except httpx.TransportError:
            return ""

    def metric(self, sample: str) -> float | None:
        """Value of a sample of /metrics, nothing when there is none."""
        return next((value for name, value in self._samples() if name == f"{self._prefix}{sample}"), None)

    def total(self, counter: str) -> float:
        """A counter of /metrics, of all venues together."""
        return sum(value for name, value in self._samples() if name.startswith(f"{self._prefix}{counter}_total{{"))

    def trades_on_disk(self) -> float:
        """How many trades at least were put on disk, where nothing is but trades and clocks."""
        spooled = self.total("spooled")
        return spooled - self.total("clocks")

    def _samples(self) -> Iterator[tuple[str, float]]:
        lines = (line.rsplit(" ", 1) for line in self.metrics().splitlines() if not line.startswith("#"))
        return ((name, float(value)) for name, value in lines)

    async def counts(self, sample: str, least: float) -> None:
        """Wait until a sample of /metrics has come to a number."""
        await self.until(lambda: (self.metric(sample) or 0) >= least, f"{sample} at {least}")

    async def says(self, text: str) -> None:
        """Wait until it has said something."""
        await self.until(lambda: text in self.log, text)

    async def until(self, condition: Callable[[], bool], wanted: str) -> None:
        """Wait until a condition holds, as long as the bridge runs."""
        deadline = time.monotonic() + WAIT_S
        while not await asyncio.to_thread(condition):
            assert self.process.poll() is None, self._state(wanted)
            assert time.monotonic() < deadline, self._state(wanted)
            await asyncio.sleep(0.02)

    def _state(self, wanted: str) -> str:
        return f"waited for {wanted}\n{self.log}\n{self.metrics()}"

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit code."""
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, WAIT_S)


def bridge_settings(settings: Settings, home: Path, **venues: VenueConfig) -> Settings:
    """The test's settings with these venues and with ports and a folder that no other test has.

    The venues' quotes and candles are read only where a test is about them: others would have their messages to count.
    """
    data, retry, metrics, relay_metrics = ports.free_ports(4)
    venues_file = home / "venues.yaml"
    declared = settings.venues_file.read_text().replace("quotes: true", "quotes: false")
    venues_file.write_text(declared.replace("\n  candles:", "\n  # candles:"))
    return settings.model_copy(
        update={
            "venues_file": venues_file,
            "home": home,
            "venues": venues,
            "zmq_data": f"tcp://127.0.0.1:{data}",
            "zmq_retry": f"tcp://127.0.0.1:{retry}",
            "bridge_metrics": f"127.0.0.1:{metrics}",
            "relay_metrics": f"127.0.0.1:{relay_metrics}",
        }
    )


def with_quotes(settings: Settings) -> Settings:
    """The same settings, and the quotes of the venues that have them are read."""
    return settings.model_copy(update={"venues_file": PROJECT / "venues.yaml"})


@contextmanager
def bridging(settings: Settings, under: Sequence[str] = (), **changes: object) -> Iterator[Bridge]:
    """The bridge as its own process, its topics and schemas in place; it may have ended when the block does.

    `under` comes before its command; `changes` replace parts of its configuration file.
    """
    if settings.namespace not in _prepared:  # the broker may be away later
        apply(settings)
        _prepared.add(settings.namespace)
    command = [*under, str(BRIDGE)]
    with _running(command, settings, changes, settings.bridge_metrics, "livetape_bridge_") as bridge:
        yield bridge


@contextmanager
def relaying(settings: Settings) -> Iterator[Bridge]:
    """The relay as its own process, likewise."""
    with _running([str(RELAY)], settings, {}, settings.relay_metrics, "livetape_relay_") as relay:
        yield relay


@contextmanager
def _running(
    command: Sequence[str], settings: Settings, changes: Mapping[str, object], metrics: str, prefix: str
) -> Iterator[Bridge]:
    name = Path(command[-1]).name
    count = len(list(settings.home.glob(f"{name}-*.log")))
    file, log = (settings.home / f"{name}-{count}.{suffix}" for suffix in ("json", "log"))
    file.write_text(json.dumps({**bridge_config(settings, register_all(settings)), **changes}))
    with log.open("ab") as output:
        process = subprocess.Popen([*command, "--config", str(file)], stdout=output, stderr=output)
    try:
        yield Bridge(process, log, metrics, prefix)
    finally:
        process.kill()
        process.wait(WAIT_S)


def server_tls(certs: certificates.Certificates) -> ssl.SSLContext:
    """The TLS of a simulated exchange."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs.server, certs.key)
    return context


def venue_of(
    name: VenueName,
    exchange: Exchange,
    instruments: Iterable[str],
    ca_file: Path | None,
    writer: Writer = Writer.DIRECT,
) -> VenueConfig:
    """How the bridge finds a simulated exchange, and who writes its trades to Kafka."""
    return VenueConfig(
        url=f"wss://{exchange.address}{PROTOCOLS[name].path}",
        rest_url=f"https://{exchange.address}",
        instruments=tuple(instruments),
        ca_file=ca_file,
        writer=writer,
    )


class Script:
    """A source of trades, quotes and frames that a test writes while the exchange plays it."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[SimulatedTrade | SimulatedQuote | RecordedFrame] = asyncio.Queue()

    def say(self, *items: SimulatedTrade | SimulatedQuote | RecordedFrame) -> None:
        """Play these next."""
        for item in items:
            self._items.put_nowait(item)

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade | SimulatedQuote | RecordedFrame]:
        """The items, as they are written."""
        while True:
            yield await self._items.get()


class Growing(CoinbaseProtocol):
    """Lists its last product only once it `has_grown`."""

    has_grown = False

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """The products without the last, to whoever asks for them."""
        told = super().answer(path, query, history)
        if told is None or path.strip("/") != "products" or self.has_grown:
            return told
        return json.dumps(json.loads(told)[:-1])


class Listener:
    """A ZeroMQ subscriber of everything."""

    def __init__(self, address: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.set(zmq.RCVHWM, 0)
        self._socket.set(zmq.RCVTIMEO, int(WAIT_S * 1000))
        self._socket.subscribe(b"")
        self._socket.connect(address)

    def next(self) -> Heard:
        """The next message."""
        topic, position, value = self._socket.recv_multipart()
        session, sequence = POSITION.unpack(position)
        return Heard(topic.decode(), session.hex(), sequence, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.destroy(linger=0)


def decode(value: bytes, schema_ids: Mapping[str, int]) -> tuple[str, Fields]:
    """Record name and fields of a value behind the wire header."""
    magic, schema_id = HEADER.unpack_from(value)
    assert magic == 0
    name = next(name for name in SCHEMAS if schema_ids[f"livetape.{name}"] == schema_id)
    body = io.BytesIO(value[HEADER.size :])
    fields = fastavro.schemaless_reader(body, SCHEMAS[name], None)
    assert isinstance(fields, dict)
    assert body.read() == b""
    return name, fields


def count_of(settings: Settings, kind: str, topic: str = "trades") -> int:
    """How many records of a kind a topic has now."""
    return sum(record.kind == kind for record in read_topic(settings, topic))


def read_topic(settings: Settings, name: str = "trades") -> list[Record]:
    """All records of a topic, partition by partition."""
    ids = register_all(settings)
    consumer = Consumer({**settings.kafka_config, "group.id": "reader", "enable.auto.commit": False})
    try:
        topic = settings.topic(name)
        partitions = [
            TopicPartition(topic, number, 0) for number in consumer.list_topics(topic).topics[topic].partitions
        ]
        ends = {part.partition: consumer.get_watermark_offsets(part, WAIT_S)[1] for part in partitions}
        consumer.assign(partitions)
        records: list[Record] = []
        while len(records) < sum(ends.values()):
            for message in consumer.consume(1_000, POLL_S):
                assert message.error() is None
                value, key = message.value(), message.key()
                assert isinstance(value, bytes)
                assert isinstance(key, bytes)
                kind, fields = decode(value, ids)
                records.append(
                    Record(message.partition() or 0, message.offset() or 0, key.decode(), kind, fields, value)
                )
    finally:
        consumer.close()
    return sorted(records, key=lambda record: (record.partition, record.offset))


def trades_of(records: Iterable[Record], venue: str) -> list[Record]:
    """A venue's trades in the order of the bridge's numbers."""
    return sorted((each for each in records if each.kind == "Trade" and each.fields["venue"] == venue), key=sequence)


def clocks_of(records: Iterable[Record], venue: str) -> list[Record]:
    """A venue's clock records, in the order of the bridge's numbers, one a partition."""
    return sorted((each for each in records if each.kind == "Clock" and each.fields["venue"] == venue), key=sequence)


def sequence(record: Record) -> int:
    """The bridge's number of a record."""
    return record.sequence


def assert_in_order(records: list[Record]) -> None:
    """The bridge's numbers rise within each partition and key, and have no hole over all of them."""
    newest: dict[tuple[int, str], int] = {}
    for record in records:
        assert newest.get((record.partition, record.key), 0) < record.sequence
        newest[record.partition, record.key] = record.sequence
    assert {record.sequence for record in records} == {*range(1, max(map(sequence, records)) + 1)}


def as_told(record: Record, numbers: Mapping[str, int] | None = None) -> SimulatedTrade:
    """A trade's record as the simulated exchange's ledger has it, amounts without trailing zeros.

    `numbers` are the ledger's numbers of the venue's ids, where these are not the same.
    """
    of = record.fields
    assert of["aggressor"] in ("buy", "sell")
    return SimulatedTrade(
        of["instrument"],
        int(of["trade_id"]) if numbers is None else numbers[of["trade_id"]],
        plain(of["price"]),
        plain(of["size"]),
        of["aggressor"],
        of["event_time_ns"],
    )


def told(trade: SimulatedTrade) -> SimulatedTrade:
    """A ledger's trade, amounts without trailing zeros."""
    amounts = plain(Decimal(trade.price)), plain(Decimal(trade.size))
    return SimulatedTrade(trade.instrument, trade.trade_id, *amounts, trade.aggressor, trade.event_time_ns)


def plain(amount: Decimal) -> str:
    """A decimal's digits, without zeros at their end."""
    return f"{amount.normalize():f}"


async def trades_in(settings: Settings, venue: VenueName = VenueName.BINANCE) -> list[SimulatedTrade]:
    """The venue's trades in Kafka, as they were made: each instrument's are in the order of their numbers."""
    records = await asyncio.to_thread(read_topic, settings)
    assert_in_order(records)
    return [as_told(record) for record in trades_of(records, venue)]
