"""ZeroMQ → `trades` channel: trades as the bridge saw them, provisional until a bar's seq from Kafka covers them."""

import asyncio
import logging
import struct
from collections.abc import Mapping
from typing import Any, Protocol

import zmq
import zmq.asyncio

from app.amounts import PRICE_SCALE, plain, unscaled
from app.bars import Instrument, encode
from app.catalogue import Catalogue
from app.metrics import Metrics
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway

logger = logging.getLogger(__name__)

SEQUENCE = struct.Struct(">16sQ")
"""Second frame: bridge session, and the message's number in it, from 1 over all messages of the venue."""
RECEIVE_QUEUE = 100_000
"""Messages that ZeroMQ holds for us before it drops; a drop shows as a hole."""
DRAIN = 200
"""Messages taken before other tasks get their turn."""
REGISTRY_RETRY_S = 1.0


class TradeListener(Protocol):
    """Who hears of an instrument's trades."""

    def trade_happened(self, key: Instrument, message: str) -> None:
        """Take one trade, already encoded; must not wait."""


class Sequences:
    """Counts what is missing from each venue's stream of numbered messages."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[bytes, int]] = {}

    def missing_before(self, venue: str, session: bytes, sequence: int) -> int:
        """Messages lost just before this one; a new session begins wherever we first hear it."""
        known, last = self._last.get(venue, (b"", 0))
        if session != known:
            self._last[venue] = (session, sequence)
            return 0
        self._last[venue] = (session, max(last, sequence))
        return max(0, sequence - last - 1)


class Ticks:
    """Receives the bridge's messages and passes trades on to who listens for their instrument."""

    def __init__(self, address: str, *, reader: RecordReader, catalogue: Catalogue, metrics: Metrics) -> None:
        self._address = address
        self._reader = reader
        self._catalogue = catalogue
        self._metrics = metrics
        self._sequences = Sequences()
        self._listeners: dict[Instrument, set[TradeListener]] = {}
        self._instruments: dict[bytes, Instrument | None] = {}

    def subscribe(self, key: Instrument, listener: TradeListener) -> None:
        """Begin to tell a listener of the instrument's trades."""
        self._listeners.setdefault(key, set()).add(listener)

    def unsubscribe(self, key: Instrument, listener: TradeListener) -> None:
        """Stop telling the listener of them."""
        listeners = self._listeners.get(key, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(key, None)

    async def run(self) -> None:
        """Receive until cancelled."""
        with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as socket:
            socket.set(zmq.LINGER, 0)
            socket.set(zmq.RCVHWM, RECEIVE_QUEUE)
            socket.subscribe(b"")
            socket.connect(self._address)
            ready: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
            while True:
                await self._take(await socket.recv_multipart())
                await self._drain(ready)

    async def _drain(self, socket: "zmq.Socket[bytes]") -> None:
        """Take what has come meanwhile without a trip through the event loop for each."""
        for _ in range(DRAIN):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            await self._take(frames)
        await asyncio.sleep(0)

    async def _take(self, frames: list[bytes]) -> None:
        try:
            topic, numbers, value = frames
            session, sequence = SEQUENCE.unpack(numbers)
            venue = topic.decode().partition(":")[0]
        except (ValueError, struct.error):
            self._metrics.bad_ticks.inc()
            return
        self._count(venue, session, sequence)
        instrument = self._instrument(topic)
        if instrument is None:
            return
        listeners = self._listeners.get(instrument)
        if listeners:
            await self._tell(instrument, value, listeners)

    def _count(self, venue: str, session: bytes, sequence: int) -> None:
        self._metrics.ticks.labels(venue).inc()
        missing = self._sequences.missing_before(venue, session, sequence)
        if missing:
            self._metrics.tick_holes.labels(venue).inc()
            self._metrics.ticks_missing.labels(venue).inc(missing)

    def _instrument(self, topic: bytes) -> Instrument | None:
        """The instrument of a topic frame; a clock's frame is the venue alone."""
        if topic not in self._instruments:
            venue, _, name = topic.decode().partition(":")
            self._instruments[topic] = Instrument(venue, name) if name else None
            if name:
                self._catalogue.saw_trade(Instrument(venue, name))
        return self._instruments[topic]

    async def _tell(self, instrument: Instrument, value: bytes, listeners: set[TradeListener]) -> None:
        try:
            name, fields = await self._read(value)
        except BadRecord as error:
            self._metrics.bad_ticks.inc()
            logger.warning("trade of %s over ZeroMQ: %s", instrument, error)
            return
        if name == "livetape.Trade":
            message = trade_message(fields)
            for listener in listeners:
                listener.trade_happened(instrument, message)

    async def _read(self, value: bytes) -> tuple[str, Mapping[str, Any]]:
        while self._reader.must_ask(value):
            try:
                return await asyncio.to_thread(self._reader.read, value)
            except RegistryAway as error:  # later trades wait in ZeroMQ's queue; dropping this one would lose it
                logger.warning("trades over ZeroMQ wait: %s", error)
                await asyncio.sleep(REGISTRY_RETRY_S)
        return self._reader.read(value)


def trade_message(fields: Mapping[str, Any]) -> str:
    """The /ws message of a trade; `fields` has decimals as Avro's raw bytes."""
    names = {"venue": fields["venue"], "instrument": fields["instrument"]}
    trade = trade_json(fields, unscaled(fields["price"]), unscaled(fields["size"]))
    return encode({"type": "trade", "channel": "trades", **names, "trade": trade})


def trade_json(fields: Mapping[str, Any], price: int, size: int) -> dict[str, str]:
    """The JSON object of a trade; price and size are integers of scale 18."""
    return {
        "trade_id": fields["trade_id"],
        "price": plain(price, PRICE_SCALE),
        "size": plain(size, PRICE_SCALE),
        "aggressor": fields["aggressor"],
        "event_time_ns": str(fields["event_time_ns"]),
        "receive_time_ns": str(fields["receive_time_ns"]),
    }
