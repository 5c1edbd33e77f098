"""What the messages of a bridge become, over a real ZeroMQ socket; no registry and no broker are asked."""

import asyncio
import io
import json
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import fastavro
import pytest
import zmq
import zmq.asyncio

from app.bars import Instrument
from app.catalogue import Catalogue
from app.metrics import Metrics
from app.records import RecordReader
from app.settings import PROJECT, Settings
from app.status import Status
from app.tick_stream import Lost
from app.tick_stream.sessions import mark_of_namespace
from app.ticks import Ticks
from app.venues import Part, Venue
from app.views import BarView
from local import ports

APPLE = Instrument("nasdaq", "AAPL")
APPLE_ELSEWHERE = Instrument("arca", "AAPL")
VENUES = {"arca": Venue(conditions={"Z": (Part.HIGH_LOW, Part.VOLUME)})}
SCHEMA_IDS = {"trade": 1, "gap": 2}
TRADE = {
    **APPLE._asdict(),
    "trade_id": "17",
    "price": Decimal("191.25"),
    "size": Decimal(100),
    "aggressor": "buy",
    "event_time_ns": 1_700_000_000_123_000_000,
    "receive_time_ns": 1_700_000_000_124_000_001,
    "action": "trade",
}
NOTHING = {**TRADE, "price": Decimal(0), "size": Decimal(0), "aggressor": "unknown"}
CANCELLATION = {**NOTHING, "trade_id": "18", "action": "cancel", "refers_to": "17"}
CORRECTION = {**TRADE, "trade_id": "19", "price": Decimal("1.25"), "action": "correct", "refers_to": "17"}
LOST_PACKETS = {
    "venue": "nasdaq",
    "instrument": "*",
    "from_time_ns": 1,
    "to_time_ns": 2,
    "first_missing_id": None,
    "last_missing_id": None,
    "reason": "nobody has them",
}


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.trades: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.lost: list[Mapping[str, Any]] = []

    def trade_happened(self, key: Instrument, message: str) -> None:
        told = json.loads(message)
        assert (told["type"], told["venue"], told["instrument"]) == ("trade", *key)
        self.trades.put_nowait(told["trade"])

    def trades_lost(self, message: str) -> None:
        self.lost.append(json.loads(message))


class Bridge:
    """Publishes messages as a bridge does."""

    def __init__(self, socket: zmq.asyncio.Socket) -> None:
        self._socket = socket
        self._sequence = 0

    async def publish(self, name: str, fields: Mapping[str, Any], *, namespace: str = "live") -> None:
        self._sequence += 1
        key = f"{fields['venue']}:{fields['instrument']}"
        position = struct.pack(">16sQ", mark_of_namespace(namespace) + b"session", self._sequence)
        await self._socket.send_multipart([key.encode(), position, value(name, fields)])


def value(name: str, fields: Mapping[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(json.loads(schema(SCHEMA_IDS[name]))), fields)
    return struct.pack(">bI", 0, SCHEMA_IDS[name]) + body.getvalue()


def schema(schema_id: int) -> str:
    (name,) = (name for name, number in SCHEMA_IDS.items() if number == schema_id)
    return (PROJECT / "schemas" / f"{name}.avsc").read_text()


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(("1m",), BarView(), Status())


@asynccontextmanager
async def bridge_of(told: Told, catalogue: Catalogue) -> AsyncIterator[Bridge]:
    """A bridge whose trades of Apple a listener is told."""
    data, retry = ports.free_ports(2)
    settings = Settings(zmq_data=f"tcp://127.0.0.1:{data}", zmq_retry=f"tcp://127.0.0.1:{retry}")
    reader = RecordReader(settings.schemas_dir, schema)
    ticks = Ticks(settings, venues=VENUES, reader=reader, catalogue=catalogue, metrics=Metrics())
    for instrument in (APPLE, APPLE_ELSEWHERE):
        ticks.subscribe(instrument, told)
    with zmq.asyncio.Context() as context, context.socket(zmq.XPUB) as socket:
        socket.bind(settings.zmq_data)
        running = asyncio.create_task(ticks.run())
        assert await socket.recv() == b"\x01"  # it has subscribed
        yield Bridge(socket)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_only_trades_are_told_as_trades(catalogue: Catalogue) -> None:
    told = Told()
    async with asyncio.timeout(60), bridge_of(told, catalogue) as bridge:
        for fields in (TRADE, CANCELLATION, CORRECTION, {**TRADE, "trade_id": "20", "price": Decimal("191.5")}):
            await bridge.publish("trade", fields)
        first, second = await told.trades.get(), await told.trades.get()
    assert (first["trade_id"], first["price"], first["size"]) == ("17", "191.25", "100")
    assert (second["trade_id"], second["price"]) == ("20", "191.5")


@pytest.mark.parametrize(
    ("instrument", "conditions", "parts"),
    [
        (APPLE, [], ["open_close", "high_low", "volume"]),
        (APPLE, ["hidden"], ["open_close", "high_low", "volume"]),
        (APPLE, ["hidden", "odd-lot"], ["volume"]),
        (APPLE_ELSEWHERE, ["odd-lot"], ["open_close", "high_low", "volume"]),
        (APPLE_ELSEWHERE, ["Z"], ["high_low", "volume"]),
    ],
)
async def test_a_trade_tells_what_it_counts_for(
    catalogue: Catalogue, instrument: Instrument, conditions: list[str], parts: list[str]
) -> None:
    told = Told()
    async with asyncio.timeout(60), bridge_of(told, catalogue) as bridge:
        await bridge.publish("trade", {**TRADE, **instrument._asdict(), "conditions": conditions})
        trade = await told.trades.get()
    assert trade["counts_for"] == parts


async def test_a_trade_of_an_amount_that_nobody_can_write_down_costs_none_of_the_others(catalogue: Catalogue) -> None:
    told = Told()
    async with asyncio.timeout(60), bridge_of(told, catalogue) as bridge:
        await bridge.publish("trade", {**TRADE, "trade_id": "16", "price": b"\x7f" * 2_000})
        await bridge.publish("trade", TRADE)
        trade = await told.trades.get()
    assert trade["trade_id"] == "17"


@pytest.mark.parametrize(("last", "count"), [(9, 7), (None, None)])
def test_who_listens_to_a_venue_is_told_once_what_was_lost_of_it(
    catalogue: Catalogue, last: int | None, count: int | None
) -> None:
    settings, both, other = Settings(), Told(), Told()
    reader = RecordReader(settings.schemas_dir, schema)
    ticks = Ticks(settings, venues=VENUES, reader=reader, catalogue=catalogue, metrics=Metrics())
    for instrument, told in ((APPLE, both), (Instrument("nasdaq", "MSFT"), both), (APPLE_ELSEWHERE, other)):
        ticks.subscribe(instrument, told)
    ticks._lost(Lost("nasdaq", b"session", 3, last, "nobody has them"))
    message = {"type": "lost", "channel": "trades", "venue": "nasdaq", "count": count, "reason": "nobody has them"}
    assert (both.lost, other.lost) == ([message], [])


async def test_a_trade_that_counts_for_nothing_is_not_told(catalogue: Catalogue) -> None:
    told = Told()
    async with asyncio.timeout(60), bridge_of(told, catalogue) as bridge:
        await bridge.publish("trade", {**TRADE, "trade_id": "16", "conditions": ["non-printable", "odd-lot"]})
        await bridge.publish("trade", TRADE)
        trade = await told.trades.get()
    assert trade["trade_id"] == "17"


async def test_messages_of_another_namespace_are_left_out(
    catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    async with asyncio.timeout(60), bridge_of(told, catalogue) as bridge:
        for _ in range(2):
            await bridge.publish("trade", {**TRADE, "trade_id": "16"}, namespace="simulated")
        await bridge.publish("trade", TRADE)
        trade = await told.trades.get()
    assert trade["trade_id"] == "17"
    assert caplog.text.count("a bridge of another namespace is heard") == 1


async def test_a_gap_of_any_instrument_makes_no_instrument(catalogue: Catalogue) -> None:
    told = Told()
    async with asyncio.timeout(60), bridge_of(told, catalogue) as bridge:
        await bridge.publish("gap", LOST_PACKETS)
        await bridge.publish("trade", TRADE)
        await told.trades.get()
    assert catalogue.instruments() == [APPLE]
