"""What happened in a run, said as it happens and counted."""

from collections import Counter

from tests.chaos.bounded_run import RunLog, tell_counts


class Tally(RunLog):
    """Of all markets of a run together."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: Counter[str] = Counter()
        """As they were injected, by kind."""
        self.points: Counter[str] = Counter()
        """Crash points at which a part has died."""
        self.ended: Counter[str] = Counter()
        """Ends of parts that nobody asked for, by part and exit code."""
        self.checked: Counter[str] = Counter()
        """What was equal to the recomputation when a market was closed."""
        self.comparisons = 0

    def tell(self) -> None:
        """Print all counts."""
        tell_counts("faults", self.faults)
        tell_counts("crash points reached", self.points)
        tell_counts("parts that ended by themselves", self.ended)
        tell_counts(f"equal to the recomputation, after {self.comparisons} comparisons", self.checked)
