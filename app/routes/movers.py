"""GET /api/v1/movers."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.bars import encode
from app.movers import PUBLISHED, Direction
from app.routes.context import ERRORS, Shared, json_text

router = APIRouter(prefix="/api/v1", tags=["market"], responses=ERRORS)

MAX_MOVERS = 5_000


class MoverAnswer(BaseModel):
    """An instrument; prices and the change, a fraction, are decimal text."""

    venue: str
    instrument: str
    start_ns: str
    open: str
    close: str
    change: str


class MoversAnswer(BaseModel):
    """The instruments that moved most, first."""

    interval: str
    movers: list[MoverAnswer]


class MoversQuery(BaseModel):
    """Over how long, and which."""

    model_config = ConfigDict(extra="forbid")

    interval: str
    direction: Direction = Direction.BOTH
    limit: int = Field(default=PUBLISHED, ge=1, le=MAX_MOVERS, description="The first so many.")


@router.get("/movers", response_model=MoversAnswer)
async def movers(shared: Shared, query: Annotated[MoversQuery, Query()]) -> Response:
    """Instruments ranked by the change of their price over the last interval, by event time."""
    shared.movers.check_interval(query.interval)
    shared.catalogue.check_loaded("movers")
    shared.movers.check_whole(query.interval)
    ranked = shared.movers.ranked(query.interval, query.direction, query.limit)
    return json_text(encode({"interval": query.interval, "movers": [mover.as_json() for mover in ranked]}))
