"""Asks a bridge for messages that were missed, by the protocol that docs/ticks.md describes."""

import asyncio
import struct
from contextlib import suppress
from typing import Final, NamedTuple

import zmq
import zmq.asyncio

from app.tick_stream.address import connect
from app.tick_stream.items import Origin, Tick

POSITION: Final = struct.Struct(">16sQ")
"""A session, and a message's number in it."""
RANGE: Final = struct.Struct(">16sQQ")
"""A session, and two numbers of it."""
ANSWER_S: Final = 1.0
TRIES: Final = 2
FRAMES_A_MESSAGE: Final = 3


class RetryAway(Exception):
    """The bridge did not answer in time; nothing is known of what it keeps."""


class Kept(NamedTuple):
    """What a bridge keeps of a venue's session: numbers `first` to `last`."""

    venue: str
    session: bytes
    first: int
    last: int


class RetryClient:
    """A bridge's retry address. One request is under way at a time."""

    def __init__(self, address: str) -> None:
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.IMMEDIATE, 1)  # what nobody hears is not kept for a bridge that comes much later
        connect(self._socket, address)
        self._turn = asyncio.Lock()

    async def state(self) -> list[Kept]:
        """What is kept of every venue.

        Raises:
            RetryAway: no answer came.
        """
        frames = await self._ask([b"state"], b"")
        return [
            Kept(venue.decode(), *RANGE.unpack(numbers))
            for venue, numbers in zip(frames[::2], frames[1::2], strict=True)
        ]

    async def get(self, venue: str, session: bytes, first: int, last: int) -> tuple[int, list[Tick]]:
        """Messages of a range, and how far the answer speaks: numbers up to there that are not among them are not kept.

        Raises:
            RetryAway: no answer came.
        """
        header = POSITION.pack(session, first)
        covered, *frames = await self._ask([b"get", RANGE.pack(session, first, last)], header)
        ticks = []
        for at in range(0, len(frames), FRAMES_A_MESSAGE):
            key, position, value = frames[at : at + FRAMES_A_MESSAGE]
            ticks.append(Tick(venue, key.decode(), session, POSITION.unpack(position)[1], value, Origin.MEMORY))
        return RANGE.unpack(covered)[2], ticks

    async def _ask(self, request: list[bytes], header: bytes) -> list[bytes]:
        """The frames behind an answer's kind. A late answer to an earlier request is not taken for it."""
        kind = b"state" if request[0] == b"state" else b"got"
        async with self._turn:
            self._drop_answers()
            for _ in range(TRIES):
                try:
                    async with asyncio.timeout(ANSWER_S):
                        await self._socket.send_multipart(request)
                        while True:
                            answered, *frames = await self._socket.recv_multipart()
                            if answered == kind and (not header or frames[0].startswith(header)):
                                return frames
                except TimeoutError:
                    continue
        raise RetryAway("the bridge does not answer for messages that were missed")

    def _drop_answers(self) -> None:
        """Answers that came too late tell of then."""
        socket: zmq.Socket[bytes] = zmq.Socket.shadow(self._socket)
        with suppress(zmq.Again):
            while True:
                socket.recv_multipart(zmq.NOBLOCK)

    def close(self) -> None:
        """Let go of the connection."""
        self._context.destroy(linger=0)
