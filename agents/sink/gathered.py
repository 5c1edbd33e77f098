"""The book of the SQL sink: where each of its partitions is, and the rows that wait to be written."""

from collections.abc import Mapping
from typing import NamedTuple

from faust.types import TP

from agents.log_errors import OffsetJump
from agents.sink.rows import Rows
from agents.sink.writer import Pending
from agents.transport import RecordSet


class Place(NamedTuple):
    """Where the next record of a partition is, and in which log: a topic that was made anew has another epoch."""

    epoch: str
    offset: int


class Gathered:
    """What was made of record sets and is not stored, of the partitions that the sink has now."""

    def __init__(self) -> None:
        self.stored: dict[TP, int] = {}
        """Up to where each partition is in the database."""
        self._next: dict[TP, Place] = {}  # behind what was gathered
        self._pending: dict[TP, Pending] = {}

    @property
    def rows(self) -> int:
        """How many rows wait to be written."""
        return sum(len(each.rows) for each in self._pending.values())

    def begin(self, tp: TP, place: Place) -> None:
        """Have a partition that is stored up to there."""
        self._next[tp] = place
        self.stored[tp] = place.offset

    def clear(self) -> None:
        """Have no partition any more, and nothing of any."""
        self.stored.clear()
        self._next.clear()
        self._pending.clear()

    def position(self, tp: TP) -> int | None:
        """Where fetching of a partition goes on; None where it does not."""
        place = self._next.get(tp)
        return None if place is None else place.offset

    def next_of(self, record_set: RecordSet) -> Place | None:
        """Where the records of a set begin; None where the partition is not the sink's, or was let go of.

        Raises:
            OffsetJump: the set does not begin where the one before it ended.
        """
        tp = TP(record_set.topic, record_set.partition)
        place = self._next.get(tp)
        if place is not None and record_set.start_offset != place.offset:
            raise OffsetJump(*tp, f"offset {place.offset} is next", record_set.start_offset)
        return place

    def is_at(self, tp: TP, place: Place) -> bool:
        """Whether a partition is at this very place, which `next_of` told, and was not let go of since.

        One that was, and was begun with anew, is at another place, be it equal.
        """
        return self._next.get(tp) is place

    def add(self, tp: TP, rows: Rows, begin: Place, end: int) -> None:
        """Take the rows of the offsets [begin, end), unless the partition was let go of while they were made."""
        if not self.is_at(tp, begin):
            return
        pending = self._pending.setdefault(tp, Pending(tp, begin.offset, end, Rows()))
        pending.rows.extend(rows)
        pending.end = end
        self._next[tp] = begin._replace(offset=end)

    def take(self) -> list[Pending]:
        """All that waits to be written; it waits no more."""
        batch, self._pending = list(self._pending.values()), {}
        return batch

    def store(self, written: Mapping[TP, int]) -> dict[TP, int]:
        """Note up to where partitions are stored now; those of them that the sink still has."""
        ours = {tp: offset for tp, offset in written.items() if tp in self.stored}
        self.stored |= ours
        return ours

    def drop(self, tp: TP) -> None:
        """Drop what was gathered of a partition, and take no more of it before it is begun with anew."""
        self._pending.pop(tp, None)
        self.leave_off(tp)

    def leave_off(self, tp: TP) -> None:
        """Take no more of a partition; what was gathered of it is still to be written."""
        self._next.pop(tp, None)
