"""How the view stands, for /readyz, `hello` and heartbeats. Written by the feed's thread, read by the event loop's."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.partitions import Partition

log = logging.getLogger(__name__)


class State(StrEnum):
    """How far the view has come."""

    STARTING = "starting"
    WAITING = "waiting"
    CATCHING_UP = "catching_up"
    READY = "ready"
    FAILED = "failed"


class Origin(StrEnum):
    """Where the bars of before this process came from."""

    UNKNOWN = "unknown"
    POSTGRES = "postgres"
    TOPIC = "topic"


@dataclass(frozen=True)
class Standing:
    """One moment's status; each change replaces it whole, so that no reader sees half of one."""

    state: State = State.STARTING
    reason: str | None = "the view has not begun to read"
    history: Origin = Origin.UNKNOWN
    history_reason: str | None = None
    unread: Mapping[Partition, int] = field(default_factory=dict)
    """Offset before which the view lacks records of a partition: Postgres has them once it is stored up to there. Of
    most starts it is empty: the view loads what is stored, and reads on from there.
    """
    begins: Mapping[tuple[Partition, str], int] = field(default_factory=dict)
    """From where on the view lacks no bar of such a partition, by interval."""
    since_ns: int = 0
    """Since when it is ready, or is not; 0 until it is for the first time."""


class Status:
    """The current standing."""

    def __init__(self) -> None:
        self.now = Standing()
        self.was_ready = False
        """Whether the view ever held all that was there: before that, what it lacks may be anywhere."""

    def set(self, state: State, reason: str | None = None) -> None:
        """Say how far the view is, and why it is not further."""
        if (self.now.state, self.now.reason) != (state, reason):
            turns = State.READY in {self.now.state, state} and state is not self.now.state
            since_ns = time.time_ns() if turns else self.now.since_ns
            self.now = replace(self.now, state=state, reason=reason, since_ns=since_ns)
            self.was_ready = self.was_ready or state is State.READY
            log.log(logging.INFO if reason is None else logging.WARNING, "view %s: %s", state, reason or "")

    def set_unread(self, partition: Partition, before: int) -> None:
        """Say that the view lacks records of a partition before this offset."""
        self.now = replace(self.now, unread={**self.now.unread, partition: before})

    def set_begin(self, partition: Partition, interval: str, start_ns: int) -> None:
        """Say from where on the view has all bars of an interval in a partition, unless that is said already."""
        place = (partition, interval)
        if place not in self.now.begins:
            self.now = replace(self.now, begins={**self.now.begins, place: start_ns})

    def set_history(self, history: Origin, reason: str | None = None) -> None:
        """Say where older bars come from, and why not from Postgres."""
        self.now = replace(self.now, history=history, history_reason=reason)
