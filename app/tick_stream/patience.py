"""How long missed messages are looked for."""

import time
from collections.abc import Awaitable


class Patience:
    """Time that passes, but for pauses, which prolong it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return time.monotonic() >= self._end_s

    def renew(self) -> None:
        """Begin anew, when something of what is looked for has come."""
        self._end_s = time.monotonic() + self._seconds

    async def pause_for(self, what: Awaitable[None]) -> None:
        """Wait for something that is no fault of what is looked for."""
        began_s = time.monotonic()
        await what
        self._end_s += time.monotonic() - began_s
