"""`python -m tests.chaos.storm`: everything goes wrong for a while, and no bar is lost, doubled or wrong."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from app.settings import PROJECT
from tests.chaos.bounded_run import run_arguments
from tests.chaos.storm.market import Broken
from tests.chaos.storm.run import run
from tests.chaos.storm.tally import Tally

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
            run(home, seed, seconds, tally)
        except Exception as error:
            tally.tell()
            _explain(error, seed, seconds, _keep_logs(home, seed))
            if isinstance(error, Broken):
                return 1
            raise
    tally.tell()
    print(f"chaos: every bar is right after {sum(tally.faults.values())} faults, seed {seed}")
    return 0


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
