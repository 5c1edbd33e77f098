"""A way to a TCP port of this machine on which connections can die without a word to either end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TcpWay:
    """Passes on what comes at `port`, of connections that are not dead."""

    port = 0

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._alive: list[asyncio.Event] = []
        self.connections = 0
        """How many were made by now."""

    def swallow(self) -> None:
        """From now on nothing comes through the connections of now, which stay open."""
        for alive in self._alive:
            alive.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes by a connection, until one end closes it."""
        alive = asyncio.Event()
        alive.set()
        self._alive.append(alive)
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        ways = [
            asyncio.create_task(self._pass_on(reader, far_writer, alive)),
            asyncio.create_task(self._pass_on(far_reader, writer, alive)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            far_writer.close()

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, alive: asyncio.Event) -> None:
        while data := await reader.read(1 << 16):
            if alive.is_set():
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def way_to(port: int) -> AsyncIterator[TcpWay]:
    """A way to this port, with one of its own."""
    way = TcpWay(port)
    server = await asyncio.start_server(way.serve, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
