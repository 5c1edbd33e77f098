"""What workers have alike where they take a partition's log in, and flush what comes of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Final, TypeVar

from agents.transport import BatchApp

T = TypeVar("T")

GOLDEN_RATIO: Final = 0.618
THREAD_BYTES: Final = 128 * 1024
"""Record sets above this are taken in a thread: below it, handing over costs more than it frees the event loop."""


class OffsetJump(LookupError):
    """A fetch did not begin where the one before it ended: the log is not the one that was taken so far."""

    def __init__(self, topic: str, partition: int, expected: str, begins_at: int) -> None:
        """`expected` says in words which offset was."""
        super().__init__(
            f"{topic} partition {partition}: {expected}, and the fetch begins at {begins_at}: the log was cut or made "
            "anew. Start again to have it checked"
        )


class CorruptRecords(Exception):
    """A record batch of a log cannot be read; the message says where and why."""


class LetGo(Exception):
    """The partition was let go of before something that may take for ever was done: it is not done any more."""


@contextlib.asynccontextmanager
async def errors_end(app: BatchApp) -> AsyncIterator[None]:
    """Take a record set in here; an error ends the worker: started again, an agent would leave the record set out."""
    try:
        yield
    except Exception as error:
        await app.crash(error)
        raise


class Closing:
    """That a partition is let go of, and the rhythm of its flushes until then."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether it is let go of."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Let go of it from now on."""
        self._begun.set()

    async def outrun_by(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work, unless the partition is let go of first: then the work is cancelled, and its end awaited.

        Raises:
            LetGo: it was.
        """
        working, begun = asyncio.ensure_future(work), asyncio.ensure_future(self._begun.wait())
        try:
            await asyncio.wait({working, begun}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise LetGo
            return working.result()
        finally:
            for task in (working, begun):
                task.cancel()
            await asyncio.gather(working, begun, return_exceptions=True)

    async def comes_within(self, seconds: float) -> bool:
        """Wait so long; whether it is let go of."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._begun.wait()
        return self._begun.is_set()

    async def before_first_flush(self, partition: int, interval_s: float) -> None:
        """Wait for a part of the interval, another one for each partition.

        Flushes of all at once would hold up the broker and each other.
        """
        await self.comes_within(interval_s * (partition * GOLDEN_RATIO % 1))
