"""What goes wrong at one simulated exchange, and after how many trades, drawn from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MEAN_TRADES: Final = 4_000
"""Between two faults: connections need a second or two to be made good, in which an exchange trades on."""


class Kind(StrEnum):
    """What can go wrong."""

    CUT = "connections cut"
    SKIP = "trades left out"
    LOSE = "trades left out, which the history lacks"
    REPEAT = "trades sent twice"
    GARBAGE = "garbage frames"
    REFUSE = "requests refused"
    DEAF = "subscription dead"
    STUBBORN = "subscription dead until the next connection"


MOST: Final = {Kind.SKIP: 50, Kind.LOSE: 20, Kind.REPEAT: 50, Kind.GARBAGE: 5, Kind.REFUSE: 3}
"""Trades, or requests."""
NUMBERED: Final = (Kind.CUT, Kind.CUT, *Kind)
UNNUMBERED: Final = tuple(kind for kind in NUMBERED if kind not in (Kind.SKIP, Kind.LOSE))
"""Where ids do not tell what is missing nobody can know of it while the connection stands."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, `after` so many trades of the exchange since the one before it."""

    kind: Kind
    after: int
    amount: int


def faults(seed: str, *, is_numbered: bool) -> Iterator[Fault]:
    """An exchange's faults without end: every kind comes before any comes more often."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    deck = NUMBERED if is_numbered else UNNUMBERED
    while True:
        for kind in chance.sample(deck, len(deck)):
            after = 1 + round(chance.expovariate(1 / MEAN_TRADES))
            yield Fault(kind, after, chance.randint(1, MOST.get(kind, 1)))
