"""A server of a test's own, beside those of the session."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from local.server import Server

S = TypeVar("S", bound=Server)


@contextmanager
def launched(server: S) -> Iterator[S]:
    """The server once it answers, until the block ends."""
    server.prepare()
    server.launch(detached=False)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()
