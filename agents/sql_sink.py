"""The SQL sink's worker: `faust -A agents.sql_sink worker`. trades, bars, bars.1s, gaps, aggregates → Postgres."""

from typing import Any, Final

from faust.types import StreamT

from agents.sink import SqlSink
from agents.transport import BatchApp, app_connection
from app.aggregates import load_aggregates
from app.settings import Settings

TOPICS: Final = ("trades", "bars", "bars.1s", "gaps")
FETCH_BYTES: Final = 1024 * 1024
BUFFERED_RECORD_SETS: Final = 4


def build_sink(settings: Settings) -> BatchApp:
    """The sink's app: an agent a topic, one sink for all. It connects when it is started, not before."""
    app = BatchApp(
        f"{settings.namespace}.sql",
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
    sink = SqlSink(app, settings)

    async def store(record_sets: StreamT[Any]) -> None:
        """Record sets into tables."""
        async for record_set in record_sets:
            await sink.take(record_set)

    for topic in (*TOPICS, *(each.topic for each in load_aggregates(settings))):
        app.agent(app.batch_topic(settings.topic(topic)), name=f"store_{topic.replace('.', '_')}")(store)
    return app


def __getattr__(name: str) -> BatchApp:
    """`app`, made when somebody asks for it: Faust's command line does, an import does not."""
    if name != "app":
        raise AttributeError(name)
    globals()[name] = build_sink(Settings())
    return globals()[name]  # type: ignore[no-any-return]
