"""The join's worker: `faust -A agents.quote_join worker`. trades, quotes → quotes (table) → trades.joined."""

from typing import Any

from faust.types import StreamT

from agents.join.table import JoinTable
from agents.transport import BatchApp
from agents.worker_app import app_when_asked, worker_app
from app.settings import Settings


def build_join(settings: Settings) -> BatchApp:
    """The worker's app: an agent for each log, one table for both. It connects when it is started, not before."""
    app = worker_app(settings, "join")
    joined = JoinTable(app, settings=settings)
    app.tables.add(joined)

    async def take(record_sets: StreamT[Any]) -> None:
        """Trades, quotes and clocks into joined trades."""
        async for record_set in record_sets:
            await joined.take(record_set)

    for topic in ("trades", "quotes"):
        app.agent(app.batch_topic(settings.topic(topic)), name=f"join_{topic}")(take)
    return app


__getattr__ = app_when_asked(build_join)
