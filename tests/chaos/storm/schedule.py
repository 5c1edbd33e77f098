"""What goes wrong, where and when: drawn from a seed before anything starts, so that a run can be had again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

GAP_S: Final = 2.5
"""Between two faults, on average. A worker needs some seconds to start: more faults would meet none that runs."""
WORKERS: Final = ("worker-0", "worker-1")
SINKS: Final = ("sink-0", "sink-1")
VIEW: Final = "view-0"
BRIDGE: Final = "bridge"
BROKER: Final = "broker"
POSTGRES: Final = "postgres"
POINTS: Final = ("mid-flush", "before-commit", "after-commit", "during-recovery")


class Kind(StrEnum):
    """What can go wrong."""

    KILL = "kill -9"
    FREEZE = "freeze"
    CRASH = "crash point"
    RESTART = "restart in order"
    CUT = "network cut"
    STALL = "network stall"
    DELAY = "network delay"
    CLOCK = "clock step"
    BROKER_STOP = "broker stop"
    BROKER_KILL = "broker kill -9"
    BROKER_FREEZE = "broker freeze"
    POSTGRES_STOP = "postgres stop"
    POSTGRES_CRASH = "postgres crash"
    REDELIVERY = "redelivery"
    REORDERING = "reordering"
    LATE = "late trades"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong at `at_s` of its round, for `seconds`.

    What `amount` counts is the kind's own. `point` is a crash point, or the server whose network it is.
    """

    at_s: float
    kind: Kind
    target: str
    seconds: float = 0.0
    amount: float = 0.0
    point: str = ""

    def __str__(self) -> str:
        amount = f" {self.amount:g}" if self.amount else ""
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at_s:6.2f} s  {self.kind} {self.target}{self.point and ' at ' + self.point}{amount}{lasting}"


DECK: Final = (
    *((Kind.KILL, target) for target in (*WORKERS, *WORKERS, *SINKS, VIEW)),
    *((Kind.FREEZE, target) for target in (*WORKERS, *SINKS, VIEW)),
    *((Kind.CRASH, target) for target in (*WORKERS, *SINKS)),
    *((Kind.RESTART, target) for target in (WORKERS[0], SINKS[0])),
    *((Kind.CUT, target) for target in (*WORKERS, *SINKS, VIEW, BRIDGE)),
    *((Kind.STALL, target) for target in (*WORKERS, *SINKS, VIEW, BRIDGE)),
    *((Kind.DELAY, target) for target in (*WORKERS, SINKS[0], VIEW)),
    *((Kind.CLOCK, target) for target in (*WORKERS, *SINKS, VIEW)),
    (Kind.BROKER_STOP, BROKER),
    (Kind.BROKER_KILL, BROKER),
    (Kind.BROKER_FREEZE, BROKER),
    (Kind.POSTGRES_STOP, POSTGRES),
    (Kind.POSTGRES_CRASH, POSTGRES),
    *((kind, BRIDGE) for kind in (Kind.REDELIVERY, Kind.REORDERING, Kind.LATE) for _ in range(2)),
)
"""Dealt out in a shuffled order, then shuffled again: a short run meets every kind as well."""
MOST: Final = {Kind.REDELIVERY: 2_000, Kind.REORDERING: 80, Kind.LATE: 300}
"""Trades sent again, steps of the market that are reordered, and late trades."""


def rounds(seed: int, seconds: float) -> Iterator[list[Fault]]:
    """The faults of one round after another, each of which lasts `seconds`."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    hands = _deal(chance)
    while True:
        faults = []
        at_s = chance.expovariate(1 / GAP_S)
        while at_s < seconds:
            faults.append(_fault(chance, at_s, *next(hands)))
            at_s += chance.expovariate(1 / GAP_S)
        yield faults


def _deal(chance: random.Random) -> Iterator[tuple[Kind, str]]:
    while True:
        yield from chance.sample(DECK, len(DECK))


def _fault(chance: random.Random, at_s: float, kind: Kind, target: str) -> Fault:
    fault = Fault(at_s, kind, target)
    match kind:
        case Kind.CUT | Kind.STALL | Kind.DELAY:
            server = chance.choice([BROKER, POSTGRES]) if target in (*SINKS, VIEW) else BROKER
            amount = round(chance.uniform(0.01, 0.4), 3) if kind is Kind.DELAY else 0.0
            return replace(fault, seconds=_short_or_long(chance), amount=amount, point=server)
        case Kind.CRASH:
            return replace(fault, point=f"{chance.choice(POINTS)}:{chance.randint(1, 3)}")
        case Kind.CLOCK:
            return replace(fault, amount=round(chance.choice([-1, 1]) * 10 ** chance.uniform(0, 5), 1))
        case Kind.REDELIVERY | Kind.REORDERING | Kind.LATE:
            return replace(fault, amount=chance.randint(1, MOST[kind]))
        case _:
            return replace(fault, seconds=_short_or_long(chance))


def _short_or_long(chance: random.Random) -> float:
    """Now within the session timeout, now beyond it."""
    return chance.choice([chance.uniform(0, 2), chance.uniform(4, 12)])
