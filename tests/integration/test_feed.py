"""How the view's feed begins, on the real broker."""

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException

from app.feed import Feed, KeyedBars
from app.history import History, Positions
from app.metrics import Metrics
from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.settings import Settings
from app.status import State, Status
from app.topic_admin import apply
from tests.integration.api_kit import Writer, bar, eventually


class Interrupted(Feed):
    """A feed whose broker goes away once, when it is asked where its logs begin."""

    was_away = False

    def _first_offset(self, consumer: Consumer, topic: str, partition: int, positions: Positions) -> int:
        if not self.was_away:
            self.was_away = True
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return super()._first_offset(consumer, topic, partition, positions)


def test_a_view_whose_broker_goes_away_at_the_start_is_ready_only_when_it_has_read_all(settings: Settings) -> None:
    apply(settings)
    Writer(settings).flush([bar(60 * number, seq=number) for number in range(3)])
    starts: list[int] = []
    status = Status()

    def deliver(keyed: KeyedBars, applied: Callable[[], None]) -> None:
        starts.extend(each.start_ns // 10**9 for _, each in keyed)
        applied()

    feed = Interrupted(
        settings,
        reader=RecordReader(settings.schemas_dir, RegistrySchemas(settings)),
        history=History(settings),
        depth=10,
        deliver=deliver,
        status=status,
        metrics=Metrics(),
    )
    feed.start()
    try:
        eventually(lambda: status.now.state is State.READY, lambda: status.now)
        assert feed.was_away
        assert starts == [0, 60, 120]
    finally:
        feed.stop()
