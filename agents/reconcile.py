"""The check of bars: `faust -A agents.reconcile worker`. bars, candles → metrics, and a log of what differs."""

from typing import Any, Final

from faust.types import StreamT

from agents.reconciliation.check import SOURCES, CandleCheck
from agents.transport import BatchApp
from agents.worker_app import app_when_asked, worker_app
from app.intervals import COMPARED
from app.settings import Settings

GATHER_MS: Final = 200
"""How long the broker gathers records for one fetch: nobody waits for a comparison."""


def build_reconcile(settings: Settings) -> BatchApp:
    """The worker's app: an agent a topic, one check for both. It connects when it is started, not before.

    Raises:
        ValueError: there are no bars to compare.
    """
    if COMPARED not in settings.intervals:
        raise ValueError(f"bars of {COMPARED} are compared with candles, and LIVETAPE_INTERVALS has none")
    app = worker_app(settings, "reconcile", fetch_wait_ms=GATHER_MS)
    check = CandleCheck(app, settings)

    async def compare(record_sets: StreamT[Any]) -> None:
        """Bars and candles into counts."""
        async for record_set in record_sets:
            await check.take(record_set)

    for topic in SOURCES:
        app.agent(app.batch_topic(settings.topic(topic)), name=f"reconcile_{topic}")(compare)
    return app


__getattr__ = app_when_asked(build_reconcile)
