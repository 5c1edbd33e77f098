"""What went wrong in a run, and what came of it, counted over all its rounds."""

import time
from collections import Counter

from tests.chaos.exchanges.account import Account
from tests.chaos.storm.tally import tell_counts


class Tally:
    """Says what happens as it does."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        """By exchange or program, and kind."""
        self.trades: Counter[str] = Counter()
        """By exchange, and what became of them."""
        self._began = time.monotonic()

    def note(self, fault: str) -> None:
        """Count a fault, and say it."""
        self.faults[fault] += 1
        self.say(fault)

    def book(self, account: Account) -> None:
        """Count the trades of an account that was found right."""
        name = account.venue.name
        self.trades[f"{name}: made"] += len(account.made)
        self.trades[f"{name}: in Kafka"] += len(account.copies)
        self.trades[f"{name}: in Kafka once more"] += account.copies.total() - len(account.copies)
        self.trades[f"{name}: lost, and told on gaps"] += len(account.made) - len(account.copies)
        self.trades[f"{name}: of garbage, dated 2099"] += account.garbage

    def say(self, what: str) -> None:
        """Print a line with the seconds since the run began."""
        print(f"{time.monotonic() - self._began:7.2f} s  {what}", flush=True)

    def tell(self) -> None:
        """Print all counts."""
        tell_counts("faults", self.faults)
        tell_counts("trades", self.trades)
