"""How the worker's process keeps memory: a fold makes few objects and large ones, and none of them in cycles."""

import ctypes
import gc
import sys
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_KEEP_BYTES: Final = 32 * 1024 * 1024
"""The most that glibc takes for either."""
_COLLECT_AFTER: Final = 20_000


def settle() -> None:
    """To be called once when all is imported and made.

    Buffers of a fetch go back to the heap and not to the kernel, which would clear each of their pages again when the
    next is asked for: that was a tenth of the worker's CPU. The collector does not look at what is there for good, and
    less often at what is new: that was another.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # glibc
            libc.mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
            libc.mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
