"""A seeded market as a bridge writes it on a bad day: redelivered, reordered, late, too late, and corrected."""

import random
import threading
from collections import deque
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Final

from app.settings import Settings
from app.units import SECOND_NS
from tests.chaos.market import VENUES
from tests.integration.fold_kit import Tape, trade
from tests.integration.fold_oracle import Fields

if TYPE_CHECKING:
    from collections.abc import Callable

STEP_S: Final = 0.25  # of the market's time
PAUSE_S: Final = 0.05  # of ours: the market runs five times as fast
TRADES_A_STEP: Final = 5
REMEMBERED: Final = 5_000
CLOCK_BEHIND_S: Final = 1.0
A_DAY_S: Final = 86_400
RECENT: Final = 1_000
"""Trades of which one may be corrected or cancelled: some of them are beyond the horizon by then."""
LAST_CORRECTIONS: Final = 20


class Upstream:
    """Writes trades and clocks in a thread of its own while it is not paused."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.tape = Tape(settings, **{"message.timeout.ms": 600_000})
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._horizon_s = settings.horizon_ns / SECOND_NS
        self._out_of_order_s = settings.out_of_order_ns / SECOND_NS
        self._now_s = 0.0
        self._ids = {(venue, name): count(1) for venue, names in VENUES.items() for name in names}
        self._sent: deque[Fields] = deque(maxlen=REMEMBERED)
        self._reordered_steps = 0
        self._held: list[Fields] = []
        self._asked: deque[Callable[[], None]] = deque()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def go_on(self) -> None:
        """Write, until `pause`."""
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, name="upstream")
        self._thread.start()

    def pause(self) -> None:
        """Write no more, and wait until nothing more is written."""
        if self._thread is not None:
            self._closing.set()
            self._thread.join()
            self._thread = None

    def redeliver(self, trades: int) -> None:
        """Send the last so many trades again, as a bridge does that does not know what arrived."""
        self._asked.append(lambda: self._write_all(list(self._sent)[-trades:]))

    def reorder(self, steps: int) -> None:
        """Let trades of the next steps overtake each other, as far as `out_of_order` allows."""
        self._asked.append(lambda: setattr(self, "_reordered_steps", steps))

    def be_late(self, trades: int) -> None:
        """Send so many new trades of long ago, half of which are beyond the horizon."""
        self._asked.append(lambda: self._write_new([self._late_age_s() for _ in range(trades)]))

    def close_windows(self) -> None:
        """Touch windows that are final by one more trade each and by corrections; then let every window end."""
        ages = [age_s / 2 for age_s in range(2 * round(self._horizon_s) - 10)]
        self._write_new(ages)
        self._write_all([self._correction() for _ in range(LAST_CORRECTIONS)])
        for venue in VENUES:
            self.tape.clock(self._now_s + 2 * A_DAY_S, venue)

    def _run(self) -> None:
        while not self._closing.wait(PAUSE_S):
            while self._asked:
                self._asked.popleft()()
            self._step()
        self._release()

    def _step(self) -> None:
        self._now_s += STEP_S
        for _ in range(TRADES_A_STEP):
            self._held.append(self._next_trade())
        self._reordered_steps = max(0, self._reordered_steps - 1)
        if self._reordered_steps % round(self._out_of_order_s / STEP_S) == 0:
            self._release()
        for venue in VENUES:
            self.tape.clock(self._now_s - CLOCK_BEHIND_S - self._out_of_order_s, venue)

    def _release(self) -> None:
        if self._reordered_steps:
            self._chance.shuffle(self._held)
        self._write_all(self._held)
        self._held.clear()

    def _next_trade(self) -> Fields:
        kind = self._chance.random()
        if self._sent and kind < 0.03:
            return self._chance.choice(self._sent)
        if self._sent and kind > 0.96:
            return self._correction()
        return self._new_trade(self._late_age_s() if kind < 0.07 else self._chance.expovariate(2))

    def _correction(self) -> Fields:
        """What a venue says again of a recent trade, or of one corrected before: other amounts, or that it is none."""
        of = self._sent[-self._chance.randint(1, min(RECENT, len(self._sent)))]
        changed = {"refers_to": of["trade_id"], "receive_time_ns": of["receive_time_ns"] + SECOND_NS}
        if self._chance.random() < 0.3:
            return {**of, **changed, "action": "cancel"}
        return {**of, **changed, "action": "correct", "price": self._price(), "size": self._size()}

    def _late_age_s(self) -> float:
        beyond = self._chance.random() < 0.3
        low, high = (1.2, 3.0) if beyond else (0.0, 0.9)
        return self._chance.uniform(low, high) * self._horizon_s

    def _write_new(self, ages_s: list[float]) -> None:
        self._write_all([self._new_trade(age_s) for age_s in ages_s])

    def _new_trade(self, age_s: float) -> Fields:
        venue = self._chance.choice(list(VENUES))
        name = self._chance.choice(VENUES[venue])
        number = next(self._ids[venue, name])
        return trade(
            str(number) if venue == "binance" else f"T{number * 7919:x}",
            str(self._price()),
            max(0.0, self._now_s - age_s),
            venue=venue,
            instrument=name,
            size=self._size(),
        )

    def _price(self) -> Decimal:
        return Decimal(f"{self._chance.randrange(1, 10**9)}.{self._chance.randrange(10**9):09}")

    def _size(self) -> Decimal:
        return Decimal(self._chance.randrange(1, 10**12)).scaleb(-self._chance.randrange(18))

    def _write_all(self, trades: list[Fields]) -> None:
        for fields in trades:
            self.tape.trade(fields)
        self._sent.extend(trades)
