"""The state of one partition in memory: taken from its changelog little by little, folded into, or left by a fold."""

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from agents.epoch import FIRST_GENERATION, topic_ids
from agents.fold.flush import CHANGELOG
from agents.fold.setup import FoldSetup, new_fold
from agents.uninterrupted import uninterrupted
from app.settings import Settings

if TYPE_CHECKING:
    from agents.aggregates import PartitionAggregates
    from agents.transport import RecordSet


class Logs(NamedTuple):
    """Kafka's own ids of the topics that a state is of: made anew, a topic has another."""

    trades: str
    changelog: str

    @classmethod
    def of(cls, settings: Settings) -> "Logs":
        """Those that are there now. Waits for the broker; raises KafkaException when it refuses."""
        return cls(*topic_ids(settings, settings.topic("trades"), settings.topic(CHANGELOG)))


class Reached(NamedTuple):
    """How far a state has come: everything below `next_offset` of the log `epoch` is in it."""

    epoch: str
    generation: int
    next_offset: int


class Warmth(StrEnum):
    """What a worker has of a partition's state when it is assigned the partition."""

    KEPT = "kept"
    """Its own fold's, from before a rebalance."""
    STANDBY = "standby"
    """What the changelog said until then, followed while another worker had the partition."""
    COLD = "cold"
    """Nothing."""


class FoldState:
    """A kernel's fold, and which part of the changelog it stands for.

    At first it takes the changelog's records, as many and as long as one likes. Once that is finished it can be folded
    into, and takes none any more.
    """

    def __init__(self, setup: FoldSetup, partition: int, logs: Logs) -> None:
        self.fold = new_fold(setup, partition, logs.trades)
        self.aggregates: PartitionAggregates | None = None
        self.logs = logs
        self.changelog_offset: int | None = None
        """All records below it are in the state, and no others; None before the first, and where nobody knows."""
        self.misplaced_series = 0
        """How many instruments in it belong to other partitions."""
        self.is_finished = False
        self._is_spoiled = False
        self.reached: Reached | None = None
        """None where nothing was ever folded, and before it is finished."""

    @property
    def warmth(self) -> Warmth:
        """What it would be to a worker that is assigned its partition now."""
        if self.is_finished:
            return Warmth.KEPT
        return Warmth.COLD if self.changelog_offset is None else Warmth.STANDBY

    def takes_more_of(self, logs: Logs) -> bool:
        """Whether it can take what comes next in their changelog."""
        return self.logs == logs and not self._is_spoiled and not self.is_finished

    def leads_to(self, logs: Logs, end: int) -> bool:
        """Whether it is what the changelog says up to its end, or can become it by taking records."""
        if self.logs != logs or self._is_spoiled:
            return False
        if self.is_finished:
            return self.changelog_offset == end
        return self.changelog_offset is None or self.changelog_offset <= end

    def drop(self) -> None:
        """Free the memory of a state that is of no use, whoever still refers to it."""
        self._is_spoiled = True
        self.aggregates = None
        if hasattr(self, "fold"):
            del self.fold

    async def take(self, record_set: "RecordSet") -> None:
        """Take the changelog's next records. Raises CorruptState: the state is of no use then."""
        await uninterrupted(self._take(record_set))

    async def _take(self, record_set: "RecordSet") -> None:
        self._is_spoiled = True
        await asyncio.to_thread(self.fold.restore, record_set.data, record_set.aborted, record_set.start_offset)
        self._is_spoiled = False
        self.changelog_offset = record_set.next_offset

    async def finish(self, end: int) -> None:
        """Make it ready to be folded into, at the changelog's end. Raises CorruptState: it is of no use then."""
        if not self.is_finished:
            await uninterrupted(self._finish(end))

    async def _finish(self, end: int) -> None:
        self._is_spoiled = True
        progress = await asyncio.to_thread(self.fold.restored)
        self._is_spoiled = False
        if progress is not None:
            self.reached = Reached(progress.epoch, progress.generation, progress.next_offset)
        self.changelog_offset = end
        self.is_finished = True

    def begin(self, first: int) -> None:
        """Be folded into from where the log begins, at this offset.

        Above 0 its older records are gone, and what is left of a window that had trades among them would make a bar
        that outranks the one made of all.
        """
        if first > 0:
            self.fold.lacks_beginning()

    def flushed(self, next_offset: int, changelog_end: int | None) -> None:
        """What was folded up to this offset of `trades` is in the changelog, which ended there when it was written."""
        generation = FIRST_GENERATION if self.reached is None else self.reached.generation
        self.reached = Reached(self.logs.trades, generation, next_offset)
        self.changelog_offset = changelog_end
