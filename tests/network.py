"""A network between two programs of one machine that can be cut, stalled and slowed: TCP proxies on loopback."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

CLOSED = -1
"""The number of a socket that is closed already."""
CHUNK = 64 * 1024
AT_ONCE = struct.pack("ii", 1, 0)
"""Of SO_LINGER: a close sends a reset (socket(7))."""


class Proxy:
    """Passes the connections to one port on to another one. Its faults last until `heal`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int, target: int) -> None:
        self.port = port
        self.connections = 0
        """How many were passed on by now."""
        self._loop = loop
        self._target = target
        self._door: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self._delay_s = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()

    def cut(self) -> None:
        """Reset every connection, and each new one at once."""
        self._loop.call_soon_threadsafe(self._cut)

    def stall(self) -> None:
        """Let no byte through, and keep the connections: as a network does that has lost its way."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def lose(self) -> None:
        """Let no byte through on the connections of now, which are kept and never heal; new ones are as always."""
        self._loop.call_soon_threadsafe(self._lose)

    def delay(self, seconds: float) -> None:
        """Hand on each piece so much later."""
        self._loop.call_soon_threadsafe(setattr, self, "_delay_s", seconds)

    def heal(self) -> None:
        """Be a good network again."""
        self._loop.call_soon_threadsafe(self._heal)

    async def serve(self) -> None:
        """Begin to listen."""
        self._door = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    def close(self) -> None:
        """Listen no more, and reset every connection; in the loop's own thread."""
        if self._door is not None:
            self._door.close()
        self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        for writer in self._writers:
            _reset(writer)

    def _lose(self) -> None:
        self._flowing.clear()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def _heal(self) -> None:
        self._is_cut = False
        self._delay_s = 0.0
        self._flowing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        ends = {writer, far_writer}
        if not self._admit(ends):
            return
        flowing = self._flowing
        try:
            with contextlib.suppress(asyncio.CancelledError):  # asyncio's streams would log it as an error
                await asyncio.gather(self._pass(reader, far_writer, flowing), self._pass(far_reader, writer, flowing))
        finally:
            self._writers -= ends

    def _admit(self, ends: set[asyncio.StreamWriter]) -> bool:
        """Whether a connection may be: the network may have been cut while it was made."""
        if self._is_cut:
            for end in ends:
                _reset(end)
            return False
        self._writers |= ends
        self.connections += 1
        return True

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await flowing.wait()
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                writer.write(data)
                await writer.drain()
        writer.close()


class Network:
    """The proxies of one run, on an event loop of their own thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._proxies: list[Proxy] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Pass bytes for as long as the block runs."""
        thread = threading.Thread(target=self._loop.run_forever, name="network")
        thread.start()
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def link(self, port: int, target: int) -> Proxy:
        """A proxy that listens on `port`."""
        proxy = Proxy(self._loop, port, target)
        asyncio.run_coroutine_threadsafe(proxy.serve(), self._loop).result()
        self._proxies.append(proxy)
        return proxy

    async def _end_all(self) -> None:
        for proxy in self._proxies:
            proxy.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    end = writer.get_extra_info("socket")
    if end.fileno() == CLOSED:
        return
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()
