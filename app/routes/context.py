"""How a route reaches the application's parts, and how it answers."""

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.services import Services


def _services(connection: HTTPConnection) -> Services:
    return cast("Services", connection.app.state.services)


Shared = Annotated[Services, Depends(_services)]


def json_text(text: str, status: int = 200) -> Response:
    """An answer that is JSON text already."""
    return Response(text, status, media_type="application/json")
