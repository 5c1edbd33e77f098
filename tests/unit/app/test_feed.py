"""What the view's feed does with no servers."""

import threading
from collections.abc import Callable
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition

from agents.fold.live import RESEND_S
from app.bar_feed.feed import Feed
from app.bar_feed.reading import Reading
from app.bar_feed.start import LIVE_S, TOPIC_TAIL, Start
from app.bars import Bar, SeriesKey
from app.hand_over import MAX_UNDELIVERED, HandOver
from app.history import History, Positions
from app.metrics import Metrics
from app.partitions import Partition, Position
from app.records import RecordReader
from app.schema_lookup import RegistryAway, RegistrySchemas
from app.settings import Settings
from app.status import State, Status
from app.units import MINUTE_NS
from app.views import EVER_NS
from tests.unit.app.test_views import KEY, final, forming

PATIENCE_S = 60.0


class LongHistory(History):
    """More stored bars than anybody waits for."""

    def load(
        self, depth: int, take: Callable[[list[tuple[SeriesKey, Bar]]], None], goes_on: Callable[[], bool]
    ) -> Positions:
        assert depth
        while goes_on():
            take([(KEY, final(1, seq=1))])
        return {}


def a_feed(
    settings: Settings,
    history: History,
    status: Status,
    begin_late: Callable[[Partition], None] = lambda _partition: None,
    call_soon: Callable[[Callable[[], None]], object] = lambda done: done(),
) -> Feed:
    return Feed(
        settings,
        reader=RecordReader(settings.schemas_dir, RegistrySchemas(settings)),
        history=history,
        depth=10,
        apply=lambda _keyed, _read: None,
        begin_late=begin_late,
        hand_over=HandOver(call_soon),
        status=status,
        metrics=Metrics(),
    )


def test_a_feed_that_is_stopped_while_it_loads_the_history_ends() -> None:
    handed_over = threading.Semaphore(0)

    def call_soon(_apply: Callable[[], None]) -> None:
        handed_over.release()  # an event loop that ends applies nothing more

    settings = Settings(kafka_bootstrap="127.0.0.1:1")
    feed = a_feed(settings, LongHistory(settings), Status(), call_soon=call_soon)
    feed.start()
    for _ in range(MAX_UNDELIVERED):
        assert handed_over.acquire(timeout=PATIENCE_S)
    stopping = threading.Thread(target=feed.stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()


def test_a_feed_reads_so_far_back_that_every_forming_bar_was_sent_since() -> None:
    assert RESEND_S + 60 <= LIVE_S


class Logs:
    """A consumer of a broker whose partitions all begin and end at the same offsets."""

    def __init__(self, low: int, high: int) -> None:
        self.ends = low, high
        self.assigned: list[tuple[str, int, int]] = []

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        return self.ends

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned += [(each.topic, each.partition, each.offset) for each in partitions]


class ReturningBroker(Logs):
    """One that has just come back, and knows of more of the topics each time that it is asked."""

    def __init__(self, *known: list[str]) -> None:
        super().__init__(0, TOPIC_TAIL + 50)
        self._known = iter(known)

    def list_topics(self, **_: object) -> SimpleNamespace:
        return SimpleNamespace(topics={name: SimpleNamespace(partitions=[0, 1]) for name in next(self._known)})

    def offsets_for_times(self, asked: list[TopicPartition], **_: object) -> list[TopicPartition]:
        return asked


def test_a_view_goes_on_behind_its_history_though_the_broker_does_not_know_of_all_topics_at_once() -> None:
    settings, status = Settings(), Status()
    bars, seconds, live = (settings.topic(name) for name in ("bars", "bars.1s", "bars.live"))
    feed = a_feed(settings, History(settings), status)
    broker: Any = ReturningBroker([], [live, seconds], [seconds], [live, bars], [bars, seconds, live])
    positions = {(name, number): 400 + number for name in ("bars", "bars.1s") for number in (0, 1)}
    feed._assign(broker, positions)
    for _ in range(4):
        feed._ask_again(broker, positions)
    begun = [each for each in broker.assigned if each[0] != live]
    assert begun == [(seconds, 0, 400), (seconds, 1, 401), (bars, 0, 400), (bars, 1, 401)]
    assert status.now.state is State.CATCHING_UP
    assert status.now.unread == {}


def test_a_view_that_kafka_came_back_to_is_behind_until_it_has_read_what_came_meanwhile() -> None:
    settings, status = Settings(), Status()
    names = [settings.topic(name) for name in ("bars", "bars.1s", "bars.live")]
    feed = a_feed(settings, History(settings), status)
    broker: Any = ReturningBroker(names, names, names)
    _, end = broker.ends
    feed._assign(broker, {})
    feed._take(ends_of(names, end))
    states = [status.now.state]
    for came in (0, 2):
        broker.ends = 0, end + came
        feed._away = "Kafka does not answer"
        feed._ask_again(broker, {})
        states.append(status.now.state)
    feed._take(ends_of(names, end + 1))  # what the consumer had found before it was asked again
    states.append(status.now.state)
    for some in (names[1:], names[:1]):
        feed._take(ends_of(some, end + 2))
        states.append(status.now.state)
    assert states == [State.READY, State.READY, *3 * [State.CATCHING_UP], State.READY]


def ends_of(topics: list[str], offset: int) -> list[Any]:
    """What a consumer tells when it has read two partitions of each topic to their end."""
    return [
        SimpleNamespace(
            topic=lambda topic=topic: topic,
            partition=lambda number=number: number,
            offset=lambda: offset,
            error=lambda: KafkaError(KafkaError._PARTITION_EOF),
        )
        for topic in topics
        for number in (0, 1)
    ]


@pytest.mark.parametrize(
    ("low", "high", "stored", "first", "unread"),
    [
        (10, 900, 400, 400, {}),
        (0, 900, None, 0, {}),
        (10, 900, None, 10, {("bars", 1): 10}),
        (0, TOPIC_TAIL, None, 0, {}),
        (0, TOPIC_TAIL + 50, None, 50, {("bars", 1): 50}),
        (10, 900, 9, 10, {("bars", 1): 10}),
        (10, TOPIC_TAIL + 50, 9, 50, {("bars", 1): 50}),
        (10, 900, 901, 10, {("bars", 1): 10}),
        (0, TOPIC_TAIL + 50, TOPIC_TAIL + 51, 50, {("bars", 1): 50}),
    ],
)
def test_what_a_view_begins_behind_is_told(
    low: int, high: int, stored: int | None, first: int, unread: dict[tuple[str, int], int]
) -> None:
    settings, status = Settings(), Status()
    late: list[Partition] = []
    feed = a_feed(settings, History(settings), status, begin_late=late.append)
    positions = {} if stored is None else {("bars", 1): stored}
    reading = begun(feed, low, high, positions)
    assert (reading.start.first, reading.start.end) == (first, high)
    assert status.now.unread == {Partition(*place, 4): before for place, before in unread.items()}
    assert late == [*status.now.unread]


def test_the_first_final_bar_of_a_partition_that_is_begun_late_is_noted() -> None:
    settings, status = Settings(), Status()
    feed = a_feed(settings, History(settings), status)
    end = 900
    late = begun(feed, low=10, high=end)
    for reading in (Reading(Partition("bars", 0, 4), Start(0, end)), late):
        feed._note_begin(reading, end - 2, [(KEY, final(3, seq=50, revision=1))])
        feed._note_begin(reading, end - 1, [(KEY, final(7, seq=51)), (KEY, final(8, seq=52))])
    assert status.now.begins == {(late.partition, "1m"): 7 * MINUTE_NS}


class Message:
    """One that has an offset."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def offset(self) -> int:
        return self._offset


def test_how_far_a_series_was_read_is_told_with_its_final_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    feed = a_feed(settings, History(settings), Status())
    committed, live = (Reading(Partition(topic, 3, 4), Start(0, 900)) for topic in ("bars", "bars.live"))
    kinds = {50: [(KEY, final(7, seq=50))], 51: [(KEY, final(6, seq=51, revision=1))], 99: [(KEY, forming(8, seq=52))]}
    monkeypatch.setattr(feed._decoder, "bars", lambda _topic, message: kinds[message.offset()])
    records = [(committed, 50), (committed, 51), (live, 99)]
    bars, read = feed._decoded((reading, cast("Any", Message(offset))) for reading, offset in records)
    assert bars == [*kinds[50], *kinds[51], *kinds[99]]
    assert read == {KEY: Position(committed.partition, 52)}


@pytest.mark.parametrize(
    ("low", "high", "begin_ns"),
    [
        (10, 10, EVER_NS),
        (10, 900, EVER_NS),
        (10, TOPIC_TAIL + 11, 7 * MINUTE_NS),  # the log has older ones, bars of that interval maybe among them
    ],
)
def test_a_partition_whose_whole_log_had_no_final_bar_lacks_none_before_the_first_that_comes(
    low: int, high: int, begin_ns: int
) -> None:
    settings = Settings()
    for is_read_to_its_end in (False, True):
        status = Status()
        feed = a_feed(settings, History(settings), status)
        late = begun(feed, low, high)
        if is_read_to_its_end:
            late.is_behind = False
        feed._note_begin(late, high, [(KEY, final(7, seq=51))])
        assert status.now.begins == {(late.partition, "1m"): begin_ns}


def begun(feed: Feed, low: int, high: int, positions: Positions = MappingProxyType({})) -> Reading:
    """A partition that a feed begins with, whose log begins and ends so."""
    partition, consumer = Partition("bars", 1, 4), cast("Any", Logs(low, high))
    reading = feed._reading(consumer, partition, positions)
    feed._begin(consumer, {(Settings().topic(partition.topic), partition.number): reading})
    return reading


def test_a_view_waits_for_the_registry_and_says_so_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    settings, status = Settings(), Status()
    status.set(State.READY)
    standing: list[State] = []
    away = iter([RegistryAway("no answer")] * 3)

    def read(_value: bytes | None) -> tuple[str, dict[str, Any]]:
        standing.append(status.now.state)
        if error := next(away, None):
            raise error
        return "livetape.Gap", {}

    feed = a_feed(settings, History(settings), status)
    monkeypatch.setattr(feed, "_reader", SimpleNamespace(read=read))
    monkeypatch.setattr("app.bar_feed.feed.RETRY_S", 0.0)
    assert feed._read_value(b"") == ("livetape.Gap", {})
    assert standing == [State.READY, State.WAITING, State.WAITING, State.WAITING]
    assert status.now.state is State.READY
