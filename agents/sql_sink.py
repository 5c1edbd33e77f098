"""The SQL sink's worker: `faust -A agents.sql_sink worker`. trades, bars, bars.1s, gaps, aggregates → Postgres."""

from typing import Any, Final

from faust.types import StreamT

from agents.sink import SqlSink
from agents.transport import BatchApp
from agents.worker_app import app_when_asked, worker_app
from app.aggregates import load_aggregates
from app.settings import Settings

TOPICS: Final = ("trades", "bars", "bars.1s", "gaps")


def build_sink(settings: Settings) -> BatchApp:
    """The sink's app: an agent a topic, one sink for all. It connects when it is started, not before."""
    app = worker_app(settings, "sql", fetch_wait_ms=settings.sink_flush_ms)
    sink = SqlSink(app, settings)

    async def store(record_sets: StreamT[Any]) -> None:
        """Record sets into tables."""
        async for record_set in record_sets:
            await sink.take(record_set)

    for topic in (*TOPICS, *(each.topic for each in load_aggregates(settings))):
        app.agent(app.batch_topic(settings.topic(topic)), name=f"store_{topic.replace('.', '_')}")(store)
    return app


__getattr__ = app_when_asked(build_sink)
