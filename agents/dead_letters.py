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


def kept(key: bytes | None, value: bytes | None) -> tuple[bytes | None, bytes | None]:
    """As much of a record as fits a dead letter, its value first of all: what does not fit would be tried for ever."""
    value = None if value is None else value[:MAX_BYTES]
    room = MAX_BYTES - len(value or b"")
    return None if key is None else key[:room], value


def dead_letter_headers(topic: str, partition: int, offset: int, reason: str, value: bytes | None) -> Headers:
    """Where the record was and why it is here, as text; and how long its value was, when that had to be cut."""
    headers: Headers = [
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
        ("reason", reason.encode()),
    ]
    if value is not None and len(value) > MAX_BYTES:
        headers.append(("value_bytes", str(len(value)).encode()))
    return headers


def report(topic: str, partition: int, flush: Flush | JoinFlush, counter: Counter) -> None:
    """Log the dead letters of a flush that was committed, and count them by reason."""
    for _key, _value, offset, reason in flush.dead:
        log.warning("dead letter: topic %s partition %d offset %d: %s", topic, partition, offset, reason)
        counter.labels(reason=_NUMBERS.sub("", reason)).inc()  # ids and offsets would make a series of each
