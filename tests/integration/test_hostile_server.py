"""A server that breaks the rules costs bounded memory and its own connections: other venues, and it later, go on."""

import asyncio
import gzip
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from app.settings import Settings
from app.sources import VenueConfig
from local import certificates
from replay.exchange import Exchange
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.bridge_kit import Bridge, Script, bridging, read_topic, server_tls, trades_of, venue_of
from tests.integration.bridge_run import BTC, trade
from tests.integration.hostile_server import (
    CONTINUATION,
    FIN,
    MASK,
    PING,
    PONG,
    RSV1,
    TEXT,
    Attack,
    Client,
    HostileServer,
    answered,
    forever,
    frame,
    paced,
)

MIB: Final = 1 << 20
BOUND_MIB: Final = 256
"""How much more memory the bridge may take than before, with six venues hostile at once."""
GOOD: Final = VenueName.OKX
HOSTILE: Final = tuple(name for name in VenueName if name is not GOOD)


@dataclass(frozen=True)
class Flaw:
    """What a server does, and what the bridge says of it."""

    attack: Attack
    reason: str


def frames(*sent: bytes, reason: str, then: bytes = b"") -> Flaw:
    """Sends these behind a good handshake, then something without end."""

    async def attack(client: Client) -> None:
        await client.upgrade()
        await client.send_all(sent)
        if then:
            await client.send_all(forever(then))

    return Flaw(attack, f"connection lost: read: {reason}")


def handshake(head: bytes, reason: str, then: bytes = b"") -> Flaw:
    """Answers a handshake by something else."""
    return Flaw(answer(head, then), f"WebSocket handshake: {reason}")


def rest(head: str, reason: str, body: bytes = b"", then: bytes = b"") -> Flaw:
    """Answers a request of the REST API."""
    return Flaw(answer(head.encode() + body, then), f"answer: {reason}")


def answer(sent: bytes, then: bytes) -> Attack:
    """Sends this, then something without end."""

    async def attack(client: Client) -> None:
        await client.send(sent)
        if then:
            await client.send_all(forever(then))

    return attack


async def never_whole(client: Client) -> None:
    """A message that goes on and on with nothing in it, and signs of life in between."""
    await client.upgrade()
    await client.send(frame(TEXT, b"{"))
    async for piece in paced(frame(CONTINUATION) * 100 + frame(FIN | PONG), every_s=1):
        await client.send(piece)


async def bomb(client: Client) -> None:
    """A GiB of zeros in one small frame, of an extension that nobody asked for."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)  # what stands by itself may be repeated
    await client.upgrade("Sec-WebSocket-Extensions: permessage-deflate")
    await client.send(frame(FIN | RSV1 | TEXT, packed * 1_024))


async def silence(_client: Client) -> None:
    """Nothing."""


TOO_BIG: Final = "The WebSocket message exceeded the locally configured limit"
RESERVED: Final = "The WebSocket frame contained illegal reserved bits"
ENDLESS_HEADER: Final = b"X-Livetape: on and on\r\n"

FRAMES: Final = {
    "giant": (
        frames(frame(FIN | TEXT, announced=2 << 30), then=b"x", reason=TOO_BIG),
        frames(frame(FIN | TEXT, b"x" * (5 * MIB)), reason=TOO_BIG),
        frames(frame(TEXT, b"x" * 1_000), then=frame(CONTINUATION, b"x" * 1_000), reason=TOO_BIG),
        frames(frame(FIN | RSV1 | TEXT, b"{}"), reason=RESERVED),
        Flaw(bomb, f"connection lost: read: {RESERVED}"),
        Flaw(never_whole, "connection lost: read: no frame has ended for 30 s"),
    ),
    "wrong": (
        frames(frame(FIN | TEXT, b'{"text":"\xc3\x28"}'), reason="The WebSocket frame payload was not valid utf8"),
        frames(frame(FIN | 0x3, b"{}"), reason="The WebSocket frame contained an illegal opcode"),
        frames(frame(FIN | TEXT, bytes(4) + b"{}", announced=2, second=MASK), reason="The WebSocket frame was masked"),
        frames(frame(FIN | PING, bytes(126)), reason="The WebSocket control frame size was invalid"),
        frames(frame(PING, b"?"), reason="The WebSocket control frame was fragmented"),
        frames(frame(FIN | CONTINUATION, b"{}"), reason="The WebSocket continuation frame was unexpected"),
    ),
}
HANDSHAKES: Final = (
    handshake(b"HTTP/1.1 101 Switching Protocols\r\n", then=ENDLESS_HEADER, reason="header limit exceeded"),
    handshake(b"HTTP/1.1 200 OK\r\n\r\n", then=b"x", reason="body limit exceeded"),
    handshake(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", reason="HTTP status 302"),
    handshake(answered("{}", "451 Unavailable For Legal Reasons"), reason="HTTP status 451"),
    handshake(b"\x16\x03\x01 no HTTP at all\r\n\r\n", reason="bad version"),
    Flaw(silence, "WebSocket handshake: The socket was closed due to a timeout"),
)
OK: Final = "HTTP/1.1 200 OK\r\n"
PACKED: Final = gzip.compress(bytes(64 * MIB))
CHUNKED: Final = f"{OK}Transfer-Encoding: chunked\r\n\r\n"
ANSWERS: Final = {
    "endless": (
        rest(f"{OK}\r\n", then=b'{"symbols":[', reason="body limit exceeded"),
        rest(CHUNKED, then=b"1000\r\n" + b"[" * 0x1000 + b"\r\n", reason="body limit exceeded"),
        rest(OK, then=ENDLESS_HEADER, reason="header limit exceeded"),
        rest(CHUNKED, body=b"1;", then=b"x=y;", reason="buffer overflow"),
        rest(f"{OK}Content-Length: 1099511627776\r\n\r\n", then=b"[", reason="body limit exceeded"),
        Flaw(silence, "answer: The socket was closed due to a timeout"),
    ),
    "wrong": (
        rest(
            f"{OK}Content-Encoding: gzip\r\nContent-Length: {len(PACKED)}\r\n\r\n",
            body=PACKED,
            reason="it is compressed, which was not asked for",
        ),
        rest("HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", reason="HTTP status 301"),
        rest(f"{OK}Content-Length: 2\r\n\r\n[]", reason="malformed_json"),
        rest(f"{OK}Content-Length: 400000\r\n\r\n" + "[" * 400_000, reason="malformed_json"),
    ),
}


def peak_mib(bridge: Bridge) -> int:
    """The most memory that the process has had."""
    status = Path(f"/proc/{bridge.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) // 1_024


class Siege:
    """A bridge whose venues are hostile but for one."""

    def __init__(
        self, settings: Settings, certs: certificates.Certificates, servers: Mapping[VenueName, HostileServer]
    ) -> None:
        self._certs = certs
        self._servers = servers
        self._script = Script()
        self._good = Exchange(protocol_of(GOOD, (BTC,)), self._script, server_tls(certs))
        self._here = settings
        self._said = 0

    async def goes(self, reasons: Mapping[VenueName, str]) -> None:
        """Strikes each venue twice; each says why, the good one goes on, and when the servers are well all trade."""
        async with AsyncExitStack() as hostile:
            await hostile.enter_async_context(self._good)
            for server in self._servers.values():
                await hostile.enter_async_context(server)
            ports = {name: server.port for name, server in self._servers.items()}
            settings = self._here.model_copy(update={"venues": self._venues(ports)})
            with bridging(settings) as bridge:
                for server in self._servers.values():
                    await server.arrived.wait()
                before_mib = peak_mib(bridge)
                for server in self._servers.values():
                    server.may_strike.set()
                await self._good_one_trades(bridge)
                for name, reason in reasons.items():
                    await bridge.until(lambda name=name, reason=reason: says(bridge, name, reason) >= 1, reason)  # type: ignore[misc]  # mypy infers no lambda with defaults
                    await bridge.until(lambda name=name: self._servers[name].strikes > 1, f"another strike at {name}")  # type: ignore[misc]  # mypy infers no lambda with defaults
                await self._good_one_trades(bridge)
                assert peak_mib(bridge) - before_mib < BOUND_MIB
                for server in self._servers.values():
                    await server.__aexit__(None, None, None)
                await self._all_trade(bridge, ports)
                assert await bridge.stop() == 0
        records = await asyncio.to_thread(read_topic, settings)
        for name in ports:
            assert len(trades_of(records, name)) == 1, name
        assert len(trades_of(records, GOOD)) == self._said

    def _venues(self, ports: Mapping[VenueName, int]) -> dict[str, VenueConfig]:
        venues: dict[str, VenueConfig] = {GOOD: venue_of(GOOD, self._good, (BTC,), self._certs.ca)}
        for name, port in ports.items():
            at = f"127.0.0.1:{port}"
            url = f"wss://{at}{PROTOCOLS[name].path}"
            venues[name] = VenueConfig(url=url, rest_url=f"https://{at}", instruments=(BTC,), ca_file=self._certs.ca)
        return venues

    async def _good_one_trades(self, bridge: Bridge) -> None:
        self._said += 1
        self._script.say(trade(self._said))
        await bridge.counts(f'trades_total{{venue="{GOOD}"}}', self._said)

    async def _all_trade(self, bridge: Bridge, ports: Mapping[VenueName, int]) -> None:
        async with AsyncExitStack() as exchanges:
            for name, port in ports.items():
                script = Script()
                script.say(trade(1))
                well = Exchange(protocol_of(name, (BTC,)), script, server_tls(self._certs), port=port)
                await exchanges.enter_async_context(well)
            for name in ports:
                await bridge.counts(f'trades_total{{venue="{name}"}}', 1)
            await self._good_one_trades(bridge)


def says(bridge: Bridge, venue: VenueName, reason: str) -> int:
    """How many lines of the log give a venue's trouble this reason."""
    return sum(line.startswith(f"{venue}: ") and reason in line for line in bridge.log.splitlines())


def servers(
    certs: certificates.Certificates, flaws: Sequence[Flaw], way: str
) -> tuple[dict[VenueName, HostileServer], dict[VenueName, str]]:
    """A hostile server for each flaw, struck by `websocket` or `rest`, and what is said of each."""
    made: dict[VenueName, HostileServer] = {}
    for name, flaw in zip(HOSTILE, flaws, strict=False):
        strike: dict[str, Any] = {way: flaw.attack}
        made[name] = HostileServer(certs, protocol_of(name, (BTC,)), **strike)
    return made, {name: flaw.reason for name, flaw in zip(HOSTILE, flaws, strict=False)}


@pytest.mark.parametrize("kind", FRAMES)
async def test_frames_that_break_the_rules_cost_the_connection_alone(
    here: Settings, certs: certificates.Certificates, kind: str
) -> None:
    hostile, reasons = servers(certs, FRAMES[kind], "websocket")
    await Siege(here, certs, hostile).goes(reasons)


async def test_handshakes_that_break_the_rules_cost_the_connection_alone(
    here: Settings, certs: certificates.Certificates
) -> None:
    hostile, reasons = servers(certs, HANDSHAKES, "websocket")
    await Siege(here, certs, hostile).goes(reasons)


async def test_a_venue_that_refuses_handshakes_for_a_while_is_left_alone_for_as_long_as_it_says(
    here: Settings, certs: certificates.Certificates
) -> None:
    retry_after_s = 3
    knocked_s: list[float] = []

    async def refuse(client: Client) -> None:
        knocked_s.append(time.monotonic())
        await client.send(answered("{}", "429 Too Many Requests", f"Retry-After: {retry_after_s}"))

    async with HostileServer(certs, protocol_of(GOOD, (BTC,)), websocket=refuse) as server:
        server.may_strike.set()
        at = f"127.0.0.1:{server.port}"
        url = f"wss://{at}{PROTOCOLS[GOOD].path}"
        venue = VenueConfig(url=url, rest_url=f"https://{at}", instruments=(BTC,), ca_file=certs.ca)
        with bridging(here.model_copy(update={"venues": {GOOD: venue}})) as bridge:
            await bridge.says(f"cannot connect to {url}: WebSocket handshake: HTTP status 429; next attempt in 3000 ms")
            await bridge.until(lambda: len(knocked_s) > 2, "two more attempts")
            assert await bridge.stop() == 0
    assert all(later - earlier >= retry_after_s for earlier, later in pairwise(knocked_s))


@pytest.mark.parametrize("kind", ANSWERS)
async def test_answers_that_break_the_rules_are_asked_for_again(
    here: Settings, certs: certificates.Certificates, kind: str
) -> None:
    hostile, reasons = servers(certs, ANSWERS[kind], "rest")
    await Siege(here, certs, hostile).goes(reasons)
