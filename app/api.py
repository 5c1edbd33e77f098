"""The application: one view of bars, the instant trades, and the doors to both."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app.aggregates import load_aggregates
from app.bar_feed.feed import Feed
from app.catalogue import Catalogue
from app.hand_over import HandOver
from app.history import History
from app.listing import Listing
from app.metrics import Metrics
from app.movers import Movers
from app.records import RecordReader
from app.refusals import Refusals
from app.routes import aggregates, bars, errors, head, health, instruments, movers, page, trades, websocket
from app.schema_lookup import RegistrySchemas
from app.services import Services
from app.settings import Settings
from app.status import Status
from app.table_feed import TableFeed
from app.table_views import TableViews
from app.ticks import Ticks
from app.topics import load_topics
from app.venues import all_intervals, read_venues
from app.views import BarView

log = logging.getLogger(__name__)


def build_api(settings: Settings) -> FastAPI:
    """The application for these settings; it connects when it is started, not before."""
    metrics = Metrics()
    view = BarView()
    status = Status()
    venues = read_venues(settings.venues_file)
    intervals = all_intervals(settings.intervals, venues.values())
    declared = load_aggregates(settings)
    catalogue = Catalogue(intervals, view, status, declared)
    ranking = Movers(view, status, settings.intervals)
    tables = TableViews(load_topics(settings))
    lookup = RegistrySchemas(settings)
    ticks = Ticks(
        settings,
        venues=venues,
        reader=RecordReader(settings.schemas_dir, lookup),
        catalogue=catalogue,
        metrics=metrics,
    )
    history = History(settings)
    listing = Listing(settings, catalogue, history, status)
    services = Services(
        settings=settings,
        venues=venues,
        view=view,
        catalogue=catalogue,
        movers=ranking,
        tables=tables,
        ticks=ticks,
        history=history,
        status=status,
        listing=listing,
        metrics=metrics,
        refusals=Refusals(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        feed = _feed(services, RecordReader(settings.schemas_dir, lookup, declared))
        table_feed = _table_feed(services)
        feed.start()
        table_feed.start()
        running = [asyncio.create_task(part) for part in (ticks.run(), ranking.run(), services.history.watch())]
        for task in running:
            task.add_done_callback(_tell_failure)
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await asyncio.to_thread(feed.stop)
            await asyncio.to_thread(table_feed.stop)
            services.history.close()

    application = FastAPI(title="livetape", lifespan=lifespan)
    application.state.services = services
    errors.install(application, metrics)
    head.install(application)
    for part in (instruments, bars, trades, movers, aggregates, health, websocket):
        application.include_router(part.router)
    page.install(application)
    return application


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Log what ends a part that should run as long as the application: the others go on without it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a part of the API ended", exc_info=error)


def _feed(services: Services, reader: RecordReader) -> Feed:
    return Feed(
        services.settings,
        reader=reader,
        history=services.history,
        depth=services.view.depth,
        apply=services.view.apply,
        begin_late=services.view.begin_late,
        hand_over=HandOver(asyncio.get_running_loop().call_soon_threadsafe),
        status=services.status,
        metrics=services.metrics,
    )


def _table_feed(services: Services) -> TableFeed:
    return TableFeed(
        services.settings,
        views=services.tables,
        hand_over=HandOver(asyncio.get_running_loop().call_soon_threadsafe),
        metrics=services.metrics,
    )
