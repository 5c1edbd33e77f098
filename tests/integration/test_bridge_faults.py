"""What the bridge does when an exchange, a certificate, Kafka or its own start is not as it should be."""

import asyncio
import datetime
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from app.sources import VenueConfig, Writer
from app.topic_admin import apply
from app.units import HOUR_NS, MILLISECOND_NS, SECOND_NS
from local import certificates, ports, stack
from local.kafka import Kafka
from replay.coinbase import CoinbaseProtocol
from replay.exchange import Exchange
from replay.history import History
from replay.kraken import KrakenProtocol
from replay.quotes import SimulatedQuote
from replay.recording import RecordedFrame
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import (
    Record,
    Script,
    as_told,
    assert_in_order,
    bridge_settings,
    bridging,
    clocks_of,
    read_topic,
    server_tls,
    told,
    trades_of,
    venue_of,
    with_quotes,
)
from tests.integration.bridge_run import BTC, ETH, START_NS, running, trade

CLOCK_DELAY_NS = SECOND_NS
CLOCK_INTERVAL_NS = 250_000_000
PARTITIONS = 4
SOL = "SOL-USDT"
DAY = datetime.timedelta(days=1)


def binance_frame(**changes: str) -> RecordedFrame:
    """A good frame of Binance with some fields replaced, as JSON text."""
    good = {"t": "77", "p": '"100.1"', "q": '"1"', "T": str(START_NS // MILLISECOND_NS), "s": '"BTCUSDT"', "m": "true"}
    fields = ",".join(f'"{name}":{text}' for name, text in {**good, **changes}.items())
    return RecordedFrame(0, "btcusdt@trade", f'{{"stream":"btcusdt@trade","data":{{"e":"trade",{fields}}}}}')


NOWHERE = VenueConfig(url="wss://localhost:1/stream", rest_url="https://localhost:1", instruments=(BTC,))
"""A venue that nobody serves."""


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    """The settings of a bridge of the test's own."""
    return bridge_settings(settings, tmp_path)


async def trades_in(settings: Settings, venue: VenueName = VenueName.BINANCE) -> list[SimulatedTrade]:
    records = await asyncio.to_thread(read_topic, settings)
    assert_in_order(records)
    return [as_told(record) for record in trades_of(records, venue)]


def rounds(clocks: list[Record]) -> Iterator[Record]:
    """One record of each clock, after checking that every partition has it."""
    assert len(clocks) % PARTITIONS == 0
    for first in range(0, len(clocks), PARTITIONS):
        same = clocks[first : first + PARTITIONS]
        assert {record.partition for record in same} == {*range(PARTITIONS)}
        assert {record.raw for record in same} == {same[0].raw}
        yield same[0]


async def test_the_venues_clock_goes_into_every_partition_in_the_order_of_its_trades(
    here: Settings, certs: certificates.Certificates
) -> None:
    began_ns = time.monotonic_ns()
    async with running(here, certs) as run:
        for one in (trade(1), replace(trade(2), event_time_ns=START_NS + 50 * SECOND_NS)):
            await run.play(one)
            await run.bridge.counts('clocks_total{venue="binance"}', (run.total("clocks") or 0) + 3)
        assert await run.bridge.stop() == 0
    took_ns = time.monotonic_ns() - began_ns
    records = await asyncio.to_thread(read_topic, here)
    assert_in_order(records)
    newest_ns, told_ns = None, None
    clocks = {clock.sequence: clock for clock in rounds(clocks_of(records, VenueName.BINANCE))}
    trades = {record.sequence: record for record in trades_of(records, VenueName.BINANCE)}
    for _, record in sorted({**clocks, **trades}.items()):
        if record.kind == "Trade":
            newest_ns, told_ns = record.fields["event_time_ns"], None
            continue
        time_ns = record.fields["time_ns"]
        assert newest_ns is not None
        assert newest_ns - CLOCK_DELAY_NS <= time_ns <= newest_ns - CLOCK_DELAY_NS + took_ns
        assert told_ns is None or time_ns - told_ns >= CLOCK_INTERVAL_NS
        told_ns = time_ns


async def test_a_lost_connection_comes_back_after_jittered_waits_and_subscribes_again(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        for number in range(1, 5):
            await run.play(trade(number), trade(number, ETH))
            await run.exchange.drop_connections()
            await run.subscribed()
        await run.play(trade(5))
        assert (run.total("connects"), run.total("disconnects"), run.total("failed_connects")) == (5, 4, 0)
        assert await run.bridge.stop() == 0
        waits_ms = [
            int(wait) for wait in re.findall(r"binance: connection lost: .*; next attempt in (\d+) ms", run.bridge.log)
        ]
    bounds_ms = (250, 500, 1_000, 2_000)  # or the first again, should a connection have held for ten seconds
    assert len(waits_ms) == len(bounds_ms)
    assert all(bounds_ms[0] / 2 <= wait <= bound for wait, bound in zip(waits_ms, bounds_ms, strict=True))
    sent = [one for number in range(1, 5) for one in (trade(number), trade(number, ETH))]
    assert await trades_in(here) == [told(one) for one in [*sent, trade(5)]]


async def test_each_bad_frame_is_counted_by_its_reason_and_kept_and_nothing_else_stops(
    here: Settings, certs: certificates.Certificates
) -> None:
    flaws = {
        "time_out_of_range": binance_frame(T="9223372036854775807"),
        "price_out_of_range": binance_frame(p='"1e400"'),
        "size_too_precise": binance_frame(q='"0.0000000000000000001"'),
        "price_not_positive": binance_frame(p='"-1"'),
        "unknown_instrument": binance_frame(s='"DOGEUSDT"'),
        "missing_field": binance_frame(t='"seven"'),
        "bad_trade_id": binance_frame(t="-1"),
        "malformed_json": RecordedFrame(0, "btcusdt@trade", '{"stream": "broken é'),
        "unknown_frame": RecordedFrame(0, "btcusdt@trade", '{"stream":"btcusdt@news","data":{"e":"news"}}'),
    }
    async with running(here, certs) as run:
        for number, frame in enumerate(flaws.values()):
            await run.play(trade(number), frame)
        for reason in flaws:
            assert run.total("decode_errors", reason=reason) == 1, reason
        assert run.total("disconnects") == 0
        assert await run.bridge.stop() == 0
    kept = [json.loads(line) for line in (here.home / "decode-errors" / "binance.jsonl").read_text().splitlines()]
    assert [line["reason"] for line in kept] == list(flaws)
    assert [line["frame"].encode("latin-1").decode() for line in kept] == [frame.text for frame in flaws.values()]
    assert all(line["receive_time_ns"] > START_NS for line in kept)
    assert await trades_in(here) == [told(trade(number)) for number in range(len(flaws))]


async def test_garbage_of_the_exchange_costs_no_trade_and_moves_no_clock(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        run.exchange.faults.garbage(1)
        await run.play(trade(1))
        await run.subscribed(answers=3)  # the garbage: no JSON, a price of 1e400, a trade of 2099
        await run.play(trade(2))
        await run.bridge.counts('clocks_total{venue="binance"}', 2)
        assert run.total("decode_errors", reason="malformed_json") == 1
        assert run.total("decode_errors", reason="price_out_of_range") == 1
        assert await run.bridge.stop() == 0
    records = await asyncio.to_thread(read_topic, here)
    good = [told(trade(1)), told(trade(2))]
    assert [
        as_told(each) for each in trades_of(records, VenueName.BINANCE) if int(each.fields["trade_id"]) < 10
    ] == good
    last_clock = clocks_of(records, VenueName.BINANCE)[-1]
    assert last_clock.fields["time_ns"] < START_NS + HOUR_NS


async def test_a_refused_subscription_is_told_and_the_others_go_on(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    protocol = KrakenProtocol(("FOO-USDT", BTC))
    protocol.suspended.add("FOO/USDT")
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        venue = venue_of(VenueName.KRAKEN, exchange, ("FOO-USDT", BTC), certs.ca)
        settings = here.model_copy(update={"venues": {"kraken": venue}})
        with bridging(settings) as bridge:
            await bridge.counts('refused_subscriptions_total{venue="kraken"}', 1)
            await bridge.says(
                "kraken: the venue refused a subscription, the others go on: Currency pair not supported FOO/USDT"
            )
            script.say(trade(1))
            await bridge.counts('trades_total{venue="kraken"}', 1)
            assert await bridge.stop() == 0


class Delisting(CoinbaseProtocol):
    """Still lists a product that it no longer takes a subscription to."""

    def delist(self, instrument: str) -> None:
        """Take no subscription to it from now on."""
        del self._instruments[instrument]

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """ETH-USDT as well, to whoever asks for the products."""
        told = super().answer(path, query, history)
        if told is None or path.strip("/") != "products":
            return told
        gone = {"id": ETH, "base_currency": "ETH", "quote_currency": "USDT", "status": "online"}
        return json.dumps([*json.loads(told), gone])


async def test_instruments_that_are_refused_for_the_sake_of_another_are_subscribed_to_one_by_one(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    soon_ns = time.time_ns() + 30 * SECOND_NS  # after the connection, however long that takes
    async with Exchange(Delisting((BTC,)), script, server_tls(certs)) as exchange:
        exchange.begin()
        script.say(replace(trade(1), event_time_ns=soon_ns))  # nobody is subscribed, the history alone has it
        venue = venue_of(VenueName.COINBASE, exchange, (ETH, BTC), certs.ca)
        with bridging(here.model_copy(update={"venues": {VenueName.COINBASE: venue}})) as bridge:
            await bridge.says("coinbase: the venue refused a subscription, the others go on: Failed to subscribe")
            await bridge.until(lambda: exchange.is_heard((BTC,)), "a subscription to the other instrument")
            script.say(replace(trade(2), event_time_ns=soon_ns + SECOND_NS))
            await bridge.counts('trades_total{venue="coinbase"}', 1)
            assert await bridge.stop() == 0
    assert [one.trade_id for one in await trades_in(here, VenueName.COINBASE)] == [1, 2]


async def test_instruments_that_are_refused_after_a_lost_connection_are_subscribed_to_one_by_one(
    here: Settings, certs: certificates.Certificates
) -> None:
    script, protocol = Script(), Delisting((ETH, BTC))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        venue = venue_of(VenueName.COINBASE, exchange, (ETH, BTC), certs.ca)
        with bridging(here.model_copy(update={"venues": {VenueName.COINBASE: venue}})) as bridge:
            await exchange.heard((ETH, BTC))
            script.say(replace(trade(1), event_time_ns=time.time_ns()))
            await bridge.counts('trades_total{venue="coinbase"}', 1)
            protocol.delist(ETH)
            await exchange.drop_connections()
            await bridge.says("coinbase: the venue refused a subscription, the others go on: Failed to subscribe")
            soon_ns = time.time_ns() + 30 * SECOND_NS
            script.say(replace(trade(2), event_time_ns=soon_ns))  # nobody is subscribed, the history alone has it
            await bridge.until(lambda: exchange.is_heard((BTC,)), "a subscription to the other instrument")
            script.say(replace(trade(3), event_time_ns=soon_ns + SECOND_NS))
            await bridge.counts('trades_total{venue="coinbase"}', 2)
            assert await bridge.stop() == 0
    assert [one.trade_id for one in await trades_in(here, VenueName.COINBASE)] == [1, 2, 3]


async def test_quotes_that_are_refused_for_the_sake_of_another_instruments_are_subscribed_to_one_by_one(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    soon_ns = time.time_ns() + 30 * SECOND_NS
    async with Exchange(Delisting((BTC,)), script, server_tls(certs)) as exchange:
        exchange.begin()
        script.say(replace(trade(1), event_time_ns=soon_ns))  # by the history, it tells that the trades are silent too
        venue = venue_of(VenueName.COINBASE, exchange, (ETH, BTC), certs.ca)
        with bridging(with_quotes(here.model_copy(update={"venues": {VenueName.COINBASE: venue}}))) as bridge:
            await bridge.until(lambda: exchange.is_heard((BTC,), quotes=True), "subscriptions to the other instrument")
            script.say(SimulatedQuote(BTC, 1, "100.10", "1", "100.20", "2", soon_ns))
            await bridge.counts('quotes_total{venue="coinbase"}', 1)
            assert await bridge.stop() == 0
    quotes = [one for one in await asyncio.to_thread(read_topic, here, "quotes") if one.kind == "Quote"]
    assert [(one.fields["instrument"], one.fields["quote_seq"]) for one in quotes] == [(BTC, 1)]


async def test_the_last_match_before_a_subscription_is_no_trade(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    async with Exchange(CoinbaseProtocol((BTC,)), script, server_tls(certs)) as exchange:
        exchange.history.add(trade(7))  # of long ago
        venue = venue_of(VenueName.COINBASE, exchange, (BTC,), certs.ca)
        with bridging(here.model_copy(update={"venues": {VenueName.COINBASE: venue}})) as bridge:
            await bridge.until(lambda: exchange.is_heard((BTC,)), "a subscription")
            await bridge.counts('frames_total{venue="coinbase"}', 2)
            script.say(replace(trade(8), event_time_ns=time.time_ns()))
            await bridge.counts('trades_total{venue="coinbase"}', 1)
            assert await bridge.stop() == 0
    assert [one.trade_id for one in await trades_in(here, VenueName.COINBASE)] == [8]


async def test_a_venue_that_bars_us_from_its_list_is_read_as_it_called_its_instruments_in_the_last_run(
    here: Settings, certs: certificates.Certificates
) -> None:
    script = Script()
    async with Exchange(protocol_of(VenueName.BYBIT, (BTC, ETH, SOL)), script, server_tls(certs)) as exchange:

        def reading(*instruments: str) -> Settings:
            venue = venue_of(VenueName.BYBIT, exchange, instruments, certs.ca)
            return here.model_copy(update={"venues": {VenueName.BYBIT: venue}})

        with bridging(reading(BTC, ETH)) as bridge:
            await exchange.heard((BTC, ETH))
            assert await bridge.stop() == 0
        exchange.faults.refuse(1_000_000, HTTPStatus.FORBIDDEN)
        with bridging(reading(BTC, ETH, SOL)) as bridge:
            await bridge.says("bybit: begins with the 2 instruments that the last run knew")
            await bridge.counts('frames_total{venue="bybit"}', 1)  # the answer to its subscriptions
            sent = [replace(trade(1, name), event_time_ns=time.time_ns()) for name in (BTC, ETH)]
            script.say(*sent)
            await bridge.counts('trades_total{venue="bybit"}', 2)
            assert "does not list" not in bridge.log
            exchange.faults.relent()
            await exchange.heard((BTC, ETH, SOL))
            assert await bridge.stop() == 0
    records = trades_of(await asyncio.to_thread(read_topic, here), VenueName.BYBIT)
    assert [record.fields["instrument"] for record in records] == [BTC, ETH]


def forged(folder: Path, name: str, ends: datetime.timedelta) -> certificates.Certificates:
    """A certificate for a name that ends at a time from now, signed by itself."""
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * DAY)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = certificates.Certificates(folder / f"{name}.pem", folder / f"{name}.pem", folder / f"{name}.key")
    files.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.key.write_bytes(private)
    return files


forgeries = pytest.mark.parametrize(
    ("name", "ends", "trusted", "reason"),
    [
        ("exchange.test", DAY, True, "hostname mismatch"),
        ("localhost", -DAY, True, "certificate has expired"),
        ("localhost", DAY, False, "self-signed certificate"),
    ],
)


@forgeries
async def test_a_certificate_that_proves_nothing_is_refused_and_told(
    here: Settings, certs: certificates.Certificates, name: str, ends: datetime.timedelta, *, trusted: bool, reason: str
) -> None:
    forgery = forged(here.home, name, ends)
    authorities = here.home / "authorities.pem"
    authorities.write_bytes(certs.ca.read_bytes() + (forgery.ca.read_bytes() if trusted else b""))
    good = Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(certs))
    bad = Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(forgery))
    async with good, bad:
        port = bad.address.rpartition(":")[2]
        url = f"wss://localhost:{port}/stream"
        venue = VenueConfig(url=url, rest_url=f"https://{good.address}", instruments=(BTC,), ca_file=authorities)
        with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
            await bridge.says(
                f"binance: cannot connect to {url}: TLS: the certificate of localhost is refused: {reason}"
            )
            await bridge.counts('failed_connects_total{venue="binance"}', 2)
            assert bridge.metric('connects_total{venue="binance"}') == 0
            assert await bridge.stop() == 0


@forgeries
async def test_a_history_is_read_from_none_whose_certificate_proves_nothing(
    here: Settings, certs: certificates.Certificates, name: str, ends: datetime.timedelta, *, trusted: bool, reason: str
) -> None:
    forgery = forged(here.home, name, ends)
    authorities = here.home / "authorities.pem"
    authorities.write_bytes(certs.ca.read_bytes() + (forgery.ca.read_bytes() if trusted else b""))
    async with Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(forgery)) as exchange:
        rest_url = f"https://localhost:{exchange.address.rpartition(':')[2]}"
        venue = VenueConfig(url="wss://localhost:1/", rest_url=rest_url, instruments=(BTC,), ca_file=authorities)
        with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
            refused = f"TLS: the certificate of localhost is refused: {reason}"
            await bridge.says(f"binance: cannot read the instruments at {rest_url}: {refused}")
            await bridge.counts('failed_connects_total{venue="binance"}', 2)
            assert bridge.metric('connects_total{venue="binance"}') == 0


async def test_a_good_certificate_is_good_by_name_as_well_as_by_address(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with Exchange(protocol_of(VenueName.BINANCE, (BTC,)), Script(), server_tls(certs)) as exchange:
        port = exchange.address.rpartition(":")[2]
        rest_url = f"https://localhost:{port}"
        venue = VenueConfig(
            url=f"wss://localhost:{port}/stream", rest_url=rest_url, instruments=(BTC,), ca_file=certs.ca
        )
        with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
            await bridge.counts('connected{venue="binance"}', 1)


@asynccontextmanager
async def kafka_of_its_own(home: Path, namespace: str) -> AsyncIterator[tuple[Settings, Kafka]]:
    """A broker that a test may stop, and settings of a bridge beside it."""
    settings = stack.on_free_ports(Settings(namespace=namespace), home)
    with stack.running(settings) as servers:
        kafka = next(server for server in servers.servers if isinstance(server, Kafka))
        yield bridge_settings(settings, home), kafka


async def start_again(kafka: Kafka) -> None:
    kafka.launch(detached=False)
    await asyncio.to_thread(kafka.wait_ready)


async def test_a_bridge_that_can_write_no_more_ends_as_a_failure(
    tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with kafka_of_its_own(tmp_path, "test-bridge-fatal") as (settings, kafka):
        async with running(settings, certs) as run:
            assert await run.bridge.stop() == 0
        kafka.stop()
        async with running(settings, certs, topic="nobody-made.trades") as run:
            await run.bridge.says("Kafka: waiting for the brokers")
            await start_again(kafka)
            await run.bridge.says("Kafka has no topic nobody-made.trades: run `livetape topics apply`")
            assert await asyncio.to_thread(run.bridge.process.wait, WAIT_S) == 1


async def test_trades_wait_while_kafka_is_away_and_none_is_lost(
    tmp_path: Path, certs: certificates.Certificates
) -> None:
    async with kafka_of_its_own(tmp_path, "test-bridge-outage") as (settings, kafka):
        sent = [trade(number) for number in range(1, 1_001)]
        async with running(settings, certs) as run:
            await run.play(sent[0])
            await run.bridge.counts("kafka_delivered_total", 1)
            kafka.stop()
            await run.bridge.says("Kafka: the brokers are away")
            await run.play(*sent[1:500])
            await start_again(kafka)
            await run.bridge.says("Kafka: the brokers are back")
            assert await run.bridge.stop() == 0
        assert await trades_in(settings) == [told(one) for one in sent[:500]]
        assert list(settings.home.glob("spool/*/*/*.spool")) == []  # all is in Kafka

        kafka.stop()  # runs that begin and end without Kafka lose nothing either, not even when they are killed
        async with running(settings, certs) as run:
            await run.play(*sent[500:750])
            await run.bridge.counts('spooled_total{venue="binance"}', 250)
            assert await run.bridge.stop() == 0
            assert re.search(r"Kafka: \d+ messages of binance wait on disk for the next start", run.bridge.log)
        async with running(settings, certs) as run:
            assert (run.total("spool_replayed") or 0) >= 250
            await run.play(*sent[750:])
            await run.bridge.until(lambda: run.bridge.trades_on_disk() >= 250, "all trades on disk")
            run.bridge.process.kill()
        await start_again(kafka)
        async with running(settings, certs) as run:
            assert (run.total("spool_replayed") or 0) >= 500
            await run.bridge.counts("kafka_delivered_total", 500)
            assert await run.bridge.stop() == 0
        assert await trades_in_any_session(settings) == [told(one) for one in sent]


@pytest.mark.parametrize("writer", Writer)
async def test_a_record_that_was_damaged_on_disk_costs_no_other_and_is_told(
    tmp_path: Path, certs: certificates.Certificates, writer: Writer
) -> None:
    async with kafka_of_its_own(tmp_path, f"test-bridge-damage-{writer}") as (settings, kafka):
        sent = [trade(number) for number in range(1, 301)]
        async with running(settings, certs, writer=writer) as run:
            kafka.stop()
            await run.play(*sent[:-1])
            await run.bridge.until(lambda: run.bridge.trades_on_disk() >= len(sent) - 1, "all trades on disk")
            run.bridge.process.kill()
        (file,) = settings.home.glob("spool/*/*/*.spool")
        damaged = bytearray(file.read_bytes())
        before, lost, behind = sent[149:152]
        damaged[damaged.index(f"{BTC}\x06{lost.trade_id}".encode()) + len(BTC) + 1] ^= 1
        file.write_bytes(damaged)
        await start_again(kafka)
        async with running(settings, certs, writer=writer) as run:
            await run.bridge.says("passed over with up to 1 messages")
            assert run.total("spool_lost") == 1
            await run.play(sent[-1])
            assert await run.bridge.stop() == 1
        assert await trades_in_any_session(settings) == [told(one) for one in sent if one is not lost]
        (gap,) = await asyncio.to_thread(read_topic, settings, "gaps")
        assert (gap.key, gap.fields["instrument"]) == ("binance:*", "*")
        assert re.fullmatch(
            r"messages (\d+) to \1 of the session are lost: their file was damaged before Kafka had them",
            str(gap.fields["reason"]),
        )
        assert (gap.fields["from_time_ns"], gap.fields["to_time_ns"]) == (before.event_time_ns, behind.event_time_ns)


async def trades_in_any_session(settings: Settings) -> list[SimulatedTrade]:
    """The trades in the topic, by their ids."""
    records = await asyncio.to_thread(read_topic, settings)
    return sorted(map(as_told, (each for each in records if each.kind == "Trade")), key=lambda one: one.trade_id)


async def test_what_is_beyond_the_bound_of_the_disk_is_refused_and_told(
    here: Settings, certs: certificates.Certificates
) -> None:
    (nobody,) = ports.free_ports(1)
    away: dict[str, Any] = {"kafka": {"bootstrap.servers": f"127.0.0.1:{nobody}"}, "spool_bytes": 400_000}
    sent = [trade(number) for number in range(1, 4_001)]
    async with running(here, certs, **away) as run:
        await run.play(*sent)
        await run.bridge.counts('spool_refused_total{venue="binance"}', 500)
        assert await run.bridge.stop() == 1
        assert "takes no more messages: it has reached its bound of 400000 bytes (LIVETAPE_SPOOL_MB)" in run.bridge.log
        assert re.search(r"Kafka: \d+ messages were lost", run.bridge.log)
    async with running(here, certs) as run:
        await run.bridge.counts("kafka_delivered_total", 1)
        assert await run.bridge.stop() == 0
    kept = await trades_in_any_session(here)
    assert len(kept) > 2_000
    assert kept == [told(one) for one in sent[: len(kept)]]


async def test_a_topic_that_takes_small_batches_alone_gets_every_trade(
    here: Settings, certs: certificates.Certificates
) -> None:
    apply(here)
    admin = AdminClient(here.kafka_config)
    limit = ConfigEntry("max.message.bytes", "4000", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ConfigResource.Type.TOPIC, here.topic("trades"), incremental_configs=[limit])
    admin.incremental_alter_configs([topic])[topic].result(WAIT_S)
    sent = [trade(number) for number in range(1, 3_001)]
    async with running(here, certs, kafka={**here.kafka_config, "linger.ms": "1000"}) as run:
        await run.play(*sent)
        await run.has(len(sent))
        assert await run.bridge.stop() == 0
    assert await trades_in(here) == [told(one) for one in sent]


async def test_a_signal_ends_a_bridge_that_still_waits_for_kafka(
    here: Settings, certs: certificates.Certificates
) -> None:
    venue = NOWHERE.model_copy(update={"ca_file": certs.ca})
    (nobody,) = ports.free_ports(1)
    settings = here.model_copy(update={"venues": {"binance": venue}})
    with bridging(settings, kafka={"bootstrap.servers": f"127.0.0.1:{nobody}"}) as bridge:
        await bridge.says(f"Kafka: waiting for the brokers at 127.0.0.1:{nobody}")
        await bridge.counts('failed_connects_total{venue="binance"}', 1)
        assert await bridge.stop() == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"topic": "nowhere.trades"}, "Kafka has no topic nowhere.trades: run `livetape topics apply`"),
        ({"metrics": "127.0.0.1"}, "metrics must be HOST:PORT, and is 127.0.0.1"),
        ({"topic": 7}, "field topic has a value of the wrong type"),
        ({"kafka": {"bootstrap.server": "x"}}, 'No such configuration property: "bootstrap.server"'),
        ({"venues": [{"venue": "nyse"}]}, "no field url"),
    ],
)
async def test_a_configuration_that_cannot_work_is_told(here: Settings, change: dict[str, Any], reason: str) -> None:
    with bridging(here.model_copy(update={"venues": {VenueName.BINANCE: NOWHERE}}), **change) as bridge:
        assert await bridge.ended() == 1
        assert reason in bridge.log


async def test_a_file_of_authorities_that_is_not_there_is_named(here: Settings) -> None:
    venue = NOWHERE.model_copy(update={"ca_file": Path("/nowhere/ca.pem")})
    with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
        assert await bridge.ended() == 1
        assert "wss://localhost:1/stream cannot be read from ca_file /nowhere/ca.pem" in bridge.log


async def test_a_second_bridge_on_the_same_ports_is_told_whose_they_are(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        with bridging(here.model_copy(update={"venues": {VenueName.KRAKEN: NOWHERE}})) as second:
            assert await second.ended() == 1
            assert "LIVETAPE_BRIDGE_METRICS chooses another address" in second.log
        await run.play(trade(1))


async def test_metrics_are_what_prometheus_reads(here: Settings, certs: certificates.Certificates) -> None:
    async with running(here, certs) as run:
        await run.play(trade(1), trade(2, ETH))
        await run.bridge.counts("kafka_delivered_total", 2)
        families = {family.name: family for family in text_string_to_metric_families(run.bridge.metrics())}
        async with httpx.AsyncClient(timeout=WAIT_S) as http:
            other = await http.get(f"http://{here.bridge_metrics}/")
    trades = families["livetape_bridge_trades"]
    assert (trades.type, trades.documentation) == ("counter", "Trades decoded")
    assert [(sample.name, sample.labels, sample.value) for sample in trades.samples] == [
        ("livetape_bridge_trades_total", {"venue": "binance"}, 2.0)
    ]
    assert families["livetape_bridge_connected"].type == "gauge"
    assert all(family.documentation for family in families.values())
    assert other.status_code == 404
