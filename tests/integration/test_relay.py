"""Simulated exchange → bridge → ZeroMQ → relay → Kafka, all real: no trade is lost, whichever of them is killed."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.settings import Settings
from app.sources import Writer
from app.topic_admin import apply
from app.units import SECOND_NS
from local import certificates, ports, stack
from local.kafka import Kafka
from replay.exchange import Exchange
from replay.ledger import Ledger, read_ledger
from replay.market import MarketSpec, trades
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.bridge_kit import (
    Bridge,
    Record,
    Script,
    as_told,
    assert_in_order,
    bridge_settings,
    bridging,
    clocks_of,
    read_topic,
    relaying,
    server_tls,
    told,
    trades_of,
    venue_of,
)
from tests.network import Network

VENUE = VenueName.BINANCE
INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
START_NS = 1_700_000_000 * SECOND_NS
PARTITIONS = 4


class Flow:
    """A simulated exchange whose trades a test lets come, some at a time, and its ledger."""

    def __init__(self, settings: Settings, script: Script, ledger: Path) -> None:
        spec = MarketSpec(INSTRUMENTS, rate=1_000, seed=5, resolution_ns=PROTOCOLS[VENUE].resolution_ns)
        self.settings = settings
        self._market = trades(spec, START_NS)
        self._script = script
        self._ledger = ledger
        self._played = 0

    async def play(self, bridge: Bridge, count: int) -> None:
        """Have the exchange make more trades, and wait until the bridge has put them on disk."""
        before = bridge.metric(f'trades_total{{venue="{VENUE}"}}') or 0
        self._script.say(*itertools.islice(self._market, count))
        self._played += count
        await bridge.counts(f'trades_total{{venue="{VENUE}"}}', before + count)
        await bridge.until(lambda: bridge.trades_on_disk() >= before + count, "all trades on disk")

    def ledger(self) -> list[SimulatedTrade]:
        """All that the exchange has made."""
        made = [told(trade) for trade in read_ledger(self._ledger)]
        assert len(made) == self._played
        return made


@asynccontextmanager
async def flowing(settings: Settings, home: Path, certs: certificates.Certificates) -> AsyncIterator[Flow]:
    """An exchange, and settings by which the relay writes it."""
    script, ledger = Script(), home / "ledger.jsonl"
    with Ledger(ledger) as book:
        async with Exchange(protocol_of(VENUE, INSTRUMENTS), script, server_tls(certs), ledger=book) as exchange:
            venue = venue_of(VENUE, exchange, INSTRUMENTS, certs.ca, Writer.RELAY)
            yield Flow(bridge_settings(settings, home, **{VENUE: venue}), script, ledger)


def everything(settings: Settings) -> tuple[list[SimulatedTrade], int]:
    """The trades in the topic in the order of their first coming, each once, and how many came again."""
    first: dict[tuple[str, str], Record] = {}
    records = [record for record in read_topic(settings) if record.kind == "Trade"]
    for record in records:
        first.setdefault((record.fields["instrument"], record.fields["trade_id"]), record)
    by_trade = {as_told(record): record for record in first.values()}
    return list(by_trade), len(records) - len(by_trade)


def assert_no_clock_is_early(records: list[Record]) -> None:
    """No trade comes for the first time behind a clock that was made after it."""
    clocks: dict[tuple[int, str], int] = {}
    seen: set[tuple[int, str, int]] = set()
    for record in records:
        at = (record.partition, record.fields["bridge_session"])
        if record.kind == "Clock":
            clocks[at] = max(clocks.get(at, 0), record.sequence)
        elif (*at, record.sequence) not in seen:
            seen.add((*at, record.sequence))
            assert record.sequence > clocks.get(at, 0)


def by_name(one: SimulatedTrade) -> tuple[str, int]:
    return one.instrument, one.trade_id


async def test_a_relay_whose_connection_died_without_a_word_hears_live_messages_again(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    live = f'live_total{{venue="{VENUE}"}}'
    async with flowing(settings, tmp_path, certs) as flow:
        here, network = flow.settings, Network()
        with network.running():
            proxy = network.link(ports.free_ports(1)[0], int(here.zmq_data.rpartition(":")[2]))
            far = here.model_copy(update={"zmq_data": f"tcp://127.0.0.1:{proxy.port}"})
            with bridging(here) as bridge, relaying(far) as relay:
                await connected(bridge)
                await flow.play(bridge, 10)
                await relay.counts(live, 1)
                proxy.lose()
                await relay.until(lambda: proxy.connections > 1, "a new connection")
                await relay.counts(live, (relay.metric(live) or 0) + 1)
                assert await relay.stop() == 0
                assert await bridge.stop() == 0


async def connected(bridge: Bridge) -> None:
    await bridge.counts(f'frames_total{{venue="{VENUE}"}}', 1)


async def test_the_relay_writes_what_the_bridge_would_have_written(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with flowing(settings, tmp_path, certs) as flow:
        with bridging(flow.settings) as bridge, relaying(flow.settings) as relay:
            await connected(bridge)
            await flow.play(bridge, 20_000)
            await relay.counts("kafka_delivered_total", 20_000)
            assert bridge.metric("kafka_produced_total") == 0
            assert await bridge.stop() == 0
            assert relay.metric(f'lost_total{{venue="{VENUE}"}}') == 0
            assert await relay.stop() == 0
        assert list(flow.settings.home.glob("spool/*/*/*.spool")) == []  # all was confirmed
        records = await asyncio.to_thread(read_topic, flow.settings)
        assert_in_order(records)
        assert [as_told(record) for record in trades_of(records, VENUE)] == flow.ledger()
        clocks = clocks_of(records, VENUE)
        for number in {record.sequence for record in clocks}:
            assert {record.partition for record in clocks if record.sequence == number} == {*range(PARTITIONS)}


async def test_no_trade_is_lost_when_relay_bridge_and_kafka_go_one_after_the_other(
    tmp_path: Path, certs: certificates.Certificates
) -> None:
    servers = stack.on_free_ports(Settings(namespace="test-relay"), tmp_path)
    with stack.running(servers) as running:
        kafka = next(server for server in running.servers if isinstance(server, Kafka))
        async with flowing(servers, tmp_path, certs) as flow:
            with bridging(flow.settings) as bridge:
                await connected(bridge)
                await flow.play(bridge, 1_000)  # nobody relays yet
                with relaying(flow.settings) as relay:
                    await relay.counts("kafka_delivered_total", 1_000)
                    await flow.play(bridge, 1_000)
                    relay.process.kill()
                await flow.play(bridge, 1_000)
                with relaying(flow.settings) as relay:
                    await relay.counts("kafka_delivered_total", 1_000)
                    kafka.stop()
                    await relay.says("Kafka: the brokers are away")
                    await flow.play(bridge, 40_000)  # more than the relay holds
                    relay.process.kill()
                bridge.process.kill()
            with relaying(flow.settings) as relay:
                with bridging(flow.settings) as second:
                    await connected(second)
                    await flow.play(second, 1_000)
                    kafka.launch(detached=False)
                    await asyncio.to_thread(kafka.wait_ready)
                    await relay.counts("kafka_delivered_total", 41_000)
                    second.process.kill()
                with bridging(flow.settings) as third:
                    await connected(third)
                    await flow.play(third, 1_000)
                    assert await third.stop() == 0
                assert relay.metric(f'lost_total{{venue="{VENUE}"}}') == 0
                assert await relay.stop() == 0
            written, doubles = await asyncio.to_thread(everything, flow.settings)
            assert sorted(written, key=by_name) == sorted(flow.ledger(), key=by_name)
            assert 0 <= doubles < 45_000
            assert_no_clock_is_early(await asyncio.to_thread(read_topic, flow.settings))


async def test_a_relay_leaves_a_bridge_of_another_namespace_to_its_own(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with flowing(settings, tmp_path, certs) as flow:
        await asyncio.to_thread(apply, flow.settings)
        replayed = flow.settings.model_copy(update={"namespace": f"{settings.namespace}-replayed"})
        with bridging(replayed) as bridge:
            with relaying(flow.settings) as relay:
                await connected(bridge)
                await flow.play(bridge, 10)
                await relay.says("a bridge of another namespace")
                assert relay.metric("kafka_produced_total") == 0
                assert await relay.stop() == 0
            with relaying(replayed) as relay:
                await relay.counts("kafka_delivered_total", 10)
        assert await asyncio.to_thread(read_topic, flow.settings) == []


async def test_a_second_relay_is_not_heard_until_the_first_is_gone(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with flowing(settings, tmp_path, certs) as flow:
        second = flow.settings.model_copy(
            update={"relay_metrics": bridge_settings(settings, tmp_path).relay_metrics, "home": tmp_path / "second"}
        )
        second.home.mkdir()
        with bridging(flow.settings) as bridge, relaying(flow.settings) as relay:
            await connected(bridge)
            await flow.play(bridge, 10)
            await relay.counts("kafka_delivered_total", 10)
            with relaying(second) as other:
                await other.says("does not answer: it is away, or another relay has its ear")
                await flow.play(bridge, 10)
                await relay.counts("kafka_delivered_total", 20)
                assert other.metric("kafka_produced_total") == 0
                assert await relay.stop() == 0
                await flow.play(bridge, 10)
                await other.until(lambda: len(everything(flow.settings)[0]) >= 30, "every trade in Kafka")
                assert await other.stop() == 0
        written, again = await asyncio.to_thread(everything, flow.settings)
        assert (sorted(written, key=by_name), again) == (sorted(flow.ledger(), key=by_name), 0)
