"""`python -m tests.chaos.exchanges`: all exchanges trade and do wrong for a while, and no trade is lost or changed."""

import asyncio
import itertools
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from app.settings import PROJECT, Settings
from local import certificates, stack
from tests.chaos.bounded_run import run_arguments
from tests.chaos.exchanges.account import Broken
from tests.chaos.exchanges.round import Round
from tests.chaos.exchanges.tally import Tally
from tests.integration.bridge_kit import bridge_settings

ROUND_S: Final = 240.0
"""Then the books are compared, and what was stored is thrown away. To begin anew and to wait for histories takes about
as long as a minute of trading, and the ledgers of many minutes are much to keep."""
KEPT: Final = PROJECT / ".livetape" / "chaos-bridge"
"""Logs of runs that failed."""


def main() -> int:
    """Run for so many seconds of trading; 0 when all was there."""
    seed, seconds = run_arguments(
        "Break what the bridge reads, and it, at random; compare every trade.",
        seconds=60,
        meaning="how long the exchanges trade",
    )
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of each frame that finds its client killed
    tally = Tally()
    try:
        _run(seed, seconds, tally)
    except Broken as error:
        tally.tell()
        print(f"\nchaos-bridge: {error}\nAll logs are in {KEPT / str(seed)}", file=sys.stderr)
        print(f"The same again: make chaos-bridge SEED={seed} SECONDS={seconds:g}", file=sys.stderr)
        return 1
    tally.tell()
    print(f"chaos-bridge: every trade was found after {tally.faults.total()} faults, seed {seed}")
    return 0


def _run(seed: int, seconds: float, tally: Tally) -> None:
    left_s = seconds
    for number in itertools.count(1):
        with tempfile.TemporaryDirectory(prefix="livetape-chaos-") as folder:
            home = Path(folder)
            settings = stack.on_free_ports(Settings(namespace=f"chaos-{number}"), home)
            with stack.running(settings):
                here = bridge_settings(settings, home)
                certs = certificates.ensure(home / "certs")
                try:
                    asyncio.run(Round(here, certs, seed + number, tally).go(min(ROUND_S, left_s)))
                except Broken:
                    _keep_logs(home, KEPT / str(seed))
                    raise
        left_s -= ROUND_S
        if left_s <= 0:
            return


def _keep_logs(home: Path, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for log in home.glob("*.log"):
        shutil.copy(log, kept)


if __name__ == "__main__":
    sys.exit(main())
