"""The loop of the worker in place of a thread that Faust makes."""

import asyncio

from mode.threads import ServiceThread


class InLoop:
    """Stands where a service thread makes its thread, and serves it in the loop that everything else runs in."""

    def __init__(self, service: ServiceThread) -> None:
        self._service = service
        self._serving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Serve it until it is stopped; the service itself tells its parent of a crash."""
        self._serving = asyncio.get_running_loop().create_task(self._service._serve())  # noqa: SLF001 - pinned by a test
        self._serving.add_done_callback(_take_exception)

    def stop(self) -> None:
        """Leave it to the service, which has ended by then."""


def _take_exception(serving: asyncio.Task[None]) -> None:
    if not serving.cancelled():
        serving.exception()
