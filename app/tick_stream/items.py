"""What a stream of ticks is made of."""

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a tick came from."""

    LIVE = "live"
    MEMORY = "memory"
    """Missed, and asked for at the bridge."""
    KAFKA = "kafka"
    """Missed, and read from its topic."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One message of a bridge: a trade, a quote, a gap, a candle or a venue's clock, as its bytes in Kafka.

    `session` is one run of the bridge's client of the venue; its messages are numbered from 1 without a hole.
    """

    venue: str
    key: str
    """`venue` of a clock, `venue:INSTRUMENT` of all else."""
    session: bytes
    sequence: int
    value: bytes
    """Avro behind the Confluent wire header."""
    origin: Origin = Origin.LIVE


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages that nobody has any more, or not in time: the stream goes on behind them.

    `last` is None when it is not known how many a session had.
    """

    venue: str
    session: bytes
    first: int
    last: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Hole:
    """Messages of a session that did not come: up to `last`, or with None as many as it had when `until` began."""

    session: bytes
    first: int
    last: int | None
    until: bytes = b""
