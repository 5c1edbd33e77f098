"""A topic of trades as a busy day leaves one: many instruments, a few of them far busier than the rest."""

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate, product
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import fastavro
from confluent_kafka import Producer

from app.units import SECOND_NS

Json: TypeAlias = Any

VENUE = "bench"
PRICE_PLACES = 2
SIZE_PLACES = 4
SCALE = 18
CLOCK_EVERY_NS = 250_000_000
CLOCK_DELAY_NS = SECOND_NS
START_NS = 1_700_000_040_000_000_000  # a whole minute


@dataclass(frozen=True)
class TradesSpec:
    """What the topic holds: from `start_ns` on, the trades are spread evenly over `span_s` of event time."""

    trades: int
    instruments: int = 1_000
    partitions: int = 4
    span_s: int = 1_800
    seed: int = 1
    start_ns: int = START_NS


@dataclass(frozen=True)
class SchemaIds:
    """Registry ids under which the records are written."""

    trade: int
    clock: int


class Record(NamedTuple):
    """A record of the topic and the partitions that it goes to; -1 is the partition of its key."""

    time_ns: int
    key: bytes
    value: bytes
    partitions: tuple[int, ...] = (-1,)


def produce_trades(bootstrap: str, topics: Sequence[str], spec: TradesSpec, ids: SchemaIds, schemas_dir: Path) -> None:
    """Write the trades of `spec` to each topic, with clocks in every partition, and wait until all are stored."""
    produce(bootstrap, topics, records(spec, ids, schemas_dir))


def produce(bootstrap: str, topics: Sequence[str], wanted: Iterable[Record]) -> None:
    """Write records to each topic and wait until all are stored."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 512 * 1024,
            "enable.idempotence": True,
        }
    )
    for record in wanted:
        for topic, partition in product(topics, record.partitions):
            _send(producer, topic, record.key, record.value, partition)
    producer.flush()


def records(spec: TradesSpec, ids: SchemaIds, schemas_dir: Path) -> Iterator[Record]:
    """The trades of `spec`, and before, between and after them the clocks; the last one closes every window."""
    clock_schema = _without_logical_types(schemas_dir / "clock.avsc")
    everywhere = tuple(range(spec.partitions))

    def clock(time_ns: int) -> Record:
        return Record(time_ns, VENUE.encode(), _clock(time_ns, ids.clock, clock_schema), everywhere)

    next_clock_ns = spec.start_ns
    for event_time_ns, key, value in trades(spec, ids.trade, schemas_dir):
        while event_time_ns >= next_clock_ns:
            yield clock(next_clock_ns)
            next_clock_ns += CLOCK_EVERY_NS
        yield Record(event_time_ns, key, value)
    yield clock(spec.start_ns + (spec.span_s + 3_600) * SECOND_NS)


def trades(spec: TradesSpec, schema_id: int, schemas_dir: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Event time, key and value of each trade, in event-time order."""
    writer = _TradeWriter(schema_id, schemas_dir)
    chance = random.Random(spec.seed)  # noqa: S311 - no secret, and the same topic in every run
    names = [f"I{number:06d}-USD" for number in range(spec.instruments)]
    zipf = list(accumulate(1 / rank for rank in range(1, spec.instruments + 1)))
    prices = [chance.randrange(1_000, 10_000_000) for _ in names]
    counts = [0] * len(names)
    every_instrument = range(len(names))
    step_ns = spec.span_s * SECOND_NS // spec.trades
    event_time_ns = spec.start_ns
    for _ in range(spec.trades):
        which = chance.choices(every_instrument, cum_weights=zipf)[0]
        prices[which] = max(1, prices[which] + chance.randrange(-5, 6))
        counts[which] += 1
        size = chance.randrange(1, 100_000)
        value = writer.write(names[which], counts[which], price=prices[which], size=size, event_time_ns=event_time_ns)
        yield event_time_ns, f"{VENUE}:{names[which]}".encode(), value
        event_time_ns += step_ns


def one_a_second(schema_id: int, schemas_dir: Path, *, instruments: int, seconds: int) -> Iterator[Record]:
    """A trade of every instrument in every second, so that each is a bar of its own, and no clock at the end."""
    writer = _TradeWriter(schema_id, schemas_dir)
    for second in range(seconds):
        event_time_ns = START_NS + second * SECOND_NS
        for number in range(instruments):
            name = f"I{number:06d}-USD"
            price = 1_000 + second % 97
            value = writer.write(name, second + 1, price=price, size=10_000, event_time_ns=event_time_ns)
            yield Record(event_time_ns, f"{VENUE}:{name}".encode(), value)


class _TradeWriter:
    """Trades as the records of a topic."""

    def __init__(self, schema_id: int, schemas_dir: Path) -> None:
        self._schema = _without_logical_types(schemas_dir / "trade.avsc")
        self._header = b"\0" + schema_id.to_bytes(4, "big")

    def write(self, instrument: str, number: int, *, price: int, size: int, event_time_ns: int) -> bytes:
        """A trade's value; price and size in units of their places."""
        trade = {
            "venue": VENUE,
            "instrument": instrument,
            "trade_id": str(number),
            "trade_seq": number,
            "price": _decimal(price, PRICE_PLACES),
            "size": _decimal(size, SIZE_PLACES),
            "aggressor": "buy",
            "event_time_ns": event_time_ns,
            "receive_time_ns": event_time_ns,
        }
        body = BytesIO()
        body.write(self._header)
        fastavro.schemaless_writer(body, self._schema, trade)
        return body.getvalue()


def instruments_of(spec: TradesSpec) -> Iterator[int]:
    """Which instrument each of so many trades may be of, by number: as many different ones as in the topic."""
    chance = random.Random(spec.seed)  # noqa: S311 - no secret
    zipf = list(accumulate(1 / rank for rank in range(1, spec.instruments + 1)))
    return iter(chance.choices(range(spec.instruments), cum_weights=zipf, k=spec.trades))


def _clock(time_ns: int, schema_id: int, schema: Json) -> bytes:
    body = BytesIO()
    body.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(body, schema, {"venue": VENUE, "time_ns": time_ns - CLOCK_DELAY_NS})
    return body.getvalue()


def _decimal(units: int, places: int) -> bytes:
    unscaled: int = units * 10 ** (SCALE - places)
    return unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big")


def _without_logical_types(path: Path) -> Json:
    """The schema with decimals as plain bytes, so that writing millions of them does not pass through `Decimal`."""

    def strip(node: Json) -> Json:
        if isinstance(node, dict):
            return {name: strip(value) for name, value in node.items() if name != "logicalType"}
        if isinstance(node, list):
            return [strip(value) for value in node]
        return node

    return fastavro.parse_schema(strip(json.loads(path.read_text())))


def _send(producer: Producer, topic: str, key: bytes, value: bytes, partition: int) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition)
        except BufferError:
            producer.poll(0.1)
        else:
            return
