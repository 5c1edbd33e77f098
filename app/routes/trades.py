"""GET /api/v1/trades."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.amounts import PRICE_SCALE, from_decimal
from app.bars import Instrument, encode
from app.catalogue import Code, RequestRefused
from app.history import HistoryUnavailable
from app.routes.context import ERRORS, Shared, json_text
from app.services import Services
from app.ticks import trade_json
from app.venues import Part, counts_for

router = APIRouter(prefix="/api/v1", tags=["market"], responses=ERRORS)

MAX_TRADES = 5_000


class TradeAnswer(BaseModel):
    """One trade, and what of a bar it counts for.

    Price and size are decimal text; times are nanoseconds since 1970 UTC as text.
    """

    trade_id: str
    price: str
    size: str
    aggressor: str
    event_time_ns: str
    receive_time_ns: str
    counts_for: list[Part]


class TradesAnswer(BaseModel):
    """Trades, oldest first."""

    trades: list[TradeAnswer]


class TradesQuery(BaseModel):
    """Which trades."""

    model_config = ConfigDict(extra="forbid")

    venue: str
    instrument: str
    limit: int = Field(default=100, ge=1, le=MAX_TRADES, description="The newest so many.")


@router.get("/trades", response_model=TradesAnswer)
async def trades(shared: Shared, query: Annotated[TradesQuery, Query()]) -> Response:
    """The newest trades of an instrument that Postgres holds, oldest first."""
    key = shared.catalogue.instrument(query.venue, query.instrument)
    try:
        text = await run_in_threadpool(_stored, shared, key, query.limit)
    except HistoryUnavailable as error:
        raise RequestRefused(Code.NO_DATABASE, f"trades are kept in Postgres only, which is away: {error}") from error
    return json_text(text)


def _stored(shared: Services, key: Instrument, limit: int) -> str:
    """The answer as JSON, made in the thread that asks: of thousands of trades all clients would wait for it."""
    return encode({"trades": [_as_json(shared, key, row) for row in shared.history.trades(key, limit)]})


def _as_json(shared: Services, key: Instrument, row: Mapping[str, Any]) -> dict[str, object]:
    price, size = (from_decimal(row[name], PRICE_SCALE) for name in ("price", "size"))
    return trade_json(row, price, size, counts_for(shared.venues, key.venue, row["conditions"]))
