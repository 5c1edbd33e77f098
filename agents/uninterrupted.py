"""Work that goes on when nobody waits for it any more: in a thread, or with the broker."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

THREAD_BYTES: Final = 128 * 1024
"""Record sets above this are taken in a thread: below it, handing over costs more than it frees the event loop."""


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """The result of work. Who is cancelled waits for its end: a thread, or the broker, would go on with what it has."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def is_large(data: bytes | memoryview) -> bool:
    """Whether a record set is taken in a thread."""
    return len(data) >= THREAD_BYTES


async def in_thread_if_large(data: bytes | memoryview, take: Callable[[], T]) -> T:
    """The result of `take`, which takes this record set: in a thread, uninterrupted, where there is much of it."""
    return await uninterrupted(asyncio.to_thread(take)) if is_large(data) else take()
