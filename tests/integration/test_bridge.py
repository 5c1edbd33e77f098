"""Simulated exchanges → bridge → Kafka and ZeroMQ, all real: every trade once, exactly, in order."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from app.partitions import partition_of
from app.settings import Settings
from app.units import SECOND_NS
from local import certificates
from replay.exchange import Exchange
from replay.ledger import Ledger, read_ledger
from replay.market import MarketSpec, trades
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.bridge_kit import (
    Heard,
    Listener,
    as_told,
    assert_in_order,
    bridge_settings,
    bridging,
    clocks_of,
    read_topic,
    sequence,
    server_tls,
    told,
    trades_of,
    venue_of,
)

START_NS = 1_700_000_000 * SECOND_NS
INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
PARTITIONS = 4
TRADES = 20_000


class Market:
    """A seeded market of some trades, slow until a subscriber has heard the bridge, then as fast as it goes.

    It begins when all instruments are subscribed to, for which some venues want a message each.
    """

    def __init__(self, venue: VenueName) -> None:
        spec = MarketSpec(INSTRUMENTS, rate=1_000, seed=7, resolution_ns=PROTOCOLS[venue].resolution_ns)
        self._trades = itertools.islice(trades(spec, START_NS), TRADES)
        self.exchange: Exchange | None = None
        self.is_heard = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        assert self.exchange is not None
        await self.exchange.heard(INSTRUMENTS)
        for trade in self._trades:
            yield trade
            if not self.is_heard.is_set():
                await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("venue", "path"),
    [*((venue, PROTOCOLS[venue].path) for venue in VenueName), (VenueName.BINANCE_USDM, "/market/ws")],
)
async def test_every_trade_of_a_market_is_in_kafka_once_and_on_zeromq(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates, venue: VenueName, path: str
) -> None:
    market, ledger = Market(venue), tmp_path / "ledger.jsonl"
    protocol = protocol_of(venue, INSTRUMENTS)
    with Ledger(ledger) as book:
        async with Exchange(protocol, market, server_tls(certs), ledger=book) as exchange:
            market.exchange = exchange
            read = venue_of(venue, exchange, INSTRUMENTS, certs.ca)
            read = read.model_copy(update={"url": f"wss://{exchange.address}{path}"})
            settings = bridge_settings(settings, tmp_path, **{venue: read})
            with bridging(settings) as bridge, Listener(settings.zmq_data) as listener:
                heard = [await asyncio.to_thread(listener.next)]
                market.is_heard.set()
                await bridge.counts(f'trades_total{{venue="{venue}"}}', TRADES)
                assert await bridge.stop() == 0, bridge.log
                records = await asyncio.to_thread(read_topic, settings)
                last = max(map(sequence, records))
                heard += [await asyncio.to_thread(listener.next) for _ in range(heard[0].sequence, last)]

    written = trades_of(records, venue)
    made = read_ledger(ledger)
    numbers = {protocol.trade_id(trade): trade.trade_id for trade in made}
    assert [as_told(record, numbers) for record in written] == [told(trade) for trade in made]
    assert len(written) == TRADES
    for record in written:
        of = record.fields
        assert record.key == f"{venue}:{of['instrument']}"
        assert record.partition == partition_of(record.key.encode(), PARTITIONS)
        assert of["trade_seq"] == (None if venue is VenueName.BYBIT else int(of["trade_id"]))
        assert START_NS < of["receive_time_ns"] <= of["publish_time_ns"]
        assert of["hardware_time_ns"] is None, "no card stamps frames of a TLS connection"
        assert (of["action"], of["refers_to"], of["conditions"], of["source"]) == ("trade", None, [], "live")
    assert {record.key for record in clocks_of(records, venue)} == {venue}

    with SchemaRegistryClient({"url": settings.registry_url}) as registry:
        stock, topic = AvroDeserializer(registry), SerializationContext(settings.topic("trades"), MessageField.VALUE)
        assert [stock(record.raw, topic) for record in records] == [record.fields for record in records]

    assert_in_order(records)
    (session,) = {record.fields["bridge_session"] for record in records}
    by_sequence = {record.sequence: record for record in records}
    assert heard == [
        Heard(by_sequence[number].key, session, number, by_sequence[number].raw)
        for number in range(heard[0].sequence, last + 1)
    ]
