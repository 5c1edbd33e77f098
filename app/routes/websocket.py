"""/ws."""

from fastapi import APIRouter
from starlette.websockets import WebSocket

from app.routes.context import Shared
from app.websocket.connection import Connection

router = APIRouter()


@router.websocket("/ws")
async def ws(websocket: WebSocket, shared: Shared) -> None:
    """Snapshots and updates of bars, and instant trades."""
    await Connection(websocket, shared).serve()
