"""Missed messages from Kafka: what a bridge no longer keeps in memory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import chain
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Message

from app.log_reader import log_reader
from app.records import BadRecord, RecordReader
from app.schema_lookup import RegistryAway
from app.settings import Settings
from app.tick_stream.items import Hole, Origin, Tick
from app.tick_stream.look import REQUEST_S, Look
from app.tick_stream.search import Entry, Found, Partition, Search
from app.units import SECOND_NS
from app.venues import read_venues

CHUNK: Final = 100_000
"""Messages that are read at once, at most."""
POLL_S: Final = 0.1
NEAR_S: Final = 30.0
"""How much the broker's clock and ours may differ, and records of one time over partitions."""
FAR_S: Final = 900.0
"""How far to look back where that is not enough: who reads slowly, or waited for another hole, had the message before
it long after it came."""
FURTHER: Final = 4
"""How many times as far back each look behind that one goes: that of a reader who paused may be hours old."""
UNCLOCKED: Final = ("gaps", "candles")
"""The topics of messages that have no clocks of the venue among them."""


class _Sweep(NamedTuple):
    """A look at the log, and what is looked for."""

    look: Look
    search: Search

    @property
    def is_at_end(self) -> bool:
        """Whether what was not found is before what was read, or still to come."""
        return not self.search.waits_for(self.look.left)

    @property
    def may_be_before(self) -> bool:
        """Whether some of it may be before what was read."""
        return not self.search.is_full and not all(self.look.begins_log(place) for place in self.search.late)


class HistoryAway(Exception):
    """Kafka or the registry could not be read to the end of what was wanted; the message says why."""


class TickHistory:
    """Reads ranges of a venue's messages from all of their topics. Its methods block: call them from a thread."""

    def __init__(self, settings: Settings, reader: RecordReader) -> None:
        self._settings = settings
        self._reader = reader
        self._quoting = {name for name, venue in read_venues(settings.venues_file).items() if venue.quotes}

    def read(self, venue: str, hole: Hole, since_s: float, goes_on: Callable[[], bool]) -> Found:
        """The first messages of a hole, CHUNK at most, as long as `goes_on` says so.

        `since_s` is when the message before it came to us, or to the log.

        Raises:
            HistoryAway: Kafka or the registry did not answer.
        """
        try:
            with ExitStack() as opened:
                sweeps = self._sweeps(lambda: opened.enter_context(closing(self._consumer())), venue, hole, since_s)
                return self._read(next(sweeps), sweeps, venue, goes_on)
        except KafkaException as error:
            raise HistoryAway(f"Kafka at {self._settings.kafka_bootstrap}: {error.args[0].str()}") from error
        except RegistryAway as error:
            raise HistoryAway(str(error)) from error

    def _consumer(self) -> Consumer:
        properties = {"auto.offset.reset": "earliest"}  # that retention takes some meanwhile costs nothing
        return log_reader(self._settings, "ticks", properties)

    def _sweeps(self, opens: Callable[[], Consumer], venue: str, hole: Hole, since_s: float) -> Iterator[_Sweep]:
        """Sweeps for a hole, each from further back. The first may go on beside the others."""
        topics = ("trades", "quotes") if venue in self._quoting else ("trades",)
        settled_ns = self._settings.clock_delay_ns + SECOND_NS
        nearest_s, *further_s = looks(since_s)
        consumer = opens()
        places = self._places(consumer, topics)
        search = Search(hole, places, settled_ns, CHUNK)
        yield _Sweep(Look(consumer, places, nearest_s), search)
        consumer = opens()
        for from_s in further_s:
            search = search.from_further_back()
            yield _Sweep(Look(consumer, places, from_s), search)

    def _read(self, near: _Sweep, further: Iterator[_Sweep], venue: str, goes_on: Callable[[], bool]) -> Found:
        """What sweeps find. That from the furthest back, as far as one has to go, waits for what is still to come.

        A longer way back may take all the time there is: what comes meanwhile is near.
        """
        for sweep in chain([near], further):
            while not sweep.is_at_end and goes_on():
                self._take(venue, sweep, POLL_S)
                if sweep is not near and not near.search.is_done:
                    self._take(venue, near, 0)
            if not (goes_on() and sweep.may_be_before):
                break
            if sweep.search.is_done:
                self._take_unclocked(venue, sweep, goes_on)
        while not sweep.search.is_done and goes_on():
            self._take(venue, sweep, POLL_S)
        is_past = sweep.search.is_done and goes_on()
        is_all = sweep.search.is_full or (is_past and self._take_unclocked(venue, sweep, goes_on))
        return sweep.search.found(is_all=is_all)

    def _take(self, venue: str, sweep: _Sweep, wait_s: float) -> None:
        for place, message in sweep.look.next(wait_s):
            if (entry := self._entry(message, venue)) is not None:
                sweep.search.take(place, entry)

    def _take_unclocked(self, venue: str, sweep: _Sweep, goes_on: Callable[[], bool]) -> bool:
        """Take what the topics without clocks have now; false when there was no time to come to their ends."""
        consumer = sweep.look.consumer
        look = Look(consumer, self._places(consumer, UNCLOCKED), sweep.look.since_s)
        while look.left and goes_on():
            for _, message in look.next(POLL_S):
                if (entry := self._entry(message, venue)) is not None:
                    sweep.search.take_unclocked(entry)
        return not look.left

    def _places(self, consumer: Consumer, names: Iterable[str]) -> list[Partition]:
        """The partitions of some topics."""
        places: list[Partition] = []
        for topic in map(self._settings.topic, names):
            partitions = consumer.list_topics(topic, timeout=REQUEST_S).topics[topic].partitions
            if not partitions:
                raise HistoryAway(f"Kafka at {self._settings.kafka_bootstrap} has no topic {topic}")
            places += [Partition(topic, number) for number in partitions]
        return places

    def _entry(self, message: Message, venue: str) -> Entry | None:
        """The message as an entry; nothing when it is another venue's or cannot be read."""
        key, value = message.key(), message.value()
        if message.error() is not None or not isinstance(key, bytes) or not isinstance(value, bytes):
            return None
        name = key.decode(errors="replace")
        if name.partition(":")[0] != venue:
            return None
        try:
            record, fields = self._reader.read(value)
            session = bytes.fromhex(fields["bridge_session"])
        except (BadRecord, KeyError, ValueError):  # none of a bridge: a record of another type, or of another producer
            return None
        tick = Tick(venue, name, session, fields["bridge_sequence"], value, Origin.KAFKA)
        clock_ns = fields["time_ns"] if record == "livetape.Clock" else None
        return Entry(tick, message.timestamp()[1] / 1000, clock_ns)


def looks(since_s: float) -> list[float]:
    """From which times on to look for a hole, one behind the other, back to the beginning of all time."""
    times, back_s = [since_s - NEAR_S], FAR_S
    while back_s < since_s:
        times.append(since_s - back_s)
        back_s *= FURTHER
    return [*times, 0.0]
