"""What went wrong in a run, and what came of it, counted over all its rounds."""

from collections import Counter

from tests.chaos.bounded_run import RunLog, tell_counts
from tests.chaos.exchanges.account import Account


class Tally(RunLog):
    """Of all rounds of a run together."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: Counter[str] = Counter()
        """By exchange or program, and kind."""
        self.trades: Counter[str] = Counter()
        """By exchange, and what became of them."""

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

    def tell(self) -> None:
        """Print all counts."""
        tell_counts("faults", self.faults)
        tell_counts("trades", self.trades)
