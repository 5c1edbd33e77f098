"""How the worker's process keeps memory: a fold makes few objects and large ones, and none of them in cycles."""

import ctypes
import gc
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 32 * 1024 * 1024
"""The most that glibc takes for what it asks of the kernel by itself."""
_KEEP_BYTES: Final = 256 * 1024 * 1024
_COLLECT_AFTER: Final = 20_000


def keep_buffers() -> None:
    """To be called before any thread is there: buffers of a fetch go back to the heap and not to the kernel.

    The kernel would clear each of their pages again when the next is asked for. One heap for all threads, since those
    of threads are small and go back as soon as they are empty: with theirs, 4 of 10 CPU-seconds were spent on pages.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # glibc
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)


def settle() -> None:
    """To be called once when all is imported and made.

    The collector does not look at what is there for good, and less often at what is new: that was a tenth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
