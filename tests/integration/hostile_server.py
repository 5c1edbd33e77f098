"""A server that breaks the rules: TLS, HTTP and WebSocket by hand, since no library would send what it sends."""

import asyncio
import base64
import hashlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import repeat
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from local import certificates
from replay.exchange import VenueProtocol
from replay.history import History
from tests.integration.bridge_kit import server_tls

CHUNK: Final = 1 << 16
FIN, RSV1, MASK = 0x80, 0x40, 0x80
CONTINUATION, TEXT, PING, PONG = 0x0, 0x1, 0x9, 0xA
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SMALL, _TWO_BYTES, _EIGHT_BYTES = 125, 126, 127


@dataclass
class Client:
    """A client whose request's head was read."""

    head: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def wants_websocket(self) -> bool:
        """Whether it asked for one, and not for an answer of the REST API."""
        return "upgrade: websocket" in self.head.lower()

    async def send(self, data: bytes) -> None:
        """Send this, as far as it takes it. Raises ConnectionError once it has gone."""
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0)  # a socket with room never lets others have their turn, nor tells that it is closed
        if self.writer.is_closing():
            raise ConnectionResetError

    async def send_all(self, pieces: Iterable[bytes]) -> None:
        """Send all of these."""
        for piece in pieces:
            await self.send(piece)

    async def upgrade(self, *more: str) -> None:
        """Shake hands as a WebSocket's server, with more headers where they are given."""
        key = next(line for line in self.head.splitlines() if line.lower().startswith("sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1((key.partition(":")[2].strip() + _GUID).encode()).digest())  # noqa: S324 - RFC 6455
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept.decode()}",
            *more,
        )
        await self.send("".join(f"{line}\r\n" for line in (*lines, "")).encode())

    async def gone(self) -> None:
        """Wait until it has closed the connection."""
        while await self.reader.read(CHUNK):
            pass


Attack = Callable[[Client], Awaitable[None]]
HistoryAttack = Callable[[Client, str], Awaitable[None]]
"""Is told as well what the venue would answer."""


def answered(body: str, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer of a REST API."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers, "", body)
    return "\r\n".join(lines).encode()


def frame(first: int, payload: bytes = b"", *, announced: int | None = None, second: int = 0) -> bytes:
    """A frame whose first byte is given, which may announce another length than it has; `second` has the mask's bit."""
    length = len(payload) if announced is None else announced
    if length <= _SMALL:
        return bytes([first, second | length]) + payload
    if length < 1 << 16:
        return struct.pack(">BBH", first, second | _TWO_BYTES, length) + payload
    return struct.pack(">BBQ", first, second | _EIGHT_BYTES, length) + payload


def forever(piece: bytes) -> Iterable[bytes]:
    """The same without end, in large pieces."""
    return repeat(piece * max(1, CHUNK // len(piece)))


class HostileServer:
    """Strikes each WebSocket, or each request of the REST API; what else it is asked it answers as the venue would."""

    def __init__(
        self,
        certs: certificates.Certificates,
        protocol: VenueProtocol,
        *,
        websocket: Attack | None = None,
        rest: Attack | None = None,
    ) -> None:
        self.strikes = 0
        """How often a client was struck."""
        self.may_strike = asyncio.Event()
        self.arrived = asyncio.Event()
        """Set by the first client that is to be struck."""
        self._tls = server_tls(certs)
        self._protocol = protocol
        self._websocket = websocket
        self._rest = rest
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await self._serve(Client(head.decode(), reader, writer))
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the client has had enough, or the test has
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve(self, client: Client) -> None:
        attack = self._websocket if client.wants_websocket else self._rest
        if attack is None:
            await self._answer(client)
            return
        self.arrived.set()
        await self.may_strike.wait()
        self.strikes += 1
        await attack(client)
        await client.gone()

    async def _answer(self, client: Client) -> None:
        answer = self.true_answer(client, History())
        await client.send(answered("{}", "404 Not Found") if answer is None else answered(answer))

    def true_answer(self, client: Client, history: History) -> str | None:
        """What the venue would answer a request."""
        address = urlsplit(client.head.split(" ", 2)[1])
        return self._protocol.answer(address.path, dict(parse_qsl(address.query)), history)


class HostileHistory(HostileServer):
    """The REST API of an exchange, which answers as the venue would but for as long as it has an attack."""

    def __init__(self, certs: certificates.Certificates, protocol: VenueProtocol, history: History) -> None:
        super().__init__(certs, protocol)
        self.attack: HistoryAttack | None = None
        self._kept = history

    async def _serve(self, client: Client) -> None:
        answer = self.true_answer(client, self._kept)
        if self.attack is None:
            await client.send(answered(answer or "{}"))
            return
        self.strikes += 1
        await self.attack(client, answer or "{}")
        await client.gone()


async def paced(piece: bytes, every_s: float) -> AsyncIterator[bytes]:
    """The same without end, some each while: enough for no side to think that the other is gone."""
    while True:
        yield piece
        await asyncio.sleep(every_s)
