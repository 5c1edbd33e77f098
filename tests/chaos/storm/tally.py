"""What happened in a run, said as it happens and counted."""

import time
from collections import Counter
from collections.abc import Mapping


class Tally:
    """Of all markets of a run together."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        """As they were injected, by kind."""
        self.points: Counter[str] = Counter()
        """Crash points at which a part has died."""
        self.ended: Counter[str] = Counter()
        """Ends of parts that nobody asked for, by part and exit code."""
        self.checked: Counter[str] = Counter()
        """What was equal to the recomputation when a market was closed."""
        self.comparisons = 0
        self._began = time.monotonic()

    def say(self, what: str) -> None:
        """Print a line with the seconds since the run began."""
        print(f"{time.monotonic() - self._began:7.2f} s  {what}", flush=True)

    def tell(self) -> None:
        """Print all counts."""
        tell_counts("faults", self.faults)
        tell_counts("crash points reached", self.points)
        tell_counts("parts that ended by themselves", self.ended)
        tell_counts(f"equal to the recomputation, after {self.comparisons} comparisons", self.checked)


def tell_counts(title: str, counts: Mapping[str, int]) -> None:
    """Print a title and a line for each count."""
    print(f"{title}:")
    for name, count in sorted(counts.items()):
        print(f"  {count:9,}  {name}")
