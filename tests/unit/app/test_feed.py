"""What the view's feed does with no servers."""

import threading
from collections.abc import Callable

from agents.live import RESEND_S
from app.bars import Bar, SeriesKey
from app.feed import LIVE_S, MAX_UNDELIVERED, Feed, KeyedBars
from app.history import History, Positions
from app.metrics import Metrics
from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.settings import Settings
from app.status import Status
from tests.unit.app.test_views import KEY, final

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


def test_a_feed_that_is_stopped_while_it_loads_the_history_ends() -> None:
    handed_over = threading.Semaphore(0)

    def deliver(_keyed: KeyedBars, _applied: Callable[[], None]) -> None:
        handed_over.release()  # an event loop that ends applies nothing more

    settings = Settings(kafka_bootstrap="127.0.0.1:1")
    feed = Feed(
        settings,
        reader=RecordReader(settings.schemas_dir, RegistrySchemas(settings)),
        history=LongHistory(settings),
        depth=10,
        deliver=deliver,
        status=Status(),
        metrics=Metrics(),
    )
    feed.start()
    for _ in range(MAX_UNDELIVERED):
        assert handed_over.acquire(timeout=PATIENCE_S)
    stopping = threading.Thread(target=feed.stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()


def test_a_feed_reads_so_far_back_that_every_forming_bar_was_sent_since() -> None:
    assert RESEND_S + 60 <= LIVE_S
