"""A simulated exchange: a WebSocket server over TLS that speaks a venue's protocol and plays a source of trades."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterable
from dataclasses import replace
from types import TracebackType
from typing import Final, Protocol, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from replay.faults import LAST_DAY_OF_2099_NS, Faults
from replay.ledger import Ledger
from replay.recording import RecordedFrame
from replay.trade import SimulatedTrade

Source = AsyncIterable[SimulatedTrade | RecordedFrame]
MAX_REQUEST_BYTES: Final = 1 << 20
DAY_S: Final = 24 * 60 * 60
YIELD_EVERY: Final = 100


class Subscriptions:
    """Who listens to which stream."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[ServerConnection]] = defaultdict(set)
        self.first = asyncio.Event()

    def add(self, connection: ServerConnection, stream: str) -> None:
        """Send the stream to the connection from now on."""
        self._listeners[stream].add(connection)
        self.first.set()

    def remove(self, connection: ServerConnection, stream: str) -> None:
        """Send it no more."""
        self._listeners[stream].discard(connection)

    def drop(self, connection: ServerConnection) -> None:
        """Forget a connection."""
        for listeners in self._listeners.values():
            listeners.discard(connection)

    def of(self, connection: ServerConnection) -> list[str]:
        """The streams that a connection listens to."""
        return sorted(stream for stream, listeners in self._listeners.items() if connection in listeners)

    def listeners(self, stream: str) -> list[ServerConnection]:
        """The connections that listen to a stream."""
        return list(self._listeners[stream])


class VenueProtocol(Protocol):
    """What is particular to one venue's WebSocket API."""

    ping_interval_s: float | None

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Greet a client and answer its requests until it goes."""

    def stream_of(self, instrument: str) -> str:
        """The stream that an instrument's trades are on."""

    def encode(self, trade: SimulatedTrade) -> str:
        """The frame of a trade."""


class Exchange:
    """Serves one venue. The source begins to play with the first subscription; a recording that ends leaves silence."""

    def __init__(
        self,
        protocol: VenueProtocol,
        source: Source,
        tls: ssl.SSLContext,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ledger: Ledger | None = None,
    ) -> None:
        self.faults = Faults()
        self.played_out = asyncio.Event()
        """Set once the source has ended."""
        self._protocol = protocol
        self._source = source
        self._tls = tls
        self._host = host
        self._port = port
        self._ledger = ledger or Ledger(None)
        self._played = 0
        self._subscriptions = Subscriptions()
        self._server: Server | None = None
        self._player: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Host and port that it listens on."""
        if self._server is None:
            raise RuntimeError("the exchange is not open")
        return f"{self._host}:{next(iter(self._server.sockets)).getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._host,
            self._port,
            ssl=self._tls,
            ping_interval=self._protocol.ping_interval_s,
            ping_timeout=60,
            max_size=MAX_REQUEST_BYTES,
            compression=None,
        )
        self._player = asyncio.create_task(self._play())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._player is not None:
            self._player.cancel()
            await asyncio.gather(self._player, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def wait(self) -> None:
        """Wait until the source has ended or failed; its failure is raised."""
        if self._player is not None:
            await self._player

    async def drop_connections(self) -> None:
        """Cut every connection without a closing handshake, as a lost network does."""
        for connection in list(self._server.connections if self._server else ()):
            connection.transport.abort()

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            async with asyncio.timeout(DAY_S):
                await self._protocol.converse(connection, self._subscriptions)
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            self._subscriptions.drop(connection)

    async def _play(self) -> None:
        await self._subscriptions.first.wait()
        async for item in self._source:
            self._played += 1
            if self._played % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # frames that nobody listens to must not keep the requests of clients waiting
            if isinstance(item, RecordedFrame):
                await self._send(item.stream, item.text)
            else:
                await self._send_trade(item)
        self.played_out.set()

    async def _send_trade(self, trade: SimulatedTrade) -> None:
        self._ledger.write(trade)
        stream = self._protocol.stream_of(trade.instrument)
        if self.faults.spoils():
            for frame in self._broken_frames(trade):
                await self._send(stream, frame)
        for sent in self.faults.apply(trade):
            await self._send(stream, self._protocol.encode(sent))

    def _broken_frames(self, trade: SimulatedTrade) -> list[str]:
        return [
            '{"stream": "broken',
            self._protocol.encode(replace(trade, price="1e400")),
            self._protocol.encode(replace(trade, trade_id=trade.trade_id + 10**9, event_time_ns=LAST_DAY_OF_2099_NS)),
        ]

    async def _send(self, stream: str, frame: str) -> None:
        for connection in self._subscriptions.listeners(stream):
            try:
                await connection.send(frame)
            except ConnectionClosed:
                self._subscriptions.drop(connection)
