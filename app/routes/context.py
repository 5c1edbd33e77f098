"""How a route reaches the application's parts, and how it answers."""

from typing import Annotated, Any, Final, cast

from fastapi import Depends
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.catalogue import Code
from app.services import Services


def _services(connection: HTTPConnection) -> Services:
    return cast("Services", connection.app.state.services)


Shared = Annotated[Services, Depends(_services)]


class ErrorReason(BaseModel):
    """Why a request was refused, or could not be answered."""

    code: Code
    reason: str


class ErrorAnswer(BaseModel):
    """Every error's answer."""

    error: ErrorReason


ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ErrorAnswer, "description": "The request is wrong; the reason says in what."},
    "5XX": {"model": ErrorAnswer, "description": "It cannot be answered now; the reason says why."},
}
"""The errors of every route, for OpenAPI."""


def json_text(text: str, status: int = 200) -> Response:
    """An answer that is JSON text already."""
    return Response(text, status, media_type="application/json")
