"""The check of bars: `faust -A agents.reconcile worker`. bars, candles → metrics, and a log of what differs."""

from typing import Any, Final

from faust.types import StreamT

from agents.candle_check import INTERVAL, SOURCES, CandleCheck
from agents.transport import BatchApp, app_connection
from app.settings import Settings

FETCH_BYTES: Final = 1024 * 1024
BUFFERED_RECORD_SETS: Final = 4


def build_reconcile(settings: Settings) -> BatchApp:
    """The worker's app: an agent a topic, one check for both. It connects when it is started, not before.

    Raises:
        ValueError: there are no bars of a minute.
    """
    if INTERVAL not in settings.intervals:
        raise ValueError(f"bars of {INTERVAL} are compared with candles, and LIVETAPE_INTERVALS has none")
    app = BatchApp(
        f"{settings.namespace}.reconcile",
        **app_connection(settings),
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        consumer_max_fetch_size=FETCH_BYTES,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings.session_timeout_ms / 1_000,
        broker_heartbeat_interval=settings.session_timeout_ms / 1_000 / 4,
        stream_buffer_maxsize=BUFFERED_RECORD_SETS,
        fetch_wait_ms=settings.sink_flush_ms,
    )
    check = CandleCheck(app, settings)

    async def compare(record_sets: StreamT[Any]) -> None:
        """Bars and candles into counts."""
        async for record_set in record_sets:
            await check.take(record_set)

    for topic in SOURCES:
        app.agent(app.batch_topic(settings.topic(topic)), name=f"reconcile_{topic}")(compare)
    return app


def __getattr__(name: str) -> BatchApp:
    """`app`, made when somebody asks for it: Faust's command line does, an import does not."""
    if name != "app":
        raise AttributeError(name)
    globals()[name] = build_reconcile(Settings())
    return globals()[name]  # type: ignore[no-any-return]
