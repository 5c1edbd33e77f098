"""What runs that break things at random have alike: their arguments, and how they say what happens."""

import argparse
import random
import time
from collections.abc import Mapping


def run_arguments(description: str, *, seconds: float, meaning: str) -> tuple[int, float]:
    """Seed and seconds of the command line, where `seconds` stand when nothing is said; the seed is printed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=seconds, help=f"{meaning} ({seconds:g})")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of faults and trades")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    return arguments.seed, arguments.seconds


class RunLog:
    """Says what happens as it does."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        """Print a line with the seconds since the run began."""
        print(f"{time.monotonic() - self._began:7.2f} s  {what}", flush=True)


def tell_counts(title: str, counts: Mapping[str, int]) -> None:
    """Print a title and a line for each count."""
    print(f"{title}:")
    for name, count in sorted(counts.items()):
        print(f"  {count:9,}  {name}")
