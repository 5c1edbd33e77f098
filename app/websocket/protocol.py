"""uvicorn's WebSocket protocol for clients that do not read, or slowly: `--ws app.websocket.protocol:Protocol`."""

from asyncio import BaseTransport

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.websocket.compression import LargeMessageDeflate

UNSENT_S = 10.0
"""How long a client has to take what is unsent when its connection ends."""


class Protocol(WebSocketsSansIOProtocol):
    """Cuts a connection off that has ended. uvicorn waits until all is sent, which may be for ever.

    Nor does it end a connection for a pong that lies unread behind requests which wait for room. And it compresses no
    small message.
    """

    _has_heard = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin with a connection whose client has said nothing yet."""
        super().connection_made(transport)
        if self.config.ws_per_message_deflate:
            self.conn.available_extensions = [LargeMessageDeflate()]

    async def run_asgi(self) -> None:
        """Serve the connection to its end."""
        await super().run_asgi()
        self.loop.call_later(UNSENT_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends, which tells as well as a pong that it is there."""
        self._has_heard = True
        super().data_received(data)

    def keepalive_timeout(self) -> None:
        """Wait on for the pong while the client is not read; one that takes nothing is ended by its connection."""
        if self.ping_timeout is not None and (self.read_paused or self._has_heard):
            self._has_heard = False
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
        else:
            super().keepalive_timeout()
