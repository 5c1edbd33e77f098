"""A source of an exchange that a test writes meanwhile."""

import asyncio
from collections.abc import AsyncIterator

from replay.quotes import SimulatedQuote
from replay.trade import SimulatedTrade


class Script:
    """Trades and quotes that a test says while the exchange plays them."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[SimulatedTrade | SimulatedQuote] = asyncio.Queue()

    def say(self, *items: SimulatedTrade | SimulatedQuote) -> None:
        """Play these next."""
        for item in items:
            self._items.put_nowait(item)

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade | SimulatedQuote]:
        while True:
            yield await self._items.get()
