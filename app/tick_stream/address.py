"""ZeroMQ's addresses."""

from typing import Any

import zmq


def connect(socket: "zmq.Socket[Any]", address: str) -> None:
    """Connect a socket, which takes an address of IPv6 only when it is told to.

    With any other address it is not: a name that has addresses of both kinds would be looked for at the one that nobody
    has bound.
    """
    socket.set(zmq.IPV6, int("[" in address))
    socket.connect(address)
