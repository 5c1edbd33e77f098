"""What a simulated exchange remembers of its trades, for its REST API: as far back as real ones do, and no further."""

from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

from replay.candles import Candles
from replay.trade import SimulatedTrade

REMEMBERED: Final = 20_000
"""Trades of an instrument, where nothing else is said."""


class History:
    """The newest trades of each instrument, oldest first, and its candles."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self.candles = Candles()
        """Of all trades, those among them that the REST API cannot give back."""
        self._trades: defaultdict[str, deque[SimulatedTrade]] = defaultdict(lambda: deque(maxlen=remembered))

    def add(self, trade: SimulatedTrade) -> None:
        """Remember one trade, made after all others."""
        self._trades[trade.instrument].append(trade)

    def of(self, instrument: str) -> Sequence[SimulatedTrade]:
        """The trades of an instrument, oldest first."""
        return self._trades[instrument]

    def newest(self, instrument: str) -> SimulatedTrade | None:
        """The newest trade of an instrument."""
        return next(reversed(self.of(instrument)), None)

    def page(self, instrument: str, first_id: int | None, most: int) -> list[SimulatedTrade]:
        """Trades from an id on, oldest first; without one the newest."""
        trades = self.of(instrument)
        if first_id is None:
            return list(trades)[-most:]
        return list(islice((trade for trade in trades if trade.trade_id >= first_id), most))
