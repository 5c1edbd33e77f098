"""HEAD of every path: what GET answers, without the body."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def install(application: FastAPI) -> None:
    """Answer HEAD wherever GET is answered; routes know GET alone."""
    application.add_middleware(_HeadAsGet)


class _HeadAsGet:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, send_head)
