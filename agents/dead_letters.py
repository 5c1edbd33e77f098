"""The policy for a record that cannot be folded: it goes to `trades.dead` as it came, with where it was and why."""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias, TypeVar

from prometheus_client import Counter

from agents.kernel import PackedBatch, RecordBatchWriter
from app.dead_letters import MAX_BYTES

log = logging.getLogger(__name__)

T = TypeVar("T")
Headers: TypeAlias = list[tuple[str, bytes | None]]
Refused: TypeAlias = tuple[bytes | None, bytes | None, int, str]
"""Key and value of a record as they came, its offset, and why it is refused."""
THREAD_LETTERS: Final = 200
"""More dead letters than these are packed and counted in a thread: a flush may have some hundred thousand, which would
keep the event loop from its heartbeats."""
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


async def pack(topic: str, partition: int, letters: Sequence[Refused]) -> Sequence[PackedBatch]:
    """The dead letters of records of a partition."""
    return await _beside(partial(_pack, topic, partition), letters)


async def report(topic: str, partition: int, letters: Sequence[Refused], counter: Counter) -> None:
    """Count the dead letters of a flush that was committed, and log the first of each reason with their number."""
    for reason, alike in (await _beside(_by_reason, letters)).items():
        counter.labels(reason=reason).inc(len(alike))
        _key, _value, offset, first = alike[0]
        if len(alike) == 1:
            log.warning("dead letter: topic %s partition %d offset %d: %s", topic, partition, offset, first)
        else:
            told = "dead letters: topic %s partition %d: %d in one flush, the first of them at offset %d: %s"
            log.warning(told, topic, partition, len(alike), offset, first)


async def _beside(work: Callable[[Sequence[Refused]], T], letters: Sequence[Refused]) -> T:
    """What work comes to; that on many letters leaves the event loop to others."""
    return work(letters) if len(letters) <= THREAD_LETTERS else await asyncio.to_thread(work, letters)


def _pack(topic: str, partition: int, letters: Sequence[Refused]) -> Sequence[PackedBatch]:
    batches = RecordBatchWriter()
    for key, value, offset, reason in letters:
        batches.append(*dead_letter(topic, partition, offset, reason, key=key, value=value))
    return batches.take()


def _by_reason(letters: Sequence[Refused]) -> dict[str, list[Refused]]:
    """Those of one reason together: ids and offsets in it would make a series, and a line of the log, of each."""
    groups: dict[str, list[Refused]] = {}
    for letter in letters:
        groups.setdefault(_NUMBERS.sub("", letter[-1]), []).append(letter)
    return groups
