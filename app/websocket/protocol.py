"""uvicorn's WebSocket protocol for clients that do not read: `--ws app.websocket.protocol:Protocol`."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

UNSENT_S = 10.0
"""How long a client has to take what is unsent when its connection ends."""


class Protocol(WebSocketsSansIOProtocol):
    """Cuts a connection off that has ended. uvicorn waits until all is sent, which may be for ever."""

    async def run_asgi(self) -> None:
        """Serve the connection to its end."""
        await super().run_asgi()
        self.loop.call_later(UNSENT_S, self.transport.abort)
