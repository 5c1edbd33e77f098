"""The policy for a record that cannot be folded: it goes to `trades.dead` as it came, with where it was and why."""

import logging
import re
from typing import Final, TypeAlias

from prometheus_client import Counter

from agents.kernel import Flush, JoinFlush
from app.dead_letters import MAX_BYTES

log = logging.getLogger(__name__)

Headers: TypeAlias = list[tuple[str, bytes | None]]
_NUMBERS: Final = re.compile(r" ?[0-9]+")


def dead_letter(
    topic: str, partition: int, offset: int, reason: str, *, key: bytes | None, value: bytes | None
) -> tuple[bytes | None, bytes | None, Headers]:
    """Key, value and headers of the dead letter of a record: as text where it was and why it is here.

    As much of the record as fits is kept, its value first of all: what does not fit would be tried for ever. How long
    key and value were is told of what had to be cut.
    """
    headers: Headers = [
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
        ("reason", reason.encode()),
    ]
    kept_value = None if value is None else value[:MAX_BYTES]
    kept_key = None if key is None else key[: MAX_BYTES - len(kept_value or b"")]
    for name, whole, kept in (("key_bytes", key, kept_key), ("value_bytes", value, kept_value)):
        if whole != kept:
            headers.append((name, str(len(whole or b"")).encode()))
    return kept_key, kept_value, headers


def report(topic: str, partition: int, flush: Flush | JoinFlush, counter: Counter) -> None:
    """Log the dead letters of a flush that was committed, and count them by reason."""
    for _key, _value, offset, reason in flush.dead:
        log.warning("dead letter: topic %s partition %d offset %d: %s", topic, partition, offset, reason)
        counter.labels(reason=_NUMBERS.sub("", reason)).inc()  # ids and offsets would make a series of each
