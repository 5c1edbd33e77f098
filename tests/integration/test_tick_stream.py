"""A stream of ticks on a real bridge, ZeroMQ and Kafka: all that the bridge published, whatever did not arrive."""

import asyncio
import io
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import fastavro
import pytest
import zmq
import zmq.asyncio
from confluent_kafka import Producer

from app.schema_registry import register_all
from app.settings import Settings
from app.tick_stream import Lost, Origin, Tick, TickStream
from app.tick_stream import stream as stream_module
from app.tick_stream.sessions import mark_of_namespace
from app.topic_admin import apply
from app.units import SECOND_NS
from local import certificates, ports
from replay.exchange import Exchange
from replay.market import MarketSpec, trades
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import (
    HEADER,
    POSITION,
    SCHEMAS,
    bridge_settings,
    bridging,
    read_topic,
    sequence,
    server_tls,
    venue_of,
)

VENUE = VenueName.BINANCE
INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
TRADES = 30_000
START_NS = 1_700_000_000 * SECOND_NS
PARTITIONS = 4
ZERO, ONE, TWO, THREE = (number * 12 for number in (b"0", b"1", b"2", b"3"))
"""Sessions, without the mark of their namespace."""


class Market:
    """Trades that come one by one until they are let go."""

    def __init__(self) -> None:
        spec = MarketSpec(INSTRUMENTS, rate=1_000, seed=3, resolution_ns=PROTOCOLS[VENUE].resolution_ns)
        self._trades = itertools.islice(trades(spec, START_NS), TRADES)
        self.is_heard = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        for trade in self._trades:
            yield trade
            if not self.is_heard.is_set():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def lossy(settings: Settings, loses: Callable[[int], bool]) -> AsyncIterator[Settings]:
    """A ZeroMQ publisher between bridge and subscriber that loses messages by their number."""
    (port,) = ports.free_ports(1)
    address = f"tcp://127.0.0.1:{port}"
    with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as source, context.socket(zmq.PUB) as sink:
        for socket in (source, sink):
            socket.set(zmq.LINGER, 0)
        source.set(zmq.RCVHWM, 0)
        sink.set(zmq.SNDHWM, 0)
        source.subscribe(b"")
        source.connect(settings.zmq_data)
        sink.bind(address)

        async def forward() -> None:
            while True:
                frames = await source.recv_multipart()
                if not loses(POSITION.unpack(frames[1])[1]):
                    await sink.send_multipart(frames)

        task = asyncio.create_task(forward())
        try:
            yield settings.model_copy(update={"zmq_data": address})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def follow(
    settings: Settings, home: Path, certs: certificates.Certificates, loses: Callable[[int], bool], **heard: str
) -> tuple[list[Tick | Lost], Settings]:
    """What a stream hands out of a whole market behind a publisher that loses messages.

    `heard` are the stream's own settings.
    """
    market = Market()
    items: list[Tick | Lost] = []
    async with Exchange(protocol_of(VENUE, INSTRUMENTS), market, server_tls(certs)) as exchange:
        here = bridge_settings(settings, home, **{VENUE: venue_of(VENUE, exchange, INSTRUMENTS, certs.ca)})
        with bridging(here) as bridge:
            async with lossy(here, loses) as far, TickStream(far.model_copy(update=heard)) as stream:
                async with asyncio.timeout(WAIT_S):
                    items.append(await anext(stream))
                    market.is_heard.set()
                    await bridge.counts(f'trades_total{{venue="{VENUE}"}}', TRADES)
                    last = int(bridge.metric("zeromq_sent_total") or 0)
                    while (item := items[-1]) and not (isinstance(item, Tick) and item.sequence >= last):
                        items.append(await anext(stream))
            assert await bridge.stop() == 0
    return items, here


def assert_all_of_the_topic(items: list[Tick | Lost], settings: Settings) -> None:
    """Every message from the first to the last, once and in order, each with the key and bytes that Kafka has."""
    assert all(isinstance(item, Tick) for item in items), [item for item in items if isinstance(item, Lost)]
    ticks = [item for item in items if isinstance(item, Tick)]
    by_sequence = {sequence(record): record for record in read_topic(settings)}
    numbers = range(ticks[0].sequence, ticks[-1].sequence + 1)
    assert [(tick.sequence, tick.key, tick.value) for tick in ticks] == [
        (number, by_sequence[number].key, by_sequence[number].raw) for number in numbers
    ]
    assert {tick.session.hex() for tick in ticks} == {
        record.fields["bridge_session"] for record in by_sequence.values()
    }


async def test_what_was_missed_comes_from_the_bridges_memory(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    items, here = await follow(settings, tmp_path, certs, lambda number: number % 1_000 in (400, 401, 777))
    assert_all_of_the_topic(items, here)
    origins = [item.origin for item in items if isinstance(item, Tick)]
    assert origins.count(Origin.MEMORY) > TRADES // 1_000
    assert Origin.KAFKA not in origins


async def test_what_the_bridge_does_not_answer_for_comes_from_kafka(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    (nobody,) = ports.free_ports(1)
    missed = range(2_000, 28_000)
    items, here = await follow(
        settings, tmp_path, certs, lambda number: number in missed, zmq_retry=f"tcp://127.0.0.1:{nobody}"
    )
    assert_all_of_the_topic(items, here)
    kafka = [item.sequence for item in items if isinstance(item, Tick) and item.origin is Origin.KAFKA]
    assert kafka == list(missed)


async def test_what_is_no_longer_in_the_bridges_memory_comes_from_kafka(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    small = settings.model_copy(update={"retry_mb": 1})  # 30,000 messages take 4 MB
    items, here = await follow(small, tmp_path, certs, lambda number: 2_000 <= number < 28_000)
    assert_all_of_the_topic(items, here)


class PretendedBridge:
    """Publishes clocks of its sessions, on ZeroMQ with no memory and in Kafka, each where a test wants it.

    They are a second apart. In Kafka it has gaps, quotes and candles as well.
    """

    def __init__(self, settings: Settings, socket: "zmq.Socket[bytes]") -> None:
        self._settings = settings
        self._mark = mark_of_namespace(settings.namespace)
        self._schema_ids = register_all(settings)
        self._producer = Producer(settings.kafka_config)
        self._socket = socket
        socket.set(zmq.RCVTIMEO, int(WAIT_S * 1000))
        socket.bind(settings.zmq_data)

    def is_heard(self) -> None:
        """Wait for the subscriber."""
        assert self._socket.recv() == b"\x01"

    def publish(self, session: bytes, *numbers: int) -> None:
        """Send messages to who listens."""
        for number in numbers:
            position = POSITION.pack(self._mark + session, number)
            self._socket.send_multipart([b"binance", position, self._clock(session, number)])

    def write(self, session: bytes, *numbers: int) -> None:
        """Write them to every partition of the topics that have clocks."""
        for number, topic, partition in itertools.product(numbers, ("trades", "quotes"), range(PARTITIONS)):
            self._producer.produce(self._settings.topic(topic), self._clock(session, number), b"binance", partition)
        assert self._producer.flush(WAIT_S) == 0

    def write_gap(self, session: bytes, number: int) -> None:
        """Write a gap to its topic."""
        times = {"from_time_ns": START_NS, "to_time_ns": START_NS, "reason": "the history does not have them"}
        self._write_to("gaps", self._value("Gap", session, number, instrument="BTC-USDT", **times))

    def write_quote(self, session: bytes, number: int) -> None:
        """Write a quote to its topic."""
        times = {"event_time_ns": START_NS, "receive_time_ns": START_NS}
        self._write_to("quotes", self._value("Quote", session, number, instrument="BTC-USDT", **times))

    def write_candle(self, session: bytes, number: int) -> None:
        """Write a candle to its topic."""
        amounts = dict.fromkeys(("open", "high", "low", "close", "volume"), Decimal(1))
        times = {"interval": "1m", "start_ns": START_NS, "trade_count": None, "receive_time_ns": START_NS}
        self._write_to("candles", self._value("Candle", session, number, instrument="BTC-USDT", **amounts, **times))

    def write_foreign(self, number: int) -> None:
        """Write what reads as a clock, of a producer whose sessions have another form."""
        times = {"time_ns": START_NS, "bridge_session": "of a producer of one's own"}
        self._write_to("quotes", self._value("Clock", ONE, number, **times))

    def _write_to(self, topic: str, value: bytes) -> None:
        self._producer.produce(self._settings.topic(topic), value, b"binance:BTC-USDT")
        assert self._producer.flush(WAIT_S) == 0

    def _clock(self, session: bytes, number: int) -> bytes:
        return self._value("Clock", session, number, time_ns=START_NS + number * SECOND_NS)

    def _value(self, kind: str, session: bytes, number: int, **fields: object) -> bytes:
        of_all = {"venue": "binance", "bridge_session": (self._mark + session).hex(), "bridge_sequence": number}
        body = io.BytesIO()
        fastavro.schemaless_writer(body, SCHEMAS[kind], {**of_all, **fields})
        return HEADER.pack(0, self._schema_ids[f"livetape.{kind}"]) + body.getvalue()


@pytest.fixture
def pretended(settings: Settings) -> Iterator[PretendedBridge]:
    apply(settings)
    with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.set(zmq.LINGER, 0)
        yield PretendedBridge(settings, socket)


async def numbers_of(stream: TickStream, count: int) -> list[tuple[bytes, int] | tuple[bytes, int, int | None]]:
    """The next items, by their numbers."""
    items = [await anext(stream) for _ in range(count)]
    return [
        (item.session[-12:], item.sequence) if isinstance(item, Tick) else (item.session[-12:], item.first, item.last)
        for item in items
    ]


async def test_what_nobody_has_is_told_in_its_place_and_the_stream_goes_on(
    settings: Settings, pretended: PretendedBridge
) -> None:
    async with asyncio.timeout(WAIT_S), TickStream(settings) as stream:
        await asyncio.to_thread(pretended.is_heard)
        pretended.publish(ONE, 1, 8)
        pretended.write(ONE, 1, 2, 3, 6, 8, 10)
        pretended.publish(ONE, 9)
        told = await numbers_of(stream, 7)
    assert told == [(ONE, 1), (ONE, 2), (ONE, 3), (ONE, 4, 5), (ONE, 6), (ONE, 7, 7), (ONE, 8)]


async def test_what_was_handed_out_hours_after_it_came_to_the_log_has_what_is_behind_it(
    settings: Settings, pretended: PretendedBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "time", SimpleNamespace(time=lambda: time.time() + 3 * 60 * 60))

    async def go_on() -> None:
        for number in itertools.count(5):
            await asyncio.to_thread(pretended.write, ONE, number)

    pretended.write(ONE, 1, 2, 3, 4)
    async with asyncio.timeout(WAIT_S), TickStream(settings) as stream:
        await asyncio.to_thread(pretended.is_heard)
        writing = asyncio.create_task(go_on())
        pretended.publish(ONE, 1, 4, 5)
        told = await numbers_of(stream, 4)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert told == [(ONE, 1), (ONE, 2), (ONE, 3), (ONE, 4)]


async def test_what_was_handed_out_hours_after_it_came_has_what_is_behind_it_in_a_log_that_rests(
    settings: Settings, pretended: PretendedBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "time", SimpleNamespace(time=lambda: time.time() + 3 * 60 * 60))
    pretended.write(ONE, 1, 2, 3, 4, 5)
    async with asyncio.timeout(WAIT_S), TickStream(settings) as stream:
        await asyncio.to_thread(pretended.is_heard)
        pretended.publish(ONE, 1, 4, 5)
        told = await numbers_of(stream, 5)
    assert told == [(ONE, 1), (ONE, 2), (ONE, 3), (ONE, 4), (ONE, 5)]


async def test_gaps_quotes_and_candles_that_were_missed_come_from_their_topics(
    settings: Settings, pretended: PretendedBridge
) -> None:
    async with asyncio.timeout(WAIT_S), TickStream(settings) as stream:
        await asyncio.to_thread(pretended.is_heard)
        pretended.write(ONE, 1)
        pretended.write_gap(ONE, 2)
        pretended.write_quote(ONE, 3)
        pretended.write_candle(ONE, 4)
        pretended.write_foreign(5)
        pretended.write(ONE, 6, 8)
        pretended.publish(ONE, 1, 6)
        items = [await anext(stream) for _ in range(6)]
    assert items[4] == Lost(
        "binance", mark_of_namespace(settings.namespace) + ONE, 5, 5, "neither the bridge nor Kafka has them"
    )
    ticks = [item for item in items if isinstance(item, Tick)]
    assert [(tick.sequence, tick.key) for tick in ticks] == [
        (1, "binance"),
        (2, "binance:BTC-USDT"),
        (3, "binance:BTC-USDT"),
        (4, "binance:BTC-USDT"),
        (6, "binance"),
    ]


async def test_the_end_of_a_session_and_sessions_that_nobody_heard_come_from_kafka(
    settings: Settings, pretended: PretendedBridge
) -> None:
    async with asyncio.timeout(WAIT_S), TickStream(settings) as stream:
        await asyncio.to_thread(pretended.is_heard)
        pretended.write(ZERO, 1, 2)
        pretended.write(ONE, 1, 2, 3, 4)
        pretended.write(TWO, 1, 2)
        pretended.write(THREE, 1, 2, 3)
        pretended.publish(ONE, 2)
        pretended.publish(THREE, 3)
        told = await numbers_of(stream, 8)
    assert told == [(ONE, 2), (ONE, 3), (ONE, 4), (TWO, 1), (TWO, 2), (THREE, 1), (THREE, 2), (THREE, 3)]


async def test_what_does_not_come_in_time_is_given_up(settings: Settings, pretended: PretendedBridge) -> None:
    async with asyncio.timeout(WAIT_S), TickStream(settings, patience_s=0.1) as stream:
        await asyncio.to_thread(pretended.is_heard)
        pretended.publish(ONE, 1, 3)
        pretended.publish(TWO, 2)
        told = await numbers_of(stream, 6)
    assert told == [(ONE, 1), (ONE, 2, 2), (ONE, 3), (ONE, 4, None), (TWO, 1, 1), (TWO, 2)]
