"""That a partition is let go of, and what ends with it."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

GOLDEN_RATIO: Final = 0.618
"""Its multiples, less their whole part, are spread evenly however many there are."""


class LetGo(Exception):
    """The partition was let go of before something that may take for ever was done: it is not done any more."""


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
