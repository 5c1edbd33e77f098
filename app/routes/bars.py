"""GET /api/v1/bars."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.routes.context import Shared, json_text

router = APIRouter(prefix="/api/v1", tags=["market"])

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
    notional: str
    vwap: str | None
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
    """The newest bars of a series that start in [start_ns, end_ns), oldest first, forming ones among them."""
    key = shared.catalogue.series(query.venue, query.instrument, query.interval)
    series = shared.view.series(key)
    found = [] if series is None else series.between(query.start_ns, query.end_ns, query.limit)
    return json_text(f'{{"bars":[{",".join(bar.text for bar in found)}]}}')
