"""What a simulated packet feed says of its session behind its source."""

import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from replay.packet_feed import END_OF_SESSION, HEADER, Hole, Line, LineFaults, PacketFeed


async def source() -> AsyncIterator[Sequence[bytes] | Hole]:
    yield Hole(2)
    yield [b"c"]
    yield Hole(1)


@pytest.mark.parametrize("has_end", [True, False])
async def test_a_session_ends_only_behind_a_source_that_has_its_end(*, has_end: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        line = Line(heard.getsockname(), "127.0.0.1", LineFaults(), "1")
        feed = PacketFeed(
            source(),
            [line],
            session="SESSION001",
            has_end=has_end,
            rerequest=None,
            server_faults=LineFaults(),
            seed=1,
        )
        async with feed:
            await feed.wait()
        headers = [HEADER.unpack_from(heard.recv(65_535)) for _ in range(2)]
    assert headers == [(b"SESSION001", 3, 1), (b"SESSION001", 5, END_OF_SESSION if has_end else 0)]
