"""Simulated exchange → `livetape record` → `livetape replay` → bridge → Kafka: what was traded, and nothing else."""

import asyncio
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from app.settings import PROJECT, Settings
from app.sources import VenueConfig
from local import certificates, ports
from replay.capture import read_capture
from replay.compressed import BadRecording
from replay.exchange import Exchange
from replay.ledger import read_tape
from replay.market import MarketSpec, trades
from replay.recording import RecordedFrame, read_frames
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration import test_packets
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import (
    Growing,
    Script,
    as_told,
    bridging,
    read_topic,
    server_tls,
    told,
    trades_of,
    venue_of,
)
from tests.integration.bridge_run import BTC, ETH, START_NS, trade
from tests.integration.packet_kit import STOCKS, VENUE, free_addresses, sending

TRADES = 2_000
MESSAGES = 5_000


class Recorder:
    """A running `livetape record`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """All that it has said."""
        return self._log.read_text()

    async def says(self, text: str) -> None:
        """Wait until it has said something."""
        await self.until(lambda: text in self.log, text)

    async def until(self, condition: Callable[[], bool], wanted: str) -> None:
        """Wait until a condition holds, as long as it runs."""
        deadline = time.monotonic() + WAIT_S
        while not await asyncio.to_thread(condition):
            assert self.process.poll() is None, f"waited for {wanted}\n{self.log}"
            assert time.monotonic() < deadline, f"waited for {wanted}\n{self.log}"
            await asyncio.sleep(0.02)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; its exit code."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, WAIT_S)


@contextmanager
def recording(settings: Settings, folder: Path, *options: str, under: Sequence[str] = ()) -> Iterator[Recorder]:
    """`livetape record` as its own process; `under` comes before its command."""
    log = settings.home / "record.log"
    command = [*under, sys.executable, "-m", "cli", "record", "--folder", str(folder), *options]
    with log.open("ab") as output:
        environment = {**os.environ, **settings.environment()}
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output, stderr=output)
    try:
        yield Recorder(process, log)
    finally:
        process.kill()
        process.wait(WAIT_S)


@contextmanager
def replaying(
    certs: certificates.Certificates, name: VenueName, file: Path, instruments: Sequence[str], log: Path
) -> Iterator[VenueConfig]:
    """`livetape replay recording` of a file as its own process, and how the bridge finds it."""
    (port,) = ports.free_ports(1)
    options = ["--venue", name, "--port", str(port), "--instrument", ",".join(instruments), "--speed", "max"]
    command = [sys.executable, "-m", "replay", "recording", str(file), *options]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "--cert", str(certs.server), "--key", str(certs.key)], cwd=PROJECT, stdout=output, stderr=output
        )
    try:
        at = f"127.0.0.1:{port}"
        url = f"wss://{at}{PROTOCOLS[name].path}"
        yield VenueConfig(url=url, rest_url=f"https://{at}", instruments=tuple(instruments), ca_file=certs.ca)
    finally:
        process.kill()
        process.wait(WAIT_S)


def made(name: VenueName, instruments: Sequence[str]) -> list[SimulatedTrade]:
    """The trades of a seeded market of a venue."""
    spec = MarketSpec(instruments, rate=1_000, seed=11, resolution_ns=PROTOCOLS[name].resolution_ns)
    return list(islice(trades(spec, START_NS), TRADES))


def frames_in(folder: Path) -> list[RecordedFrame]:
    """What a venue's files have, one after the other."""
    return [frame for file in sorted(folder.glob("*.frames.gz")) for frame in read_frames(file, lambda _: "")]


@pytest.mark.parametrize("name", VenueName)
async def test_what_was_recorded_of_a_venue_is_traded_again(
    here: Settings, certs: certificates.Certificates, tmp_path: Path, name: VenueName
) -> None:
    sent, folder, script = made(name, (BTC,)), tmp_path / "recordings", Script()
    script.say(*sent)
    async with Exchange(protocol_of(name, (BTC,)), script, server_tls(certs)) as exchange:
        venues = {name: venue_of(name, exchange, (BTC,), certs.ca)}
        with recording(here.model_copy(update={"venues": venues}), folder) as recorder:
            await recorder.until(lambda: len(frames_in(folder / name)) >= TRADES, "the frames")
            assert await recorder.stop() == 0, recorder.log
    (file,) = sorted((folder / name).iterdir())
    with gzip.open(file, "rb") as whole:
        lines = whole.read().splitlines()  # it has its end
    times = [int(line.split(b" ", 1)[0]) for line in lines]
    assert times == sorted(times)
    with replaying(certs, name, file, (BTC,), tmp_path / "replay.log") as venue:
        settings = here.model_copy(update={"venues": {name: venue}})
        with bridging(settings) as bridge:
            await bridge.counts(f'trades_total{{venue="{name}"}}', TRADES)
            assert await bridge.stop() == 0
    records = await asyncio.to_thread(read_topic, settings)
    protocol = protocol_of(name, (BTC,))
    numbers = {protocol.trade_id(each): each.trade_id for each in sent}
    assert [as_told(record, numbers) for record in trades_of(records, name)] == [told(each) for each in sent]


async def test_a_recorder_that_is_killed_leaves_what_it_had_and_the_next_goes_on(
    here: Settings, certs: certificates.Certificates, tmp_path: Path
) -> None:
    name, folder, script = VenueName.BINANCE, tmp_path / "recordings", Script()
    protocol = protocol_of(name, (BTC,))
    odd = protocol.encode(trade(3)).replace(",", ",\n ")
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        settings = here.model_copy(update={"venues": {name: venue_of(name, exchange, (BTC,), certs.ca)}})
        for number, code in ((1, -signal.SIGKILL), (2, 0)):
            with recording(settings, folder) as recorder:
                await recorder.until(lambda n=number: answers(folder / name) == n, "the answer to a subscription")  # type: ignore[misc]  # mypy infers no lambda with defaults
                script.say(trade(number), RecordedFrame(0, protocol.stream_of(BTC), odd))
                await recorder.until(lambda n=number: texts(folder / name).count(odd.replace("\n", " ")) == n, "flush")  # type: ignore[misc]  # mypy infers no lambda with defaults
                assert await recorder.stop(signal.SIGKILL if code else signal.SIGTERM) == code
            await exchange.drop_connections()
    kept = [text for text in texts(folder / name) if '"result":' not in text]
    assert kept == [text for number in (1, 2) for text in (protocol.encode(trade(number)), odd.replace("\n", " "))]


def answers(folder: Path) -> int:
    """How many subscriptions were answered."""
    return sum('"result":' in text for text in texts(folder))


def texts(folder: Path) -> list[str]:
    return [frame.text for frame in frames_in(folder)]


async def test_a_folder_that_cannot_be_written_and_a_venue_that_is_not_set_are_named(
    here: Settings, certs: certificates.Certificates, tmp_path: Path
) -> None:
    name, script = VenueName.BINANCE, Script()
    async with Exchange(protocol_of(name, (BTC,)), script, server_tls(certs)) as exchange:
        settings = here.model_copy(update={"venues": {name: venue_of(name, exchange, (BTC,), certs.ca)}})
        (tmp_path / "file").write_text("")
        with recording(settings, tmp_path / "file") as recorder:
            assert await asyncio.to_thread(recorder.process.wait, WAIT_S) == 1
            assert f"nothing can be recorded in {tmp_path}/file/binance: Not a directory" in recorder.log
        with recording(settings, tmp_path, "nyse") as recorder:
            assert await asyncio.to_thread(recorder.process.wait, WAIT_S) != 0
            assert "no venue or packet feed of this name is set: nyse" in " ".join(recorder.log.split())


async def test_an_instrument_that_the_venue_lists_later_is_recorded_from_then_on(
    here: Settings, certs: certificates.Certificates, tmp_path: Path
) -> None:
    name, folder, script, protocol = VenueName.COINBASE, tmp_path / "recordings", Script(), Growing((BTC, ETH))
    async with Exchange(protocol, script, server_tls(certs)) as exchange:
        venues = {name: venue_of(name, exchange, (BTC, ETH), certs.ca)}
        with recording(here.model_copy(update={"venues": venues, "silence_ms": 200}), folder) as recorder:
            await recorder.says("coinbase: the venue does not list ETH-USDT, the others go on")
            await exchange.heard((BTC,))
            protocol.has_grown = True
            await recorder.says("coinbase: the venue lists ETH-USDT now")
            await exchange.heard((BTC, ETH))
            late = trade(1, ETH)
            script.say(late)
            await recorder.until(lambda: protocol.encode(late) in texts(folder / name), "its frame")
            assert await recorder.stop() == 0, recorder.log


async def test_what_was_recorded_of_a_packet_feed_is_traded_again(here: Settings, tmp_path: Path) -> None:
    addresses, folder, ledger = free_addresses(), tmp_path / "recordings", tmp_path / "ledger.jsonl"
    settings = here.model_copy(update={"packet_feeds": {VENUE: addresses.feed()}})
    market = ("--stocks", STOCKS, "--rate", "20000", "--messages", str(MESSAGES), "--reorder", "0.1")
    with recording(settings, folder, VENUE) as recorder:
        await recorder.says("nasdaq: every line is listened to")
        with sending(addresses, *market, "--ledger", str(ledger), log=tmp_path / "feed.log"):
            await recorder.until(lambda: has_ended(folder / VENUE), "the end of the session")
            assert await recorder.stop() == 0, recorder.log
    (file,) = (folder / VENUE).glob("*.pcap.gz")
    assert {len(datagram.payload) for datagram in read_capture(file)}  # it can be read to its end
    again = free_addresses()
    settings = here.model_copy(update={"packet_feeds": {VENUE: again.feed()}})
    with bridging(settings) as bridge:
        await bridge.until(lambda: bool(bridge.metrics()), "the bridge")
        with sending(again, "--file", str(file), "--speed", "max", log=tmp_path / "replay.log"):
            await bridge.counts(f'packet_ended_sessions_total{{venue="{VENUE}"}}', 1)
        assert await bridge.stop() == 0, bridge.log
    records = await asyncio.to_thread(read_topic, settings)
    expected = [test_packets.told(entry) for entry in read_tape(ledger)]
    assert expected
    assert [test_packets.as_told(record) for record in trades_of(records, VENUE)] == expected


def has_ended(folder: Path) -> bool:
    """Whether a capture has the end of the session from both lines."""
    try:
        datagrams = [each for file in folder.glob("*.pcap.gz") for each in read_capture(file)]
    except BadRecording:  # the file is there, and nothing in it yet
        return False
    return sum(each.payload[18:20] == b"\xff\xff" for each in datagrams) > 1
