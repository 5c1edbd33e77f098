"""How far one partition is read."""

from collections.abc import Iterator

from confluent_kafka import Message

from app.bar_feed.start import Start
from app.bars import KeyedBars
from app.log_end import next_offset
from app.partitions import Partition
from app.views import EVER_NS


class Reading:
    """One partition that is read from its start on; at first to where it ended then, behind which it is up to date.

    Until then one of `bars.live` keeps the newest message of each instrument alone, which has all that is forming.
    A broker that was away may bring a partition that is behind once more.
    """

    def __init__(self, partition: Partition, start: Start, *, keeps_newest: bool = False) -> None:
        self.partition = partition
        self.start = start
        self.is_behind = True
        """Whether it is still being read to where it ended; who reads it says that it is no more."""
        self._end = start.end
        self._next_offset = start.first
        self._newest: dict[str | bytes | None, Message] | None = {} if keeps_newest else None

    def keep(self, message: Message) -> bool:
        """Keep a message back, if a newer one may take its place; whether that is so."""
        if self._newest is None:
            return False
        self._newest[message.key()] = message
        return True

    def take_kept(self) -> list[Message]:
        """What was kept back; no more is from now on."""
        kept, self._newest = self._newest or {}, None
        return list(kept.values())

    def go_on_to(self, end: int) -> None:
        """Be behind until it is read to where it ends now; one that is there already is told of no end again."""
        if self._next_offset < end:
            self._end, self.is_behind = end, True

    def reach(self, message: Message) -> bool:
        """Note how far a message shows it to be read; whether it need not be behind any more."""
        reached = next_offset(message)
        if reached is not None:
            self._next_offset = reached
        return self.is_behind and self._next_offset >= self._end

    def whole_from(self, offset: int, bars: KeyedBars) -> Iterator[tuple[str, int]]:
        """By the bars of a record: from where on the view has all of an interval, though it began late.

        That is from the first final bar. One that comes later, while the whole log had none, follows on a silence as
        long as the topic's retention.
        """
        if not self.start.is_late:
            return
        was_silent = not self.start.is_cut and (not self.is_behind or offset >= self.start.end)
        for key, bar in bars:
            if bar.order.is_first:
                yield key.interval, EVER_NS if was_silent else bar.start_ns
