"""How far back Kafka is read for what was missed."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from confluent_kafka import OFFSET_END, KafkaError, TopicPartition

from app.settings import Settings
from app.tick_stream import history, look
from app.tick_stream.history import TickHistory, looks
from app.tick_stream.items import Hole
from app.tick_stream.search import Found, Partition
from app.units import SECOND_NS

ONE, TWO = b"1" * 16, b"2" * 16


def test_each_look_goes_further_back_and_the_last_to_the_beginning() -> None:
    now_s = 1_700_000_000.0
    times = looks(now_s)
    assert [now_s - from_s for from_s in times[:4]] == [30.0, 900.0, 3_600.0, 14_400.0]
    assert all(near > far for near, far in pairwise(times))
    assert times[-1] == 0.0


class Record(NamedTuple):
    """A record of a session's clock, or with none the end of a partition."""

    at: Partition
    at_offset: int
    appended_s: float = 0.0
    session: bytes = b""
    number: int = 0

    def error(self) -> KafkaError | None:
        return None if self.session else KafkaError(KafkaError._PARTITION_EOF)

    def topic(self) -> str:
        return self.at.topic

    def partition(self) -> int:
        return self.at.number

    def offset(self) -> int:
        return self.at_offset

    def key(self) -> bytes:
        return b"v"

    def value(self) -> bytes:
        return self.session + b"%d" % self.number

    def timestamp(self) -> tuple[int, int]:
        return 1, int(self.appended_s * 1000)


def nothing() -> None: ...


class Log:
    """Two partitions of trades that have clocks of sessions, the same in both; consumers read it."""

    def __init__(self) -> None:
        self.records: list[tuple[float, bytes, int]] = []
        """Of either partition: when it was appended, its session and number."""
        self.first = 0
        """The first offset that retention has left."""
        self.taken = 0
        """How many records were read."""
        self.at_ends = nothing
        """What happens once a consumer has told the ends of all that it reads."""
        self.at_batch = nothing
        """What happens behind each batch."""

    def append(self, at_s: float, session: bytes, *numbers: int) -> None:
        """Write messages of a session, a second apart."""
        self.records += [(at_s + second, session, number) for second, number in enumerate(numbers)]

    def open(self, config: dict[str, Any]) -> "OfLog":
        return OfLog(self, config["auto.offset.reset"], tells_ends=config["enable.partition.eof"])


class OfLog:
    """A consumer of a log."""

    def __init__(self, log: Log, reset: str, *, tells_ends: bool) -> None:
        self._log = log
        self._reset = reset
        self._tells_ends = tells_ends

    def list_topics(self, topic: str, **_: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=[0, 1])})

    def offsets_for_times(self, places: list[TopicPartition], **_: float) -> list[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, self._offset(place)) for place in places]

    def assign(self, places: list[TopicPartition]) -> None:
        self._next = {Partition(place.topic, place.partition): place.offset for place in places}
        self._told: set[Partition] = set()

    def get_watermark_offsets(self, place: TopicPartition, _timeout_s: float) -> tuple[int, int]:
        return self._log.first, self._end(place)

    def consume(self, most: int, _timeout_s: float) -> list[Record]:
        batch = [record for place in self._next for record in self._batch(place, most // len(self._next))]
        if not batch:
            self._log.at_ends()
        self._log.at_batch()
        return batch

    def close(self) -> None: ...

    def _end(self, place: TopicPartition | Partition) -> int:
        return len(self._log.records) if place.topic.endswith(".trades") else 0

    def _offset(self, place: TopicPartition) -> int:
        end = self._end(place)
        if place.offset == OFFSET_END:
            return end
        since = (at for at in range(self._log.first, end) if self._log.records[at][0] * 1000 >= place.offset)
        return next(since, OFFSET_END)

    def _batch(self, place: Partition, most: int) -> list[Record]:
        first, end = self._next[place], self._end(place)
        if first < self._log.first:
            first = self._log.first if self._reset == "earliest" else end
        self._next[place] = min(first + most, end)
        self._log.taken += self._next[place] - first
        batch = [Record(place, offset, *self._log.records[offset]) for offset in range(first, self._next[place])]
        if self._next[place] == end and place not in self._told and self._tells_ends:
            self._told.add(place)
            batch.append(Record(place, end))
        return batch


class Reader:
    """Reads those values as clocks, a second apart."""

    def read(self, value: bytes) -> tuple[str, dict[str, Any]]:
        number = int(value[16:])
        times = {"time_ns": number * SECOND_NS}
        return "livetape.Clock", {"bridge_session": value[:16].hex(), "bridge_sequence": number, **times}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()
    monkeypatch.setattr("app.log_reader.Consumer", log.open)
    return log


def look_for(hole: Hole, since_s: float) -> tuple[list[int], Found]:
    """What is found of a hole in the time of many batches."""
    times = iter(range(200))
    of = TickHistory(Settings(), cast("Any", Reader()))
    found = of.read("v", hole, since_s, lambda: next(times, None) is not None)
    return [tick.sequence for tick in found.ticks], found


@pytest.mark.parametrize(("first", "count"), [(1, 1_000), (4_500, 500)])
def test_of_the_end_of_a_run_no_more_is_read_than_one_look_may_bring(
    monkeypatch: pytest.MonkeyPatch, log: Log, first: int, count: int
) -> None:
    monkeypatch.setattr(history, "CHUNK", 1_000)
    log.append(0, ONE, *range(1, 5_000))
    log.append(5_000, TWO, 1)
    numbers, found = look_for(Hole(ONE, first, None, TWO), 0.0)
    assert (numbers, found.is_all) == ([*range(first, first + count)], True)
    assert found.through == (first + count - 1 if count == 1_000 else None)
    assert log.taken <= 2 * (first + count + 2 * look.BATCH)


@pytest.mark.parametrize("runs", [1, 2])
def test_what_a_reader_comes_to_late_is_found_though_nothing_of_its_run_is_near(log: Log, runs: int) -> None:
    log.append(10_000, ONE, *range(1, 21))
    if runs == 2:
        log.append(13_000, TWO, *range(1, 1_001))
    numbers, found = look_for(Hole(ONE, 5, 8), 13_900.0)
    assert (numbers, found.is_all) == ([5, 6, 7, 8], True)


def test_what_a_run_lacks_is_known_once_it_is_looked_for_far_enough_back(log: Log) -> None:
    log.append(10_000, ONE, 3, 4, 5, 8, *range(9, 21))
    log.append(13_000, TWO, *range(1, 1_001))
    numbers, found = look_for(Hole(ONE, 5, 8), 13_900.0)
    assert (numbers, found.is_all, found.through) == ([5, 8], True, 8)


@pytest.mark.parametrize("before", [(), (1, 2, 3, 4)])
def test_what_is_still_to_come_to_the_log_is_waited_for(log: Log, before: tuple[int, ...]) -> None:
    log.append(10_000, ONE, *range(1, 21))
    log.append(13_000, TWO, *before)

    def come() -> None:
        log.append(13_950, TWO, *range(len(before) + 1, 9))
        log.at_ends = nothing

    log.at_ends = come
    numbers, found = look_for(Hole(TWO, 5, 8), 13_900.0)
    assert (numbers, found.is_all) == ([5, 6, 7, 8], True)


def test_what_comes_while_much_is_read_further_back_is_taken_at_once(log: Log) -> None:
    log.append(0, ONE, *range(1, 50_001))
    batches = iter(range(20))

    def come() -> None:
        if next(batches, None) == 10:
            log.append(60_000, TWO, *range(1, 9))

    log.at_batch = come
    numbers, found = look_for(Hole(TWO, 5, 8), 60_000.0)
    assert (numbers, found.is_all) == ([5, 6, 7, 8], True)
    assert log.taken < 20 * look.BATCH


def test_what_nobody_writes_is_not_said_to_be_all_that_there_will_be(log: Log) -> None:
    log.append(10_000, ONE, *range(1, 21))
    numbers, found = look_for(Hole(TWO, 5, 8), 13_900.0)
    assert (numbers, found.is_all) == ([], False)


def test_what_retention_takes_meanwhile_costs_nothing_behind_it(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    log.append(10_000, ONE, *range(1, 101))
    assign = OfLog.assign

    def retain(consumer: OfLog, places: list[TopicPartition]) -> None:
        assign(consumer, places)
        log.first = 60

    monkeypatch.setattr(OfLog, "assign", retain)
    numbers, found = look_for(Hole(ONE, 51, 70), 10_040.0)
    assert (numbers, found.is_all) == ([*range(61, 71)], True)
