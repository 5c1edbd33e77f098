"""A market that never rests: what a bridge writes on a bad day, in real time, the same for the same seed."""

import random
import threading
from collections import deque
from decimal import Decimal
from itertools import count

from tests.integration.fold_kit import Tape, trade
from tests.integration.fold_oracle import Fields

VENUES = {"binance": ("BTC-USDT", "ETH-USDT", "SOL-USDT", "ADA-USDT"), "kraken": ("BTC-USD", "ETH-USD", "SOL-USD")}
"""By their keys every partition has one of them."""
STEP_S = 0.25  # of the market's time
PAUSE_S = 0.025  # of ours: the market runs ten times as fast
TRADES_A_STEP = 8
REMEMBERED = 500


class Market:
    """Writes trades and clocks in a thread of its own for as long as the block runs, then closes every window.

    Some trades come out of order, some twice, some long after their windows are final, and some too late to count.
    """

    def __init__(self, tape: Tape, seed: int, horizon_s: float) -> None:
        self._tape = tape
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._horizon_s = horizon_s
        self._now_s = 0.0
        self._ids = {(venue, name): count(1) for venue, names in VENUES.items() for name in names}
        self._sent: deque[Fields] = deque(maxlen=REMEMBERED)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Market":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        while self._now_s < 2 * self._horizon_s:  # a quick test has trades beyond the horizon as well
            self._step()
        for venue in VENUES:
            self._tape.clock(self._now_s + 2 * 86_400, venue)
        self._tape.flush()

    def _run(self) -> None:
        while not self._closing.wait(PAUSE_S):
            self._step()

    def _step(self) -> None:
        self._now_s += STEP_S
        for _ in range(TRADES_A_STEP):
            self._tape.trade(self._next_trade())
        for venue in VENUES:
            self._tape.clock(self._now_s - 1, venue)

    def _next_trade(self) -> Fields:
        if self._sent and self._chance.random() < 0.05:
            return self._chance.choice(self._sent)
        venue = self._chance.choice(list(VENUES))
        name = self._chance.choice(VENUES[venue])
        number = next(self._ids[venue, name])
        fields = trade(
            str(number) if venue == "binance" else f"T{number * 7919:x}",
            f"{self._chance.randrange(1, 10**9)}.{self._chance.randrange(10**9):09}",
            max(0.0, self._now_s - self._age_s()),
            venue=venue,
            instrument=name,
            size=Decimal(self._chance.randrange(1, 10**12)).scaleb(-self._chance.randrange(18)),
        )
        self._sent.append(fields)
        return fields

    def _age_s(self) -> float:
        """Mostly a moment, sometimes within the correction horizon, seldom beyond it."""
        kind = self._chance.random()
        if kind < 0.02:
            return self._chance.uniform(1.2, 3) * self._horizon_s
        if kind < 0.08:
            return self._chance.uniform(0, 0.9) * self._horizon_s
        return self._chance.expovariate(2)
