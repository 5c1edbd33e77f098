"""Responses arrive as the broker sent them, however the network cuts them, and stay as they are while they are used."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.transport.response_stream import KEPT_BUFFERS, LARGE_BYTES, ResponseBuffers, ResponseReader, ResponseStream
from local import certificates
from local.certificates import Certificates

WAIT_S = 120.0
SIZES = [
    4,
    0,
    17,
    LARGE_BYTES - 1,
    LARGE_BYTES,
    LARGE_BYTES + 1,
    3,
    5 * LARGE_BYTES + 7,
    1,
    2_000_000,
    300,
    LARGE_BYTES,
]


def payloads(sizes: Sequence[int]) -> list[bytes]:
    """Bytes of these sizes, the same in every run."""
    chance = random.Random(7)  # noqa: S311 - no secret
    return [chance.randbytes(size) for size in sizes]


@asynccontextmanager
async def connected(sent: bytes, *, chunk: int, tls: Certificates | None = None) -> AsyncIterator[ResponseStream]:
    """A connection to a server that sends this in chunks, each on its own as far as that can be done, and hangs up."""
    server_tls = client_tls = None
    if tls is not None:
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_tls.load_cert_chain(tls.server, tls.key)
        client_tls = ssl.create_default_context(cafile=str(tls.ca))

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for begin in range(0, len(sent), chunk):
            writer.write(sent[begin : begin + chunk])
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()

    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls)
    async with server, asyncio.timeout(WAIT_S):
        reader = asyncio.StreamReader(loop=loop)
        transport, stream = await loop.create_connection(
            lambda: ResponseStream(loop.create_future(), reader, loop=loop),
            *server.sockets[0].getsockname(),
            ssl=client_tls,
        )
        try:
            yield stream
        finally:
            transport.close()


@pytest.mark.parametrize("chunk", [1_000, LARGE_BYTES, 10_000_000])
async def test_what_is_read_is_what_was_sent(chunk: int) -> None:
    sent = payloads(SIZES)
    async with connected(b"".join(sent), chunk=chunk) as stream:
        read = [bytes(await stream.readexactly(len(each))) for each in sent]
    assert read == sent


async def test_what_is_read_over_tls_is_what_was_sent(tmp_path: Path) -> None:
    sent = payloads(SIZES)
    async with connected(b"".join(sent), chunk=100_000, tls=certificates.ensure(tmp_path)) as stream:
        read = [bytes(await stream.readexactly(len(each))) for each in sent]
    assert read == sent


async def test_single_bytes_make_a_whole() -> None:
    sent = payloads([4, 200, 3])
    async with connected(b"".join(sent), chunk=1) as stream:
        assert [bytes(await stream.readexactly(len(each))) for each in sent] == sent


async def test_a_large_response_stays_as_it_is_while_others_are_read() -> None:
    sent = payloads([LARGE_BYTES] * 20)
    async with connected(b"".join(sent), chunk=100_000) as stream:
        read = [await stream.readexactly(len(each)) for each in sent]
        assert [bytes(each) for each in read] == sent


async def test_what_nobody_reads_waits_with_the_sender() -> None:
    sent = payloads([3 * LARGE_BYTES, 10])
    async with connected(b"".join(sent), chunk=10_000) as stream:
        reading = await stream.readexactly(1)
        while stream._transport is None or stream._transport.is_reading():  # noqa: ASYNC110 - the socket has no event for it
            await asyncio.sleep(0)
        assert bytes(reading) + bytes(await stream.readexactly(3 * LARGE_BYTES - 1)) == sent[0]
        assert bytes(await stream.readexactly(10)) == sent[1]


@pytest.mark.parametrize("wanted", [11, 2 * LARGE_BYTES])
async def test_a_connection_that_ends_too_early_is_an_error(wanted: int) -> None:
    async with connected(b"0123456789", chunk=10) as stream:
        with pytest.raises(asyncio.IncompleteReadError):
            await stream.readexactly(wanted)


async def test_what_came_before_the_end_can_still_be_read() -> None:
    async with connected(b"0123456789", chunk=10) as stream:
        while stream._error is None:  # noqa: ASYNC110 - nor for this
            await asyncio.sleep(0)
        assert not stream.at_eof()
        assert bytes(await stream.readexactly(10)) == b"0123456789"
        assert stream.at_eof()


def test_memory_is_used_again_once_no_view_is_left() -> None:
    buffers = ResponseBuffers()
    first = buffers.take(LARGE_BYTES)
    memory = id(first.obj)  # a reference would keep it in use
    part = first[10:20]
    del first
    assert id(buffers.take(LARGE_BYTES).obj) != memory, "a part of it is still looked at"
    del part
    assert id(buffers.take(LARGE_BYTES // 2).obj) == memory


def test_more_than_are_kept_can_be_in_use() -> None:
    buffers = ResponseBuffers()
    taken = [buffers.take(LARGE_BYTES) for _ in range(50)]
    assert len({id(each.obj) for each in taken}) == 50


def test_large_fields_of_a_response_are_views_and_small_ones_are_not() -> None:
    response = memoryview(bytearray(payloads([LARGE_BYTES + 30])[0]))
    reader = ResponseReader(response)
    small, large, rest = reader.read(10), reader.read(LARGE_BYTES), reader.read(100)
    assert isinstance(small, bytes)
    assert isinstance(large, memoryview)
    assert small + bytes(large) + rest == bytes(response)
    assert reader.read(1) == b""


def test_a_large_buffer_takes_the_place_of_a_small_one_that_is_kept() -> None:
    buffers = ResponseBuffers()
    small = [buffers.take(LARGE_BYTES) for _ in range(KEPT_BUFFERS)]
    del small
    memory = id(buffers.take(4 * LARGE_BYTES).obj)
    assert id(buffers.take(4 * LARGE_BYTES).obj) == memory
