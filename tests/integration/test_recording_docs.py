"""The commands of docs/recording.md, run as they stand there but for the ports."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from app.settings import PROJECT, Settings
from app.sources import VenueConfig
from local import certificates, ports
from replay.exchange import Exchange
from replay.venues import VenueName, protocol_of
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import Script, bridge_settings, bridging, server_tls, venue_of
from tests.integration.bridge_run import BTC, ETH, trade
from tests.integration.packet_kit import config_file, read_feed, write_pcap
from tests.integration.test_packets import DAY, itch_file, packets_of
from tests.integration.test_packets_docs import BLOCKS, feed_of, on_free_ports
from tests.integration.test_recording import frames_in

RECORD, REPLAY, READ, PACKETS = re.findall(r"```\n(.*?)```", (PROJECT / "docs" / "recording.md").read_text(), re.DOTALL)
NAME = VenueName.BINANCE


@contextmanager
def typed(text: str, folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command as somebody typed it in a folder."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = shlex.split(text.replace("\\\n", " "))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment, "PATH": path}, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT_S)


def venues_of(text: str) -> dict[str, VenueConfig]:
    """The venues that a block of the docs sets."""
    (value,) = (word.partition("=")[2] for word in shlex.split(text) if word.startswith("LIVETAPE_VENUES="))
    return Settings(venues=json.loads(value)).venues


async def test_a_venue_is_recorded_and_played(
    settings: Settings, certs: certificates.Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".livetape"
    home.mkdir()
    settings = bridge_settings(settings, home)
    script = Script()
    script.say(trade(1), trade(2))
    async with Exchange(protocol_of(NAME, (BTC, ETH)), script, server_tls(certs)) as exchange:
        venues = {name: venue_of(NAME, exchange, (BTC, ETH), certs.ca) for name in ("binance", "kraken")}
        environment = settings.model_copy(update={"venues": venues}).environment()
        with typed(RECORD, tmp_path, environment) as recorder:
            while sum("@trade" in frame.text for frame in frames_in(tmp_path / "recordings" / NAME)) < 2:
                assert recorder.poll() is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.05)
            recorder.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(recorder.wait, WAIT_S) == 0
    (file,) = (tmp_path / "recordings" / NAME).iterdir()
    words = shlex.split(REPLAY.replace("\\\n", " "))
    file.rename(tmp_path / words[3])
    (home / "certs").mkdir()
    for here, there in ((certs.server, "server.pem"), (certs.key, "server.key"), (certs.ca, "ca.pem")):
        (home / "certs" / there).write_bytes(here.read_bytes())
    port = str(ports.free_ports(1)[0])
    with typed(REPLAY.replace("9443", port), tmp_path, {}):
        monkeypatch.chdir(tmp_path)  # the authority's file is named from where the commands are typed
        with bridging(settings.model_copy(update={"venues": venues_of(READ.replace("9443", port))})) as bridge:
            await bridge.counts(f'trades_total{{venue="{NAME}"}}', 2)


def test_a_capture_is_played(tmp_path: Path) -> None:
    typed_packets, setting = on_free_ports(PACKETS, BLOCKS[1])
    words = shlex.split(typed_packets.replace("\\\n", " "))
    capture = tmp_path / words[words.index("--file") + 1].removesuffix(".gz")
    capture.parent.mkdir(parents=True)
    _, messages = itch_file(tmp_path)
    write_pcap(capture, packets_of(messages[:3_000]), "239.77.2.1:26400")
    subprocess.run(["gzip", capture], check=True)
    feed = feed_of(setting).model_copy(update={"day": date.fromisoformat(DAY)})
    with typed(typed_packets, tmp_path, {}):
        records, said = read_feed(config_file(tmp_path, feed))
    assert records
    assert 'packet_lost_messages_total{venue="nasdaq"} 0' in said
