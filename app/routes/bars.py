"""GET /api/v1/bars."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.routes.context import ERRORS, Shared, json_text
from app.stored_bars import BarRange, found_bars

router = APIRouter(prefix="/api/v1", tags=["market"], responses=ERRORS)

MAX_BARS = 5_000


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

    @property
    def range(self) -> BarRange:
        """The part of the series that is asked for."""
        return BarRange(self.start_ns, self.end_ns, self.limit)


@router.get("/bars", response_model=BarsAnswer)
async def bars(shared: Shared, query: Annotated[BarsQuery, Query()]) -> Response:
    """The newest bars of a series that start in [start_ns, end_ns), oldest first, forming ones among them.

    Bars older than the view's ring come from Postgres. While it is away or behind, an answer that would lack some is
    refused. A view that never had Postgres answers a request that names no times, or none before its oldest bar, with
    what the topics hold.
    """
    key = shared.catalogue.series(query.venue, query.instrument, query.interval)
    return json_text(f'{{"bars":[{",".join(bar.text for bar in await found_bars(shared, key, query.range))}]}}')
