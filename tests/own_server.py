"""A server of a test's own, beside those of the session."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import psutil

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


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """It does not answer, and its connections stay open."""
    child = server.running()
    assert child is not None
    main = psutil.Process(child.pid)
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()
