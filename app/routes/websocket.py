"""/ws."""

from fastapi import APIRouter
from starlette.websockets import WebSocket

from app.catalogue import Code
from app.routes.context import Shared
from app.routes.errors import STATUS, error_response
from app.websocket.connection import Connection
from app.websocket.origin import may_open

router = APIRouter()


@router.websocket("/ws")
async def ws(websocket: WebSocket, shared: Shared) -> None:
    """Snapshots and updates of bars, and instant trades."""
    origin, host = websocket.headers.get("origin"), websocket.headers.get("host", "")
    if may_open(origin, host, shared.settings.api_origins):
        await Connection(websocket, shared).serve()
        return
    code = Code.WRONG_ORIGIN
    reason = f"a page of {origin} may not open /ws at {host}: name that origin in LIVETAPE_API_ORIGINS if it may"
    shared.metrics.errors.labels("ws", code).inc()
    shared.refusals.tell(origin, host, reason)
    await websocket.send_denial_response(error_response(code, reason, STATUS[code]))
