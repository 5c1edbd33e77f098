"""`python -m tests.chaos.storm`: everything goes wrong for a while, and no bar is lost, doubled or wrong."""

import itertools
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from app.intervals import SECOND_NS
from app.settings import PROJECT, Settings
from tests.chaos.bounded_run import run_arguments
from tests.chaos.storm import place, schedule
from tests.chaos.storm.crew import PARTS
from tests.chaos.storm.market import Broken, Market
from tests.chaos.storm.place import Place
from tests.chaos.storm.tally import Tally

ROUND_S: Final = 40.0
ROUNDS_A_MARKET: Final = 4
"""The plain recomputation takes ever longer: a market is closed before that is felt, and another one opened."""
KEPT: Final = PROJECT / ".livetape" / "chaos"
"""Logs of runs that failed."""


def main() -> int:
    """Run for so many seconds, and the last comparison; 0 when all was equal."""
    seed, seconds = run_arguments(
        "Break everything at random, and compare every bar.", seconds=1_800, meaning="how long faults happen"
    )
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="livetape-chaos-") as folder:
        home = Path(folder)
        try:
            with place.running(_settings(home), home, [*PARTS, schedule.BRIDGE]) as where:
                _run(where, seed, seconds, tally)
        except Exception as error:
            tally.tell()
            _explain(error, seed, seconds, _keep_logs(home, seed))
            if isinstance(error, Broken):
                return 1
            raise
    tally.tell()
    print(f"chaos: every bar is right after {sum(tally.faults.values())} faults, seed {seed}")
    return 0


def _settings(home: Path) -> Settings:
    """A silent worker is given up soon, and bars become too old to correct within a round."""
    return Settings(home=home, session_timeout_ms=3_000, horizon_ns=60 * SECOND_NS, sink_flush_ms=50)


def _run(where: Place, seed: int, seconds: float, tally: Tally) -> None:
    deadline = time.monotonic() + seconds
    rounds = schedule.rounds(seed, ROUND_S)
    for number in itertools.count(1):
        market = Market(where.in_namespace(f"chaos-{number}"), seed + number, tally)
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


def _explain(error: Exception, seed: int, seconds: float, logs: Path) -> None:
    print(f"\nchaos: {error if isinstance(error, Broken) else repr(error)}", file=sys.stderr)
    print(f"What went wrong before is said above; all logs are in {logs}", file=sys.stderr)
    print(f"The same faults again: make chaos SEED={seed} SECONDS={seconds:g}", file=sys.stderr)


def _keep_logs(home: Path, seed: int) -> Path:
    kept = KEPT / str(seed)
    shutil.copytree(home / "logs", kept, dirs_exist_ok=True)
    return kept


if __name__ == "__main__":
    sys.exit(main())
