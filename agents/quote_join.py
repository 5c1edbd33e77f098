"""The join's worker: `faust -A agents.quote_join worker`. trades, quotes → quotes (table) → trades.joined."""

from typing import Any, Final

from faust.types import StreamT

from agents.join_table import JoinTable
from agents.transport import BatchApp, app_connection
from app.settings import Settings

FETCH_BYTES: Final = 1024 * 1024
"""Of one partition; what was fetched of a log that is ahead is kept in memory beside what is taken."""
BUFFERED_RECORD_SETS: Final = 4


def build_join(settings: Settings) -> BatchApp:
    """The worker's app: an agent for each log, one table for both. It connects when it is started, not before."""
    app = BatchApp(
        f"{settings.namespace}.join",
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
    )
    joined = JoinTable(app, settings=settings)
    app.tables.add(joined)

    async def take(record_sets: StreamT[Any]) -> None:
        """Trades, quotes and clocks into joined trades."""
        async for record_set in record_sets:
            await joined.take(record_set)

    for topic in ("trades", "quotes"):
        app.agent(app.batch_topic(settings.topic(topic)), name=f"join_{topic}")(take)
    return app


def __getattr__(name: str) -> BatchApp:
    """`app`, made when somebody asks for it: Faust's command line does, an import does not."""
    if name != "app":
        raise AttributeError(name)
    globals()[name] = build_join(Settings())
    return globals()[name]  # type: ignore[no-any-return]
