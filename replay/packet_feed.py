"""A simulated MoldUDP64 sender: the same packets on every line, each line with its own faults, and a re-request server.

The newest GiB of what it sends is kept, so that the server has a session of no more from its first message on.
"""

import asyncio
import ipaddress
import logging
import random
import socket
import struct
from collections import deque
from collections.abc import AsyncIterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, cast

from replay.itch import MOST_BYTES
from replay.kept_messages import KeptMessages

log = logging.getLogger(__name__)
Address = tuple[str, int]
HEADER: Final = struct.Struct(">10sQH")
END_OF_SESSION: Final = 0xFFFF
MAX_PAYLOAD: Final = 1_400
HEARTBEAT_S: Final = 1.0
YIELD_EVERY: Final = 20
"""Items of a source that are sent before others have a turn."""
SEND_BUFFER: Final = 8 << 20


@dataclass(frozen=True)
class Hole:
    """So many messages that the feed has, and nobody can give it."""

    messages: int


@dataclass(frozen=True)
class LineFaults:
    """How often a line loses, doubles or delays a packet, each from 0 to 1; a delayed one is overtaken by the next."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0


class Line:
    """One way that the packets take."""

    def __init__(self, address: Address, interface: str, faults: LineFaults, seed: str) -> None:
        self._address = address
        self._faults = faults
        self._chance = random.Random(seed)  # noqa: S311 - no secret, and the same faults in every run
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if ipaddress.ip_address(address[0]).is_multicast:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        self._delayed: deque[bytes] = deque()

    def send(self, packet: bytes) -> None:
        """Send a packet, if the line does not lose it, and what it delayed before."""
        chance, faults = self._chance.random, self._faults
        if chance() < faults.reorder:
            self._delayed.append(packet)
            return
        if chance() >= faults.loss:
            self._put(packet)
        if chance() < faults.duplicate:
            self._put(packet)
        while self._delayed:
            self._put(self._delayed.popleft())

    def close(self) -> None:
        """Send no more."""
        self._socket.close()

    def _put(self, packet: bytes) -> None:
        self._socket.sendto(packet, self._address)


class _Server(asyncio.DatagramProtocol):
    """Answers each request by a packet with as much of it as one holds."""

    def __init__(self, feed: "PacketFeed") -> None:
        self._feed = feed
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: Address) -> None:
        """Answer."""
        answer = self._feed.answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, address)


class PacketFeed:
    """Sends a source of messages, packs of them that belong together at once, and heartbeats.

    The end of the session is told behind the source where that has it; else the session goes on.
    """

    def __init__(
        self,
        source: AsyncIterable[Sequence[bytes] | Hole],
        lines: Sequence[Line],
        *,
        session: str,
        has_end: bool,
        rerequest: Address | None,
        server_faults: LineFaults,
        seed: int,
    ) -> None:
        self._source = source
        self._lines = lines
        self._session = session.encode().ljust(10)
        self._has_end = has_end
        self._rerequest = rerequest
        self._server_faults = server_faults
        self._chance = random.Random(f"server {seed}")  # noqa: S311 - as above
        self._kept = KeptMessages(MOST_BYTES)
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_over = False

    async def __aenter__(self) -> Self:
        if self._rerequest is not None:
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(lambda: _Server(self), local_addr=self._rerequest)
        self._tasks = [asyncio.create_task(self._play()), asyncio.create_task(self._beat())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
        for line in self._lines:
            line.close()

    async def wait(self) -> None:
        """Wait until the source has ended or failed; its failure is raised."""
        await self._tasks[0]

    def answer(self, request: bytes) -> bytes | None:
        """The packet that answers a request; nothing where there is no answer, or where it is lost."""
        if len(request) != HEADER.size:
            return None
        session, first, count = HEADER.unpack(request)
        wanted = self._kept.stretch(first, count)
        if session != self._session or not wanted or self._chance.random() < self._server_faults.loss:
            return None
        return self._packet(first, next(_packs(wanted)))

    async def _play(self) -> None:
        played = 0
        async for messages in self._source:
            played += 1
            if played % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # the re-request server has its turn however fast the source is
            if isinstance(messages, Hole):
                self._kept.skip(messages.messages)
                continue
            for pack in _packs(messages):
                first = self._kept.next_number
                self._kept.add(pack)
                self._send(self._packet(first, pack))
        self._is_over = self._has_end
        self._send(self._beat_packet())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            for number, line in enumerate(self._lines, 1):
                try:
                    line.send(self._beat_packet())
                except OSError as error:  # its interface may be back for the next one
                    log.warning("no heartbeat on line %d: %s", number, error)

    def _beat_packet(self) -> bytes:
        count = END_OF_SESSION if self._is_over else 0
        return HEADER.pack(self._session, self._kept.next_number, count)

    def _packet(self, first: int, messages: Sequence[bytes]) -> bytes:
        blocks = b"".join(len(each).to_bytes(2) + each for each in messages)
        return HEADER.pack(self._session, first, len(messages)) + blocks

    def _send(self, packet: bytes) -> None:
        for line in self._lines:
            line.send(packet)


def _packs(messages: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Messages by packets."""
    pack: list[bytes] = []
    size = HEADER.size
    for each in messages:
        if size + 2 + len(each) > MAX_PAYLOAD:
            yield pack
            pack, size = [], HEADER.size
        pack.append(each)
        size += 2 + len(each)
    if pack:
        yield pack
