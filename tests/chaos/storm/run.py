"""Markets one after another, in each of which everything goes wrong for a while."""

import itertools
import time
from pathlib import Path
from typing import Final

from app.settings import Settings
from app.units import MINUTE_NS
from tests.chaos.storm import place, schedule
from tests.chaos.storm.crew import PARTS
from tests.chaos.storm.market import Market
from tests.chaos.storm.place import Place
from tests.chaos.storm.tally import Tally

ROUND_S: Final = 40.0
ROUNDS_A_MARKET: Final = 4
"""The plain recomputation takes ever longer: a market is closed before that is felt, and another one opened."""


def run(home: Path, seed: int, seconds: float, tally: Tally) -> None:
    """Let faults happen for so many seconds, with all files under `home`. Raises Broken."""
    with place.running(_settings(home), home, [*PARTS, schedule.BRIDGE]) as where:
        _run(where, seed, seconds, tally)


def _settings(home: Path) -> Settings:
    """A silent worker is given up soon, and bars become too old to correct within a round."""
    return Settings(home=home, session_timeout_ms=3_000, horizon_ns=MINUTE_NS, sink_flush_ms=50)


def _run(where: Place, seed: int, seconds: float, tally: Tally) -> None:
    deadline = time.monotonic() + seconds
    rounds = schedule.rounds(seed, ROUND_S)
    for number in itertools.count(1):
        making_s = time.monotonic()
        market = Market(where.in_namespace(f"chaos-{number}"), seed + number, tally)
        deadline += time.monotonic() - making_s  # so that the same faults happen on a slow machine
        try:
            for faults in itertools.islice(rounds, ROUNDS_A_MARKET):
                left_s = min(ROUND_S, deadline - time.monotonic())
                market.weather([fault for fault in faults if fault.at_s < left_s], max(0.0, left_s))
                if time.monotonic() > deadline:
                    break
            market.close()
        finally:
            market.abandon()
        if time.monotonic() > deadline:
            return
