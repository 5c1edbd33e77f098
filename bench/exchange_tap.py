"""Between the simulated exchange and the bridge: passes every frame on, and notes when each trade was sent.

So the process that sees a trade leave for the bridge is the one that sees it arrive on /ws: one clock.
"""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from local.certificates import Certificates

_TRADE = re.compile(rb'"s":\s*"(\w+)".*?"t":\s*(\d+)')
TradeKey = tuple[str, int]
"""Binance's symbol and trade id."""


class ExchangeTap:
    """A Binance server for the bridge, a Binance client of the simulated exchange."""

    def __init__(self, port: int, exchange_port: int, certificates: Certificates) -> None:
        self.sent_ns: dict[TradeKey, int] = {}
        """When each trade's frame was handed to the socket towards the bridge, in ns since 1970."""
        self._port = port
        self._exchange = f"wss://127.0.0.1:{exchange_port}"
        self._certificates = certificates

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve the bridge at the port."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._certificates.server, self._certificates.key)
        async with serve(self._pass_on, "127.0.0.1", self._port, ssl=tls, compression=None):
            yield

    async def _pass_on(self, bridge: ServerConnection) -> None:
        assert bridge.request is not None  # noqa: S101 - set once the handshake is done, for the type checker
        trust = ssl.create_default_context(cafile=str(self._certificates.ca))
        async with connect(f"{self._exchange}{bridge.request.path}", ssl=trust, compression=None) as exchange:

            async def requests() -> None:
                async for frame in bridge:
                    await exchange.send(frame)

            async def trades() -> None:
                async for frame in exchange:
                    self._note(frame)
                    await bridge.send(frame)

            tasks = [asyncio.create_task(requests()), asyncio.create_task(trades())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                for end in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(end, Exception) and not isinstance(end, ConnectionClosed):
                        raise end

    def _note(self, frame: str | bytes) -> None:
        trade = _TRADE.search(frame.encode() if isinstance(frame, str) else frame)
        if trade is not None:
            self.sent_ns.setdefault((trade[1].decode(), int(trade[2])), time.time_ns())
