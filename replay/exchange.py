"""A simulated exchange: a server over TLS that speaks a venue's protocols, WebSocket and REST, and plays trades."""

import asyncio
import contextlib
import ssl
from collections import defaultdict
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from http import HTTPStatus
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self
from urllib.parse import parse_qsl, urlsplit
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from replay.faults import LAST_DAY_OF_2099_NS, Faults, Refusal, Refused
from replay.history import REMEMBERED, History
from replay.ledger import Ledger
from replay.quotes import SimulatedQuote
from replay.recording import RecordedFrame
from replay.trade import SimulatedTrade

Source = AsyncIterable[SimulatedTrade | SimulatedQuote | RecordedFrame]
MAX_REQUEST_BYTES: Final = 1 << 20
DAY_S: Final = 24 * 60 * 60
YIELD_EVERY: Final = 100
SETTLED_S: Final = 1.0
"""How long after a subscription no other one follows: several times what any venue wants between two messages."""

SLOWEST_READER_S: Final = 5.0
"""How long all others wait for a client that does not read, which is then cut, as real venues do."""


class Subscriptions:
    """Who listens to which stream, and the history of what was on them."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._listeners: defaultdict[str, set[ServerConnection]] = defaultdict(set)
        self._deaf: set[tuple[str, ServerConnection]] = set()
        self._stubborn = False
        self._translators: WeakKeyDictionary[ServerConnection, Callable[[str], str]] = WeakKeyDictionary()
        self._sent_s: WeakKeyDictionary[ServerConnection, float] = WeakKeyDictionary()
        self.first = asyncio.Event()
        """Set by the first subscription of all."""
        self.added = asyncio.Event()
        """Set by each."""

    def add(self, connection: ServerConnection, stream: str) -> None:
        """Send the stream to the connection from now on."""
        self._listeners[stream].add(connection)
        if not self._stubborn:
            self._deaf.discard((stream, connection))
        self.first.set()
        self.added.set()

    def deafen(self, stream: str, *, stubborn: bool = False) -> None:
        """Send the stream to none of its listeners any more, until they subscribe again; or connect, if `stubborn`."""
        self._deaf |= {(stream, connection) for connection in self._listeners[stream]}
        self._stubborn = stubborn

    def remove(self, connection: ServerConnection, stream: str) -> None:
        """Send it no more."""
        self._listeners[stream].discard(connection)

    def drop(self, connection: ServerConnection) -> None:
        """Forget a connection."""
        for listeners in self._listeners.values():
            listeners.discard(connection)
        self._deaf = {deaf for deaf in self._deaf if deaf[1] is not connection}

    def translate(self, connection: ServerConnection, translator: Callable[[str], str]) -> None:
        """Send the connection what this makes of each frame."""
        self._translators[connection] = translator

    def translated(self, connection: ServerConnection, frame: str) -> str:
        """A frame as the connection is sent it."""
        translator = self._translators.get(connection)
        return frame if translator is None else translator(frame)

    def note_sent(self, connection: ServerConnection) -> None:
        """Remember that the connection is sent something of a stream now."""
        self._sent_s[connection] = asyncio.get_running_loop().time()

    def last_sent_s(self, connection: ServerConnection) -> float:
        """When the connection was last sent something of a stream, by the event loop's clock; 0 if never."""
        return self._sent_s.get(connection, 0.0)

    def of(self, connection: ServerConnection) -> list[str]:
        """The streams that a connection listens to."""
        return sorted(stream for stream, listeners in self._listeners.items() if connection in listeners)

    async def settled(self, quiet_s: float) -> None:
        """Wait for the first subscription, and then until none has been added for a while, where that is wanted."""
        await self.first.wait()
        with contextlib.suppress(TimeoutError):
            while quiet_s > 0:
                self.added.clear()
                await asyncio.wait_for(self.added.wait(), quiet_s)

    def listeners(self, stream: str) -> list[ServerConnection]:
        """The connections that a stream is sent to."""
        return [connection for connection in self._listeners[stream] if (stream, connection) not in self._deaf]


class VenueProtocol(Protocol):
    """What is particular to one venue's APIs."""

    path: ClassVar[str]
    """Where its WebSocket is served."""
    other_paths: ClassVar[Sequence[str]]
    """Where else, `*` standing for anything."""
    resolution_ns: ClassVar[int]
    """How exactly it tells the time of a trade."""
    ping_interval_s: float | None
    bad_request: ClassVar[Refusal]
    """What its REST API answers where a parameter is missing or wrong."""

    def __init__(self, instruments: Sequence[str]) -> None: ...

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Greet a client and answer its requests until it goes."""

    def stream_of(self, instrument: str) -> str:
        """The stream that an instrument's trades are on."""

    def encode(self, trade: SimulatedTrade) -> str:
        """The frame of a trade."""

    def trade_id(self, trade: SimulatedTrade) -> str:
        """The id that the venue gives a trade."""

    def quote_stream_of(self, instrument: str) -> str:
        """The stream that an instrument's best bid and ask are on."""

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """The frame of a best bid and ask."""

    def recorded_stream(self, frame: str) -> str:
        """The stream that a recorded frame was on; nothing for what was on none, as an answer to a request."""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """The JSON that its REST API answers; nothing for an address that it does not have.

        Raises Refused for what the venue has an error of its own, as an instrument that it does not list; KeyError or
        ValueError for a parameter that is missing or wrong.
        """


class Exchange:
    """Serves one venue; a source that ends leaves silence.

    It begins to play with the first subscription, as a market goes on whoever listens; or, as a recording should that
    has nothing to lose, once nobody has subscribed to more for `quiet_s`.
    """

    def __init__(
        self,
        protocol: VenueProtocol,
        source: Source,
        tls: ssl.SSLContext,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ledger: Ledger | None = None,
        remembered: int = REMEMBERED,
        quiet_s: float = 0.0,
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
        self.history = History(remembered)
        """What its REST API can give back."""
        self._quiet_s = quiet_s
        self._played = 0
        self._subscriptions = Subscriptions(self.history)
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
            process_request=self._answer,
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

    def begin(self) -> None:
        """Play, though nobody has subscribed."""
        self._subscriptions.first.set()

    async def wait(self) -> None:
        """Wait until the source has ended or failed; its failure is raised."""
        if self._player is not None:
            await self._player

    async def drop_connections(self) -> None:
        """Cut every connection without a closing handshake, as a lost network does."""
        for connection in list(self._server.connections if self._server else ()):
            self._cut(connection)

    def deafen(self, instrument: str, *, stubborn: bool = False) -> None:
        """Let an instrument's subscriptions die, until they are made again; or until the next connection."""
        self._subscriptions.deafen(self._protocol.stream_of(instrument), stubborn=stubborn)

    def deafen_quotes(self, instrument: str) -> None:
        """Let the subscriptions to an instrument's quotes die, until they are made again."""
        self._subscriptions.deafen(self._protocol.quote_stream_of(instrument))

    async def heard(self, instruments: Sequence[str], *, quotes: bool = False) -> None:
        """Wait until somebody is sent the trades of all these instruments, and their quotes where that is said."""
        while not self.is_heard(instruments, quotes=quotes):
            self._subscriptions.added.clear()
            await self._subscriptions.added.wait()

    def is_heard(self, instruments: Sequence[str], *, quotes: bool = False) -> bool:
        """Whether somebody is sent the trades of all these instruments, and their quotes where that is said."""
        streams = [self._protocol.stream_of(instrument) for instrument in instruments]
        if quotes:
            streams += [self._protocol.quote_stream_of(instrument) for instrument in instruments]
        return all(self._subscriptions.listeners(stream) for stream in streams)

    def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        """REST on the same port, whatever does not want to become a WebSocket; and which path has none."""
        address = urlsplit(request.path)
        if "Upgrade" in request.headers:
            is_served = any(
                fnmatchcase(address.path, path) for path in (self._protocol.path, *self._protocol.other_paths)
            )
            return None if is_served else _response(HTTPStatus.NOT_FOUND, "{}")
        refusal = self.faults.refuses()
        if refusal is not None:
            return _response(refusal.status, refusal.text, {"Retry-After": "1"})
        try:
            answer = self._protocol.answer(address.path, dict(parse_qsl(address.query)), self.history)
        except Refused as refused:
            return _response(refused.refusal.status, refused.refusal.text)
        except (KeyError, ValueError):
            return _response(self._protocol.bad_request.status, self._protocol.bad_request.text)
        return _response(HTTPStatus.NOT_FOUND, "{}") if answer is None else _response(HTTPStatus.OK, answer)

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            async with asyncio.timeout(DAY_S):
                await self._protocol.converse(connection, self._subscriptions)
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            self._subscriptions.drop(connection)

    async def _play(self) -> None:
        await self._subscriptions.settled(self._quiet_s)
        async for item in self._source:
            self._played += 1
            if self._played % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # frames that nobody listens to must not keep the requests of clients waiting
            if isinstance(item, RecordedFrame):
                await self._send(item.stream, item.text)
            elif isinstance(item, SimulatedQuote):
                await self._send(self._protocol.quote_stream_of(item.instrument), self._protocol.encode_quote(item))
            else:
                await self._send_trade(item)
        self.played_out.set()

    async def _send_trade(self, trade: SimulatedTrade) -> None:
        self._ledger.write(trade)
        self.history.candles.add(trade)
        if not self.faults.forgets():
            self.history.add(trade)
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
                async with asyncio.timeout(SLOWEST_READER_S):
                    await connection.send(self._subscriptions.translated(connection, frame))
                self._subscriptions.note_sent(connection)
            except TimeoutError:
                self._cut(connection)
            except ConnectionClosed:
                self._subscriptions.drop(connection)

    def _cut(self, connection: ServerConnection) -> None:
        connection.transport.abort()
        self._subscriptions.drop(connection)


def _response(status: HTTPStatus, text: str, more: Mapping[str, str] | None = None) -> Response:
    body = text.encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, status.phrase, Headers({**headers, **(more or {})}), body)
