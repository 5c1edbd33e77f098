"""What the tests of packet feeds share: the simulated sender as a process, and the bridge's reader of a feed alone."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.settings import PROJECT, Settings
from app.sources import PacketFeed
from cli.parts import bridge_config
from local import ports

READER = PROJECT / "build" / "bridge" / "release" / "livetape-bridge-packets"
READER_WITHOUT_DPDK = READER.with_name("livetape-bridge-packets-no-dpdk")
"""As a machine without DPDK builds it."""
VENUE = "nasdaq"
SCHEMA_IDS = {"livetape.Trade": 1, "livetape.Clock": 2, "livetape.Gap": 3, "livetape.Quote": 4, "livetape.Candle": 5}
READ_S = 120.0
STOCKS = "AAPL,MSFT,BRK.B"
BAD_LINES = ("--loss", "0.1", "--duplicate", "0.05", "--reorder", "0.1")


@dataclass(frozen=True)
class Addresses:
    """Two lines and a re-request server."""

    lines: tuple[str, str]
    rerequest: str

    def feed(self, **fields: object) -> PacketFeed:
        """How the bridge finds them."""
        return PacketFeed.model_validate({"lines": self.lines, "rerequest": self.rerequest, "orders": 1_000, **fields})


def free_addresses(host: str = "127.0.0.1", group: str | None = None) -> Addresses:
    """Addresses on this machine that nobody has; lines of a multicast group where one is given."""
    first, second = (_free_udp_port() for _ in range(2))
    line = group or host
    return Addresses((f"{line}:{first}", f"{line}:{second}"), f"{host}:{_free_udp_port()}")


def _free_udp_port() -> int:
    """Ports that are free for TCP and UDP, which no other test is given."""
    while True:
        (port,) = ports.free_ports(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


DPDK = "--no-huge -m 128 --no-shconf --no-pci --no-telemetry --log-level=error --vdev="
"""Without huge pages, a card, or files that another process could want as well; behind it comes the device."""


@dataclass(frozen=True)
class VirtualCard:
    """A pair of virtual cards: one of them here, the other in a network namespace."""

    name: str
    here: str
    there: str
    within: tuple[str, ...]
    """What runs a command in the namespace."""

    @property
    def dpdk(self) -> str:
        """DPDK's arguments for the end that is here."""
        return f"{DPDK}net_af_packet0,iface={self.name}"


@contextmanager
def virtual_card() -> Iterator[VirtualCard]:
    """Skips, saying why, where nobody may make one."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the program ip")
    number = os.getpid()
    space, inner, outer = f"livetape-{number}", f"lti{number}", f"lto{number}"
    network = f"10.{200 + number // 16_384 % 50}.{number // 64 % 256}"
    first = number % 64 * 4  # each process has a network of its own
    here, there = f"{network}.{first + 1}", f"{network}.{first + 2}"
    try:
        _ip("netns", "add", space)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr}")
    try:
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space)
        _ip("addr", "add", f"{here}/30", "dev", outer)
        _ip("link", "set", outer, "up")
        _ip("-n", space, "addr", "add", f"{there}/30", "dev", inner)
        _ip("-n", space, "link", "set", inner, "up")
        _ip("-n", space, "link", "set", "lo", "up")
        yield VirtualCard(outer, here, there, ("ip", "netns", "exec", space))
    finally:
        _ip("netns", "del", space)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def write_pcap(file: Path, payloads: Iterable[bytes], address: str) -> None:
    """A capture of UDP datagrams sent to HOST:PORT."""
    host, _, port = address.rpartition(":")
    with file.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1))
        for payload in payloads:
            frame = ethernet_frame(payload, host, int(port))
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def ethernet_frame(payload: bytes, host: str, port: int) -> bytes:
    """Ethernet, IPv4 and UDP around a payload; UDP's checksum is 0, which says that there is none."""
    udp = struct.pack(">HHHH", 26_000, port, 8 + len(payload), 0) + payload
    addresses = socket.inet_aton("10.0.0.1") + socket.inet_aton(host)
    without_sum = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0x4000, 1, 17, 0) + addresses
    total = sum(struct.unpack(">10H", without_sum))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    header = without_sum[:10] + struct.pack(">H", total ^ 0xFFFF) + without_sum[12:]
    return bytes(6) + bytes(6) + b"\x08\x00" + header + udp


@contextmanager
def sending(
    addresses: Addresses, *options: str, within: Sequence[str] = (), log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """`livetape replay packets` as its own process, in a network namespace if `within` enters one."""
    lines = [part for line in addresses.lines for part in ("--line", line)]
    command = [sys.executable, "-m", "replay", "packets", *lines, "--rerequest", addresses.rerequest, *options]
    with log.open("ab") as output:
        process = subprocess.Popen([*within, *command], cwd=PROJECT, stdout=output, stderr=output, env=dict(os.environ))
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(READ_S)


def config_file(folder: Path, feed: PacketFeed) -> Path:
    """A configuration of the bridge for one feed."""
    settings = Settings(home=folder, packet_feeds={VENUE: feed}, venues={})
    file = folder / f"feed-{len(list(folder.glob('feed-*')))}.json"
    file.write_text(json.dumps(bridge_config(settings, SCHEMA_IDS)))
    return file


def read_feed(config: Path, within: Sequence[str] = (), reader: Path = READER) -> tuple[list[str], str]:
    """Each trade's record until the session has ended, and what the reader said; it fails where that does not come."""
    ran = subprocess.run(
        [*within, reader, "--config", config], capture_output=True, text=True, check=False, timeout=READ_S
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines(), ran.stderr
