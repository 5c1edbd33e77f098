"""GET /api/v1/bars."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bars import Bar, SeriesKey
from app.catalogue import Code, RequestRefused
from app.history import HistoryUnavailable, Positions
from app.routes.context import ERRORS, Shared, json_text
from app.services import Services
from app.status import Origin
from app.views import Series

router = APIRouter(prefix="/api/v1", tags=["market"], responses=ERRORS)

MAX_BARS = 5_000
FIRST_NS, LAST_NS = -(2**63), 2**63 - 1
"""What a time in nanoseconds can hold."""


class BarAnswer(BaseModel):
    """One bar. Prices, volumes and VWAP are decimal text; times are nanoseconds since 1970 UTC as text."""

    venue: str
    instrument: str
    interval: str
    start_ns: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    buy_volume: str | None
    sell_volume: str | None
    notional: str
    squared_returns: str | None
    vwap: str | None
    order_flow_imbalance: str | None
    realised_volatility: str | None
    trade_count: int
    missing: int | None
    state: str
    revision: int
    seq: int
    epoch: str
    first_trade_id: str
    last_trade_id: str


class BarsAnswer(BaseModel):
    """Bars, oldest first."""

    bars: list[BarAnswer]


class BarsQuery(BaseModel):
    """Which bars."""

    model_config = ConfigDict(extra="forbid")

    venue: str
    instrument: str
    interval: str
    start_ns: int | None = Field(default=None, description="Start of the oldest bar, included.")
    end_ns: int | None = Field(default=None, description="Start of the newest bar, excluded.")
    limit: int = Field(default=500, ge=1, le=MAX_BARS, description="The newest so many.")


@router.get("/bars", response_model=BarsAnswer)
async def bars(shared: Shared, query: Annotated[BarsQuery, Query()]) -> Response:
    """The newest bars of a series that start in [start_ns, end_ns), oldest first, forming ones among them.

    Bars older than the view's ring come from Postgres. While it is away or behind, an answer that would lack some is
    refused. A view that never had Postgres answers a request that names no times, or none before its oldest bar, with
    what the topics hold.
    """
    key = shared.catalogue.series(query.venue, query.instrument, query.interval)
    return json_text(f'{{"bars":[{",".join(bar.text for bar in await found_bars(shared, key, query))}]}}')


async def found_bars(shared: Services, key: SeriesKey, query: BarsQuery) -> list[Bar]:
    """The bars of a series that a query asks for, from the view's ring and from Postgres.

    Raises:
        RequestRefused: some may still be on their way into the ring, or Postgres, which has some of them, is away.
    """
    series = shared.view.series(key)
    if not _are_all_there(series, query):
        shared.catalogue.check_loaded("bars")
    found = [] if series is None else series.between(query.start_ns, query.end_ns, query.limit)
    if series is not None and not series.has_begun:
        return _newest(await _stored(shared, key, query, before=[]) + found, query.limit)
    if len(found) < query.limit and not _has_all(shared, series, query):
        found = await _stored(shared, key, query, before=found) + found
    return found


def _newest(bars: list[Bar], limit: int) -> list[Bar]:
    """The newest so many, each in its newest version: one that the ring has as forming may be final in Postgres."""
    versions = {bar.start_ns: bar for bar in sorted(bars, key=lambda bar: bar.order)}
    return [versions[start_ns] for start_ns in sorted(versions)][-limit:]


def _are_all_there(series: Series | None, query: BarsQuery) -> bool:
    """Whether only bars are asked for that are older than what has come of the series by now."""
    newest_ns = None if series is None else series.newest_committed_ns
    return newest_ns is not None and query.end_ns is not None and query.end_ns <= newest_ns


def _has_all(shared: Services, series: Series | None, query: BarsQuery) -> bool:
    """Whether no bar of the range is older than the ring."""
    if series is None or series.oldest_ns is None or not series.has_begun:
        return False
    if query.start_ns is not None and query.start_ns >= series.oldest_ns:
        return True
    is_whole = shared.status.now.history is Origin.POSTGRES and not _unread(shared, series.key)
    return is_whole and not series.is_full  # none was ever left out of it


def _is_of_memory(series: Series | None, query: BarsQuery) -> bool:
    """Whether a query is for no bars but those that a view holds which never had Postgres."""
    if query.start_ns is None and query.end_ns is None:
        return True
    if series is None or series.oldest_ns is None:
        return False
    if query.start_ns is not None and query.start_ns >= series.oldest_ns:
        return True
    return len(series.between(query.start_ns, query.end_ns, query.limit)) == query.limit


def _unread(shared: Services, key: SeriesKey) -> Positions:
    """Before which offset of the partition that has this series the view has not read what was not stored."""
    unread = shared.status.now.unread
    return {(partition.topic, partition.number): before for partition, before in unread.items() if partition.has(key)}


def _read_up_to(series: Series | None) -> Positions:
    """Up to where the view has read final bars of a series that it holds: none where all of them came from Postgres.

    Nor of one that has not begun: it had revisions alone, of bars that the view does not hold.
    """
    if series is None or series.read_up_to is None or not series.has_begun:
        return {}
    partition, next_offset = series.read_up_to
    return {(partition.topic, partition.number): next_offset}


async def _stored(shared: Services, key: SeriesKey, query: BarsQuery, *, before: list[Bar]) -> list[Bar]:
    """What Postgres has of the bars asked for, before those of them that the ring has without a hole.

    Raises:
        RequestRefused: it is away, or behind.
    """
    first_ns = _time(query.start_ns, FIRST_NS)
    end_ns = before[0].start_ns if before else _time(query.end_ns, LAST_NS)
    if first_ns >= end_ns:
        return []
    ask = partial(
        shared.history.bars,
        key,
        first_ns,
        end_ns,
        query.limit - len(before),
        read_up_to=_read_up_to(shared.view.series(key)),
        needed=_unread(shared, key),
    )
    is_of_memory = _is_of_memory(shared.view.series(key), query)  # now: more may come before Postgres answers
    try:
        return await run_in_threadpool(ask)
    except HistoryUnavailable as error:
        if shared.status.now.history is Origin.TOPIC and is_of_memory:
            return []
        remedy = f"Ask for {len(before)} at most, or again later" if before else "Ask again later"
        raise RequestRefused(
            Code.NO_DATABASE,
            f"bars older than the newest {shared.view.depth} of a series are kept in Postgres only: {error}. {remedy}",
        ) from error


def _time(time_ns: int | None, otherwise: int) -> int:
    return otherwise if time_ns is None else min(max(time_ns, FIRST_NS), LAST_NS)
