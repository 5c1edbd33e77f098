"""The broker's responses off a connection, the large ones read right into the memory that they are used from.

asyncio's own stream copies every byte three times on its way into an object of its own, in fresh memory: a quarter of a
catching-up worker's CPU. Here the socket fills one buffer, and record sets are views of it.
"""

import asyncio
import mmap
import sys
from io import BytesIO
from typing import Any, Final, cast

from aiokafka.conn import AIOKafkaProtocol

LARGE_BYTES: Final = 64 * 1024
"""What is smaller is copied: a view of it would keep a whole buffer."""
KEPT_BUFFERS: Final = 8
"""One is being filled, and those whose record sets wait to be folded; more come and go as needed."""


class ResponseBuffers:
    """Memory for large responses, used again once nothing looks into it any more.

    It is mapped and not a bytearray, which would be cleared to its end: all of it would be touched for a half of it.
    """

    def __init__(self) -> None:
        self._kept: list[mmap.mmap] = []

    def take(self, size: int) -> memoryview:
        """`size` bytes that are nobody else's, of any content."""
        for buffer in self._kept:
            if len(buffer) >= size and _is_unused(buffer):
                return memoryview(buffer)[:size]
        made = mmap.mmap(-1, 1 << (size - 1).bit_length())
        self._keep(made)
        return memoryview(made)[:size]

    def _keep(self, made: mmap.mmap) -> None:
        if len(self._kept) < KEPT_BUFFERS:
            self._kept.append(made)
            return
        for number in range(len(self._kept)):
            buffer = self._kept[number]  # a loop over pairs would refer to it once more
            if len(buffer) < len(made) and _is_unused(buffer):
                self._kept[number] = made
                return


def _is_unused(buffer: mmap.mmap) -> bool:
    """Whether the list, the caller, this function and `getrefcount` are all that refers to it: each view would."""
    return sys.getrefcount(buffer) == 4  # noqa: PLR2004 - counted in the docstring


class ResponseReader:
    """What aiokafka decodes a large response from, as if it were a BytesIO; large fields are views."""

    def __init__(self, response: memoryview) -> None:
        self._rest = response

    def read(self, size: int) -> bytes | memoryview:
        """The next bytes, fewer at the end."""
        read, self._rest = self._rest[:size], self._rest[size:]
        return read if len(read) >= LARGE_BYTES else bytes(read)


def response_reader(response: bytes | memoryview) -> BytesIO | ResponseReader:
    """Stands where aiokafka has BytesIO."""
    return ResponseReader(response) if isinstance(response, memoryview) else BytesIO(response)


class ResponseStream(AIOKafkaProtocol, asyncio.BufferedProtocol):  # type: ignore[misc]  # aiokafka has no types
    """Stands where aiokafka has its protocol and its StreamReader, for one task that reads."""

    def __init__(self, closed: "asyncio.Future[None]", *args: Any, **options: Any) -> None:  # noqa: ANN401 - asyncio's
        super().__init__(closed, *args, **options)
        self._buffers = ResponseBuffers()
        self._early = memoryview(bytearray(LARGE_BYTES))  # what has come and was not read yet is between two places
        self._begin = self._end = 0
        self._unfilled: memoryview | None = None  # what of a large response has not come yet
        self._wanted = 0
        self._waiting: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # of a socket
        super().connection_made(transport)

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the socket's next bytes go."""
        return self._early[self._end :] if self._unfilled is None else self._unfilled

    def buffer_updated(self, nbytes: int) -> None:
        """So many have come."""
        if self._unfilled is None:
            self._end += nbytes
            if self._end == LARGE_BYTES and self._transport is not None:
                self._transport.pause_reading()
        else:
            self._unfilled = self._unfilled[nbytes:] or None
        if self._is_there():
            self._wake()

    def eof_received(self) -> bool | None:
        """No more will come."""
        self._end_with(asyncio.IncompleteReadError(b"", None))
        still_open: bool | None = super().eof_received()
        return still_open

    def connection_lost(self, exc: Exception | None) -> None:
        """Nor be sent."""
        self._end_with(exc or asyncio.IncompleteReadError(b"", None))
        super().connection_lost(exc)

    def at_eof(self) -> bool:
        """Whether all has been read, and no more will come."""
        return self._error is not None and self._begin == self._end

    async def readexactly(self, size: int) -> bytes | memoryview:
        """The next bytes: a view of a buffer where they are many.

        Raises:
            IncompleteReadError, OSError: the connection ended before they came.
        """
        return await (self._read_small(size) if size < LARGE_BYTES else self._read_large(size))

    async def _read_small(self, size: int) -> bytes:
        if self._begin + size > LARGE_BYTES:
            self._move_to_front()
        self._wanted = size
        await self._wait()
        read = bytes(self._early[self._begin : self._begin + size])
        self._take(size)
        return read

    async def _read_large(self, size: int) -> memoryview:
        large = self._buffers.take(size)
        held = min(size, self._end - self._begin)
        large[:held] = self._early[self._begin : self._begin + held]
        self._take(held)
        self._wanted = 0
        self._unfilled = large[held:] or None
        try:
            await self._wait()
        finally:
            self._unfilled = None
        return large

    async def _wait(self) -> None:
        if not self._is_there() and self._error is None:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        if not self._is_there() and self._error is not None:
            raise self._error

    def _is_there(self) -> bool:
        return self._unfilled is None and self._end - self._begin >= self._wanted

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _end_with(self, error: Exception) -> None:
        self._error = self._error or error
        self._wake()

    def _take(self, size: int) -> None:
        self._begin += size
        if self._begin == self._end:
            self._begin = self._end = 0
        if self._end < LARGE_BYTES and self._transport is not None:
            self._transport.resume_reading()

    def _move_to_front(self) -> None:
        held = bytes(self._early[self._begin : self._end])
        self._early[: len(held)] = held
        self._begin, self._end = 0, len(held)
        self._take(0)
