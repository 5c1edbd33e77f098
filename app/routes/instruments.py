"""GET /api/v1/instruments."""

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from app.routes.context import ERRORS, Shared, json_text
from app.status import State

router = APIRouter(prefix="/api/v1", tags=["market"], responses=ERRORS)


class InstrumentName(BaseModel):
    """What is traded where, by canonical names."""

    venue: str
    instrument: str


class Listing(BaseModel):
    """What can be asked for."""

    version: int
    state: State
    older_bars: bool
    namespace: str
    intervals: list[str]
    instruments: list[InstrumentName]


@router.get("/instruments", response_model=Listing)
async def instruments(shared: Shared) -> Response:
    """Every instrument seen so far, and the intervals its bars come in."""
    return json_text(shared.listing.text)
