"""How the view's feed begins, on the real broker."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from app.bar_feed import start
from app.bar_feed.feed import Feed
from app.bar_feed.reading import Reading
from app.bars import KeyedBars
from app.hand_over import HandOver
from app.history import History, Positions
from app.metrics import Metrics
from app.partitions import Partition
from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.schema_registry import register_own
from app.settings import Settings
from app.status import State, Status
from app.topic_admin import apply
from app.units import SECOND_NS
from tests.integration.api_kit import Writer, bar, eventually
from tests.integration.test_schema_waits import behind_front

QUIET = {"venue": "binance", "instrument": "QUIET-USDT"}
BUSY = {"venue": "binance", "instrument": "BUSY-USDT"}
OLD = {"venue": "binance", "instrument": "OLD-USDT"}


class Interrupted(Feed):
    """A feed whose broker goes away once, when it is asked where its logs begin."""

    was_away = False

    def _reading(self, consumer: Consumer, partition: Partition, positions: Positions) -> Reading:
        if not self.was_away:
            self.was_away = True
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return super()._reading(consumer, partition, positions)


class Restless(Feed):
    """A feed that is never told that it has come to an end of forming bars, as of a partition that never rests."""

    def _take(self, messages: Iterable[Message]) -> None:
        super()._take(message for message in messages if message.error() is None or not self._is_of_forming(message))

    def _is_of_forming(self, message: Message) -> bool:
        return message.topic() == self._settings.topic("bars.live") and message.partition() == 0


@contextmanager
def begun(settings: Settings, kind: type[Feed]) -> Iterator[tuple[Feed, list[tuple[str, int, int]]]]:
    """A feed that is ready: it, and the bars that it delivered by then, by instrument, start in seconds and seq."""
    delivered: list[tuple[str, int, int]] = []
    status = Status()

    def apply_bars(keyed: KeyedBars, _read: object) -> None:
        delivered.extend((key.instrument, each.start_ns // SECOND_NS, each.order.seq) for key, each in keyed)

    feed = kind(
        settings,
        reader=RecordReader(settings.schemas_dir, RegistrySchemas(settings)),
        history=History(settings),
        depth=10,
        apply=apply_bars,
        begin_late=lambda _partition: None,
        hand_over=HandOver(lambda done: done()),
        status=status,
        metrics=Metrics(),
    )
    feed.start()
    try:
        eventually(lambda: status.now.state is State.READY, lambda: status.now)
        yield feed, list(delivered)
    finally:
        feed.stop()


def test_a_view_whose_broker_goes_away_at_the_start_is_ready_only_when_it_has_read_all(settings: Settings) -> None:
    apply(settings)
    Writer(settings).flush([bar(60 * number, seq=number) for number in range(3)])
    with begun(settings, Interrupted) as (feed, bars):
        assert isinstance(feed, Interrupted)
        assert feed.was_away
        assert [start for _, start, _ in bars] == [0, 60, 120]


def test_a_view_is_loaded_while_the_registry_is_away_by_what_it_told_at_the_last_start(
    settings: Settings, tmp_path: Path
) -> None:
    apply(settings)
    Writer(settings).flush([bar(60, seq=1)])
    with behind_front(settings.model_copy(update={"home": tmp_path}), kept_id=0) as (_, behind):
        register_own(behind)
    with begun(behind, Feed) as (_, bars):
        assert bars == [("BTC-USDT", 60, 1)]


def test_a_view_begins_with_the_last_forming_bars_of_every_instrument_however_busy_others_are(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(settings)
    writer = Writer(settings)
    writer.live(bar(0, seq=1, of=OLD))
    since_s = time.time() + 0.001  # the broker tells milliseconds
    eventually(lambda: time.time() > since_s)
    writer.live(bar(0, seq=2, of=QUIET), bar(60, seq=2, of=QUIET))
    for seq in range(3_000):
        writer.live(bar(60, seq=seq, of=BUSY))
    monkeypatch.setattr(start, "time", SimpleNamespace(time=lambda: since_s + start.LIVE_S))
    with begun(settings, Feed) as (_, bars):
        assert sorted(bars) == [("BUSY-USDT", 60, 2_999), ("QUIET-USDT", 0, 2), ("QUIET-USDT", 60, 2)]


def test_a_view_begins_with_the_last_forming_bars_of_a_fold_that_stopped(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(settings)
    Writer(settings).live(bar(0, seq=1, of=OLD))
    monkeypatch.setattr(start, "LIVE_S", -1)
    with begun(settings, Feed) as (_, bars):
        assert bars == [("OLD-USDT", 0, 1)]


def test_a_view_is_ready_though_forming_bars_never_cease_to_come(settings: Settings) -> None:
    apply(settings)
    writer = Writer(settings)
    writer.live(bar(0, seq=1, of=QUIET))
    writer.live(bar(0, seq=2, of=BUSY))
    with begun(settings, Restless) as (_, bars):
        assert sorted(bars) == [("BUSY-USDT", 0, 2), ("QUIET-USDT", 0, 1)]


def test_a_view_that_has_read_all_is_ready_again_once_kafka_is_back(settings: Settings) -> None:
    apply(settings)
    writer = Writer(settings)
    writer.flush([bar(0, seq=1)])  # its transaction's marker is the last record, which no consumer is handed
    writer.live(bar(60, seq=2))
    with begun(settings, Feed) as (feed, _):
        feed._broker_error(KafkaError(KafkaError._TRANSPORT))
        eventually(lambda: feed._away is None and feed._status.now.state is State.READY, lambda: feed._status.now)
