"""Simulated ITCH feed → two bad lines and a re-request server → bridge: all of it, once, in order, by either way in."""

import asyncio
import itertools
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app.settings import Settings
from app.sources import Writer
from app.time_zones import midnight_ns
from replay.itch_market import ItchMarket
from replay.ledger import read_tape
from replay.packet_feed import END_OF_SESSION, HEADER
from replay.trade import TapeEntry
from tests.integration.bridge_kit import (
    Listener,
    Record,
    assert_in_order,
    bridge_settings,
    bridging,
    clocks_of,
    plain,
    read_topic,
    relaying,
    sequence,
    trades_of,
)
from tests.integration.packet_kit import (
    BAD_LINES,
    DPDK,
    READER,
    READER_WITHOUT_DPDK,
    STOCKS,
    VENUE,
    Addresses,
    VirtualCard,
    config_file,
    free_addresses,
    read_feed,
    sending,
    virtual_card,
    write_pcap,
)

MESSAGES = 30_000
MARKET = ("--stocks", STOCKS, "--rate", "20000", "--messages", str(MESSAGES), *BAD_LINES)
GROUPS = ("239.77.1.1:26400", "239.77.1.2:26400")
DAY = "2026-03-09"
MIDNIGHT_NS = midnight_ns(date.fromisoformat(DAY), "America/New_York")


@pytest.fixture(scope="module")
def card() -> Iterator[VirtualCard]:
    with virtual_card() as made:
        yield made


def addresses_by(card: VirtualCard) -> Addresses:
    return Addresses((GROUPS[0], GROUPS[1]), f"{card.there}:26402")


def as_told(record: Record) -> TapeEntry:
    """A trade's record as the sender's ledger has it, amounts without trailing zeros."""
    of = record.fields
    assert of["refers_to"] == (of["trade_id"] if of["action"] == "cancel" else None)
    return TapeEntry(
        of["instrument"],
        int(of["trade_id"]),
        plain(of["price"]),
        plain(of["size"]),
        of["aggressor"],
        of["event_time_ns"],
        of["action"],
        tuple(of["conditions"]),
    )


def told(entry: TapeEntry) -> TapeEntry:
    """A ledger's entry, amounts without trailing zeros."""
    amounts = plain(Decimal(entry.price)), plain(Decimal(entry.size))
    return TapeEntry(
        entry.instrument, entry.trade_id, *amounts, entry.aggressor, entry.event_time_ns, entry.action, entry.conditions
    )


async def assert_all_arrives(
    settings: Settings, addresses: Addresses, folder: Path, *options: str, within: tuple[str, ...] = ()
) -> None:
    """Runs feed and bridge until the session has ended; Kafka and ZeroMQ have what the ledger has."""
    ledger = folder / "ledger.jsonl"
    with bridging(settings) as bridge, Listener(settings.zmq_data) as listener:
        with sending(addresses, *MARKET, "--ledger", str(ledger), *options, within=within, log=folder / "feed.log"):
            await bridge.counts(f'packet_ended_sessions_total{{venue="{VENUE}"}}', 1)
        asked = bridge.metric(f'packet_requests_total{{venue="{VENUE}"}}')
        assert await bridge.stop() == 0, bridge.log
        records = read_topic(settings)
        last = max(map(sequence, records))
        heard = [listener.next()]
        heard += [listener.next() for _ in range(heard[0].sequence, last)]
    written = trades_of(records, VENUE)
    assert [as_told(record) for record in written] == [told(entry) for entry in read_tape(ledger)]
    assert len(written) > MESSAGES // 20
    assert asked, "the lines lost so much that some was asked for"
    assert_in_order(records)
    by_sequence = {record.sequence: record for record in records}
    assert [(each.topic, each.value) for each in heard] == [
        (by_sequence[number].key, by_sequence[number].raw) for number in range(heard[0].sequence, last + 1)
    ]


async def test_every_trade_of_a_feed_is_in_kafka_once_and_on_zeromq(settings: Settings, tmp_path: Path) -> None:
    addresses = free_addresses(group="239.77.1.3")
    feed = addresses.feed(interface="127.0.0.1")
    settings = bridge_settings(settings, tmp_path).model_copy(update={"packet_feeds": {VENUE: feed}})
    await assert_all_arrives(settings, addresses, tmp_path)


async def test_every_trade_of_a_feed_comes_by_the_relay(settings: Settings, tmp_path: Path) -> None:
    addresses, ledger = free_addresses(), tmp_path / "ledger.jsonl"
    feed = addresses.feed(writer=Writer.RELAY)
    settings = bridge_settings(settings, tmp_path).model_copy(update={"packet_feeds": {VENUE: feed}})
    ended = f'packet_ended_sessions_total{{venue="{VENUE}"}}'
    with bridging(settings) as bridge, relaying(settings) as relay:
        await bridge.until(lambda: bool(bridge.metrics()), "the bridge")
        with sending(addresses, *MARKET, "--ledger", str(ledger), log=tmp_path / "feed.log"):
            await bridge.counts(ended, 1)
        trades = bridge.metric(f'trades_total{{venue="{VENUE}"}}')
        assert trades
        await relay.counts("kafka_delivered_total", trades)
        assert bridge.metric("kafka_produced_total") == 0
        assert await bridge.stop() == 0, bridge.log
        assert relay.metric(f'lost_total{{venue="{VENUE}"}}') == 0
        assert await relay.stop() == 0
    assert list(settings.home.glob("spool/*/*/*.spool")) == []  # all was confirmed
    records = await asyncio.to_thread(read_topic, settings)
    assert_in_order(records)
    assert [as_told(record) for record in trades_of(records, VENUE)] == [told(entry) for entry in read_tape(ledger)]


async def test_what_is_lost_for_good_is_told_on_gaps(settings: Settings, tmp_path: Path) -> None:
    addresses = free_addresses()
    feed = addresses.feed(rerequest=None, day=DAY)
    settings = bridge_settings(settings, tmp_path).model_copy(update={"packet_feeds": {VENUE: feed}})
    file, messages = itch_file(tmp_path)
    times = [MIDNIGHT_NS + int.from_bytes(message[5:11]) for message in messages]
    with bridging(settings) as bridge:
        await bridge.until(lambda: bool(bridge.metrics()), "the bridge")
        options = ("--file", str(file), "--rate", "20000", "--loss", "0.3")
        with sending(addresses, *options, log=tmp_path / "feed.log"):
            await bridge.counts(f'packet_ended_sessions_total{{venue="{VENUE}"}}', 1)
        lost = bridge.metric(f'packet_lost_messages_total{{venue="{VENUE}"}}')
        assert await bridge.stop() == 0, bridge.log
    gaps = sorted(await asyncio.to_thread(read_topic, settings, "gaps"), key=sequence)
    told_of = 0
    for gap in gaps:
        reason = re.fullmatch(
            r"messages (\d+) to (\d+) of the session are lost: no line brought them", gap.fields["reason"]
        )
        assert reason is not None, gap.fields["reason"]
        first, last = map(int, reason.groups())
        told_of += last - first + 1
        assert (gap.key, gap.fields["instrument"]) == (f"{VENUE}:*", "*")
        assert (gap.fields["first_missing_id"], gap.fields["last_missing_id"]) == (None, None)
        behind = times[last] if last < len(times) else times[first - 2]
        assert (gap.fields["from_time_ns"], gap.fields["to_time_ns"]) == (times[first - 2], behind)
    assert gaps
    assert told_of == lost
    trades = trades_of(await asyncio.to_thread(read_topic, settings), VENUE)
    assert_in_order([*trades, *gaps, *clocks_of(await asyncio.to_thread(read_topic, settings), VENUE)])


async def test_every_trade_of_a_feed_comes_by_dpdk(settings: Settings, tmp_path: Path, card: VirtualCard) -> None:
    addresses = addresses_by(card)
    feed = addresses.feed(interface=card.here, dpdk=card.dpdk)
    settings = bridge_settings(settings, tmp_path).model_copy(update={"packet_feeds": {VENUE: feed}})
    await assert_all_arrives(settings, addresses, tmp_path, "--interface", card.there, within=card.within)


def itch_file(folder: Path) -> tuple[Path, list[bytes]]:
    """A day of a market with made-up times, as a file."""
    times = itertools.count(34_200_000_000_000, 1_000_003)
    market = ItchMarket(STOCKS.split(","), 3, lambda: next(times))
    day = [*market.opening(), *itertools.islice(market.messages(), MESSAGES), *market.closing()]
    messages = [each.message for each in day]
    file = folder / "day.itch"
    file.write_bytes(b"".join(len(each).to_bytes(2) + each for each in messages))
    return file, messages


def packets_of(messages: list[bytes]) -> Iterator[bytes]:
    """The messages in packets, in order and whole, then the end of the session."""
    session = b"LIVETAPE01"
    for first in range(0, len(messages), 20):
        pack = messages[first : first + 20]
        blocks = b"".join(len(each).to_bytes(2) + each for each in pack)
        yield HEADER.pack(session, first + 1, len(pack)) + blocks
    yield HEADER.pack(session, len(messages) + 1, END_OF_SESSION)


def test_the_kernels_sockets_and_dpdk_give_the_same_bytes(tmp_path: Path, card: VirtualCard) -> None:
    """At the same time, of the same bad lines; and so does a bridge that was built without DPDK."""
    file, _ = itch_file(tmp_path)
    addresses = addresses_by(card)
    ways = ((READER, None), (READER, card.dpdk), (READER_WITHOUT_DPDK, None))
    configs = [config_file(tmp_path, addresses.feed(interface=card.here, dpdk=dpdk, day=DAY)) for _, dpdk in ways]
    options = ("--file", str(file), "--rate", "20000", "--interface", card.there, *BAD_LINES)
    with sending(addresses, *options, within=card.within, log=tmp_path / "feed.log"), ThreadPoolExecutor() as pool:
        readers = [pool.submit(read_feed, config, reader=way[0]) for config, way in zip(configs, ways, strict=True)]
        by_kernel, by_dpdk, without_dpdk = (reader.result()[0] for reader in readers)
    assert by_kernel == by_dpdk
    assert by_kernel == without_dpdk
    assert len(by_kernel) > MESSAGES // 20


def test_a_capture_gives_the_same_bytes_as_the_feed(tmp_path: Path) -> None:
    file, messages = itch_file(tmp_path)
    addresses = free_addresses()
    with sending(addresses, "--file", str(file), "--rate", "max", *BAD_LINES, log=tmp_path / "feed.log"):
        live, _ = read_feed(config_file(tmp_path, addresses.feed(day=DAY)))
    capture = tmp_path / "feed.pcap"
    write_pcap(capture, packets_of(messages), "10.1.2.3:26400")
    feed = Addresses(("10.1.2.3:26400", "10.1.2.3:26401"), "127.0.0.1:9").feed(
        dpdk=f"{DPDK}net_pcap0,rx_pcap={capture}", day=DAY
    )
    recorded, _ = read_feed(config_file(tmp_path, feed))
    assert recorded == live
    assert len(live) > MESSAGES // 20


def test_captures_of_one_session_give_the_same_bytes_as_one(tmp_path: Path) -> None:
    _, messages = itch_file(tmp_path)
    packets = [*packets_of(messages)]
    files = captures(tmp_path, packets, packets[:1_000], packets[1_000:])
    whole, parts = [
        played(tmp_path, "--speed", "max", *(part for file in each for part in ("--file", str(file))))
        for each in (files[:1], files[1:])
    ]
    assert parts == whole
    assert len(whole) > MESSAGES // 20


def captures(folder: Path, *parts: list[bytes]) -> list[Path]:
    """A file of each."""
    files = [folder / f"{number}.pcap" for number in range(len(parts))]
    for file, part in zip(files, parts, strict=True):
        write_pcap(file, part, "10.1.2.3:26400")
    return files


def played(folder: Path, *options: str) -> list[str]:
    """What the bridge reads of a feed."""
    addresses = free_addresses()
    with sending(addresses, *options, log=folder / "feed.log"):
        records, said = read_feed(config_file(folder, addresses.feed(day=DAY)))
    assert 'packet_lost_messages_total{venue="nasdaq"} 0' in said
    return records


async def test_a_capture_goes_on_with_the_session_of_the_one_before(settings: Settings, tmp_path: Path) -> None:
    _, messages = itch_file(tmp_path)
    packets = [*packets_of(messages)]
    files = captures(tmp_path, packets[:1_000], packets[1_000:])
    addresses = free_addresses()
    feed = addresses.feed(day=DAY)
    settings = bridge_settings(settings, tmp_path).model_copy(update={"packet_feeds": {VENUE: feed}})
    log = tmp_path / "feed.log"
    with bridging(settings) as bridge:
        with sending(addresses, "--speed", "max", "--file", str(files[0]), log=log):
            await bridge.counts(f'packet_messages_total{{venue="{VENUE}"}}', 1_000 * 20)
            await bridge.until(lambda: "the session goes on by heartbeats" in log.read_text(), "its end")
        assert bridge.metric(f'packet_ended_sessions_total{{venue="{VENUE}"}}') == 0
        with sending(addresses, "--speed", "max", "--file", str(files[1]), log=log):
            await bridge.counts(f'packet_ended_sessions_total{{venue="{VENUE}"}}', 1)
        assert bridge.metric(f'packet_sessions_total{{venue="{VENUE}"}}') == 1
        assert bridge.metric(f'packet_lost_messages_total{{venue="{VENUE}"}}') == 0
        assert bridge.metric(f'packet_messages_total{{venue="{VENUE}"}}') == len(messages)
        assert await bridge.stop() == 0, bridge.log


def test_a_group_that_the_kernel_cannot_join_is_read_by_dpdk(tmp_path: Path) -> None:
    _, messages = itch_file(tmp_path)
    capture = tmp_path / "feed.pcap"
    write_pcap(capture, packets_of(messages), GROUPS[0])
    nowhere = "192.0.2.1"  # of no machine
    feed = Addresses((GROUPS[0], GROUPS[1]), "127.0.0.1:9").feed(
        interface=nowhere, dpdk=f"{DPDK}net_pcap0,rx_pcap={capture}", day=DAY
    )
    records, said = read_feed(config_file(tmp_path, feed))
    assert len(records) > MESSAGES // 20
    for group in GROUPS:
        assert f"{VENUE}: no interface joins {group}: No such device; DPDK reads it where" in said


def test_a_bridge_that_comes_late_asks_for_what_was_before(tmp_path: Path) -> None:
    file, _ = itch_file(tmp_path)
    addresses = free_addresses()
    with sending(addresses, "--file", str(file), "--rate", "max", log=tmp_path / "feed.log"):
        early, _ = read_feed(config_file(tmp_path, addresses.feed(day=DAY)))
        late, said = read_feed(config_file(tmp_path, addresses.feed(day=DAY)))
    assert late == early
    assert 'packet_lost_messages_total{venue="nasdaq"} 0' in said


def test_what_nobody_has_is_told_and_the_rest_comes(tmp_path: Path) -> None:
    file, messages = itch_file(tmp_path)
    addresses = free_addresses()
    options = ("--file", str(file), "--rate", "max", "--loss", "0.3")
    config = config_file(tmp_path, addresses.feed(day=DAY, rerequest=None))
    with sending(addresses, *options, log=tmp_path / "feed.log"):
        some, said = read_feed(config)
        whole, _ = read_feed(config_file(tmp_path, addresses.feed(day=DAY)))
    numbers = dict(line.split(" ") for line in said.splitlines() if line.startswith("livetape_bridge_packet"))
    lost = int(numbers['livetape_bridge_packet_lost_messages_total{venue="nasdaq"}'])
    came = int(numbers['livetape_bridge_packet_messages_total{venue="nasdaq"}'])
    assert lost > 0
    assert lost + came == len(messages)
    assert "are lost: no line brought them" in said
    assert 0 < len(some) < len(whole)


def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    feed = free_addresses().feed().model_copy(update={"rerequest": "nowhere"})
    ran = subprocess.run(
        ["build/bridge/release/livetape-bridge-packets", "--config", config_file(tmp_path, feed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "an address must be an IPv4 address and a port, 239.1.2.3:26400, and is nowhere" in ran.stderr
