"""How far back Kafka is read for what was missed."""

from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition

from app.intervals import SECOND_NS
from app.settings import Settings
from app.tick_stream import history
from app.tick_stream.history import TickHistory, looks
from app.tick_stream.items import Hole

ONE, TWO = b"1" * 16, b"2" * 16


def test_each_look_goes_further_back_and_the_last_to_the_beginning() -> None:
    now_s = 1_700_000_000.0
    times = looks(now_s)
    assert [now_s - from_s for from_s in times[:4]] == [30.0, 900.0, 3_600.0, 14_400.0]
    assert all(near > far for near, far in pairwise(times))
    assert times[-1] == 0.0


class Log:
    """A consumer of one partition of trades that has clocks of a session, and then one of the next."""

    COUNT = 5_000

    def __init__(self) -> None:
        self.taken = 0

    def list_topics(self, topic: str, **_: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=[0])})

    def offsets_for_times(self, places: list[TopicPartition], **_: float) -> list[TopicPartition]:
        return [TopicPartition(place.topic, place.partition, 0) for place in places]

    def assign(self, places: list[TopicPartition]) -> None:
        self._topic = places[0].topic

    def get_watermark_offsets(self, place: TopicPartition, _timeout_s: float) -> tuple[int, int]:
        return 0, self.COUNT if place.topic == self._topic else 0

    def consume(self, most: int, _timeout_s: float) -> list[Any]:
        first = self.taken
        self.taken = min(first + most, self.COUNT)
        return [
            Record(self._topic, offset, ONE if offset + 1 < self.COUNT else TWO) for offset in range(first, self.taken)
        ]


class Record:
    """A record whose value is its session and number."""

    def __init__(self, topic: str, offset: int, session: bytes) -> None:
        self._topic, self._offset, self._session = topic, offset, session

    def error(self) -> None: ...

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"v"

    def value(self) -> bytes:
        return self._session + b"%d" % (self._offset + 1)

    def timestamp(self) -> tuple[int, int]:
        return 1, self._offset


class Reader:
    """Reads those values as clocks, a second apart."""

    def read(self, value: bytes) -> tuple[str, dict[str, Any]]:
        number = int(value[16:])
        times = {"time_ns": number * SECOND_NS}
        return "livetape.Clock", {"bridge_session": value[:16].hex(), "bridge_sequence": number, **times}


@pytest.mark.parametrize(("first", "found"), [(1, 1_000), (4_500, 500)])
def test_of_the_end_of_a_run_no_more_is_read_than_one_look_may_bring(
    monkeypatch: pytest.MonkeyPatch, first: int, found: int
) -> None:
    monkeypatch.setattr(history, "CHUNK", 1_000)
    log, reader = Log(), Reader()
    of = TickHistory(Settings(), cast("Any", reader))
    told, _ = of._read_since(cast("Any", log), "v", Hole(ONE, first, None, TWO), 0.0, lambda: True)
    assert ([tick.sequence for tick in told.ticks], told.is_all) == ([*range(first, first + found)], True)
    assert told.through == (first + found - 1 if found == 1_000 else None)
    assert log.taken < first + found + 2 * history.BATCH
