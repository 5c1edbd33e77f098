"""ZeroMQ's addresses."""

from typing import Any, Final

import zmq

HEARTBEAT_MS: Final = 5_000
HEARTBEAT_TIMEOUT_MS: Final = 15_000


def connect(socket: "zmq.Socket[Any]", address: str) -> None:
    """Connect a socket, which takes an address of IPv6 only when it is told to.

    With any other address it is not: a name that has addresses of both kinds would be looked for at the one that nobody
    has bound. A connection whose other end is gone without a word is made anew.
    """
    socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.set(zmq.IPV6, int("[" in address))
    socket.connect(address)
