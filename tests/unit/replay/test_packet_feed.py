"""What a simulated packet feed says of its session behind its source."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Sequence

import pytest

from replay import packet_feed
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


class Away(Line):
    """A line whose interface is away for some packets behind those of the source."""

    def __init__(self, sent: int, lost: int) -> None:
        super().__init__(("127.0.0.1", 9), "127.0.0.1", LineFaults(), "1")
        self.heard: list[bytes] = []
        self.is_back = asyncio.Event()
        self._sent, self._lost = sent, lost

    def send(self, packet: bytes) -> None:
        if len(self.heard) == self._sent and self._lost > 0:
            self._lost -= 1
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        self.heard.append(packet)
        if len(self.heard) > self._sent:
            self.is_back.set()


async def test_heartbeats_go_on_when_an_interface_was_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(packet_feed, "HEARTBEAT_S", 0.001)
    lines = [Away(2, 3), Away(2, 0)]
    feed = PacketFeed(
        source(), lines, session="SESSION001", has_end=True, rerequest=None, server_faults=LineFaults(), seed=1
    )
    with caplog.at_level(logging.WARNING):
        async with feed:
            await feed.wait()
            await asyncio.wait_for(asyncio.gather(*(line.is_back.wait() for line in lines)), 120)
    assert [HEADER.unpack(line.heard[2]) for line in lines] == [(b"SESSION001", 5, END_OF_SESSION)] * 2
    assert [each.message for each in caplog.records] == [
        "no heartbeat on line 1: [Errno 101] Network is unreachable"
    ] * 3
