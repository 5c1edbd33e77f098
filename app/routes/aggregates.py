"""GET /api/v1/aggregates, and windows of one."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from app.bars import encode
from app.routes.bars import BarsQuery
from app.routes.context import ERRORS, Shared, json_text
from app.stored_bars import found_bars

router = APIRouter(prefix="/api/v1/aggregates", tags=["aggregates"], responses=ERRORS)


class FieldAnswer(BaseModel):
    """A field that an aggregate declares."""

    name: str
    type: str
    doc: str


class AggregateAnswer(BaseModel):
    """An aggregate of the user's; `channel` is its own on /ws."""

    name: str
    channel: str
    doc: str
    fields: list[FieldAnswer]


class AggregatesAnswer(BaseModel):
    """All that are declared."""

    aggregates: list[AggregateAnswer]


@router.get("", response_model=AggregatesAnswer)
async def aggregates(shared: Shared) -> Response:
    """Every aggregate that is declared, and its fields."""
    declared = [
        {
            "name": each.name,
            "channel": each.topic,
            "doc": each.doc,
            "fields": [
                {"name": field.name, "type": type(field.kind).__name__.lower(), "doc": field.kind.doc}
                for field in each.fields
            ],
        }
        for each in shared.catalogue.aggregates
    ]
    return json_text(encode({"aggregates": declared}))


@router.get("/{name}")
async def windows(shared: Shared, name: str, query: Annotated[BarsQuery, Query()]) -> Response:
    """The newest final windows of an aggregate that start in [start_ns, end_ns), oldest first.

    Each has the declared fields beside where and which window it is; amounts are decimal text.
    """
    key = shared.catalogue.series(query.venue, query.instrument, query.interval, f"aggregates.{name}")
    return json_text(f'{{"windows":[{",".join(bar.text for bar in await found_bars(shared, key, query.range))}]}}')
