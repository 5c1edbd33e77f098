"""One /ws connection: a reader of requests, a writer of the outbox, and a heartbeat."""

import asyncio
import time
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.bars import encode
from app.catalogue import Code, RequestRefused
from app.services import Services
from app.websocket.outbox import Outbox
from app.websocket.requests import Id, MessageRefused, Op, Request, parse
from app.websocket.subscriptions import Subscriptions

HEARTBEAT_S = 5.0
STALLED_S = 30.0
"""A client that takes nothing for so long is disconnected."""
SLOW_READER_CLOSE = 4008
GOODBYE_S = 1.0


class Connection:
    """Serves one client until it leaves, stops reading, or the server stops."""

    def __init__(self, websocket: WebSocket, services: Services) -> None:
        self._websocket = websocket
        self._services = services
        self._outbox = Outbox()
        self._subscriptions = Subscriptions(services, self._outbox)
        self._sending_since: float | None = None

    async def serve(self) -> None:
        """Run the connection to its end."""
        await self._websocket.accept()
        metrics = self._services.metrics
        metrics.clients.inc()
        self._outbox.put(encode(self._hello()))
        tasks = [asyncio.create_task(part) for part in (self._read(), self._write(), self._watch())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except WebSocketDisconnect:
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._count_skipped()
            self._subscriptions.end_all()
            metrics.clients.dec()

    def _hello(self) -> dict[str, object]:
        standing = self._services.status.now
        return {
            "type": "hello",
            "namespace": self._services.settings.namespace,
            "heartbeat_s": HEARTBEAT_S,
            "state": standing.state,
            "reason": standing.reason,
            "history": standing.history,
            "intervals": self._services.catalogue.intervals,
            "trades": "provisional",
            "slow_readers": {"bars": "conflate", "tables": "conflate", "trades": "skip", "last_resort": "disconnect"},
        }

    def _heartbeat(self) -> dict[str, object]:
        standing = self._services.status.now
        return {
            "type": "heartbeat",
            "time_ns": str(time.time_ns()),
            "list_version": self._services.listing.version,
            "state": standing.state,
            "reason": standing.reason,
        }

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._outbox.room.wait()
            self._take(message.get("text"))

    def _take(self, text: str | None) -> None:
        """Answer a message, if only with what is wrong with it."""
        try:
            request = parse(text)
            try:
                self._send(self._answer(request), request.id)
            except RequestRefused as refused:
                raise MessageRefused(refused, request.id) from refused
        except MessageRefused as refused:
            self._services.metrics.errors.labels("ws", refused.code).inc()
            self._send(encode({"type": "error", "code": refused.code, "reason": refused.reason}), refused.id)

    def _answer(self, request: Request) -> str:
        """The answer to a request, without its id."""
        match request.op:
            case Op.PING:
                return encode({"type": "pong", "time_ns": str(time.time_ns())})
            case Op.LIST:
                return f'{{"type":"list",{self._services.listing.text[1:]}'
            case Op.SUBSCRIBE:
                return self._subscriptions.begin(request)
            case Op.UNSUBSCRIBE:
                return self._subscriptions.end(request)

    def _send(self, answer: str, request_id: Id) -> None:
        """Send a JSON object as the answer to a request, with its id where it has one."""
        self._outbox.put(answer if request_id is None else f'{answer[:-1]},"id":{encode(request_id)}}}')

    async def _write(self) -> None:
        while True:
            await self._outbox.ready.wait()
            self._sending_since = time.monotonic()
            while (message := self._outbox.take()) is not None:
                await self._websocket.send({"type": "websocket.send", "text": message})
                self._sending_since = time.monotonic()
                self._services.metrics.sent.inc()
            self._sending_since = None

    async def _watch(self) -> None:
        """Send heartbeats; end the connection when the client has stopped reading."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._count_skipped()
            stalled = self._sending_since is not None and time.monotonic() - self._sending_since > STALLED_S
            if stalled or self._outbox.is_over_full:
                await self._disconnect(
                    f"nothing was read for {STALLED_S:.0f} s" if stalled else "too much waits unread"
                )
                return
            self._outbox.put(encode(self._heartbeat()))

    async def _disconnect(self, reason: str) -> None:
        """Tell the client as far as it still listens, and end the connection."""
        self._services.metrics.slow_disconnects.inc()
        told = encode({"type": "error", "code": Code.SLOW_READER, "reason": reason})
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._websocket.send({"type": "websocket.send", "text": told})
                await self._websocket.close(SLOW_READER_CLOSE, reason)

    def _count_skipped(self) -> None:
        skipped = self._services.metrics.skipped
        skipped.labels("bars").inc(self._outbox.conflated)
        skipped.labels("trades").inc(self._outbox.skipped)
        self._outbox.conflated = self._outbox.skipped = 0
