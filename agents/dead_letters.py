"""The policy for a record that cannot be folded: it goes to `trades.dead` as it came, with where it was and why."""

import logging

from agents import metrics
from agents.kernel import Flush

log = logging.getLogger(__name__)


def dead_letter_headers(topic: str, partition: int, offset: int, reason: str) -> list[tuple[str, str | bytes | None]]:
    """Where the record was and why it is here, as text."""
    return [
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
        ("reason", reason.encode()),
    ]


def report(topic: str, partition: int, flush: Flush) -> None:
    """Log and count the dead letters of a flush that was committed."""
    for _key, _value, offset, reason in flush.dead:
        log.warning("dead letter: topic %s partition %d offset %d: %s", topic, partition, offset, reason)
        metrics.DEAD.labels(reason=reason).inc()
