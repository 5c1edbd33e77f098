"""One /ws connection: a reader of requests, a writer of the outbox, and a heartbeat."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from app.bars import Instrument, SeriesKey, encode
from app.catalogue import Code, RequestRefused
from app.movers import movers_key
from app.services import Services
from app.websocket.outbox import Outbox
from app.websocket.requests import Channel, Id, MessageRefused, Op, Request, parse

HEARTBEAT_S = 5.0
STALLED_S = 30.0
"""A client that takes nothing for so long is disconnected."""
MAX_SUBSCRIPTIONS = 500
SLOW_READER_CLOSE = 4008
GOODBYE_S = 1.0


class Connection:
    """Serves one client until it leaves, stops reading, or the server stops."""

    def __init__(self, websocket: WebSocket, services: Services) -> None:
        self._websocket = websocket
        self._services = services
        self._outbox = Outbox()
        self._bars: set[SeriesKey] = set()
        self._trades: set[Instrument] = set()
        self._movers: set[str] = set()
        self._tables: set[str] = set()
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
            self._leave()
            metrics.clients.dec()

    def bar_changed(self, key: SeriesKey, start_ns: int, message: str) -> None:
        """Take a bar's update from the view, or a ranking of movers."""
        self._outbox.put_bar(key, start_ns, message)

    def trade_happened(self, key: Instrument, message: str) -> None:
        """Take a trade from the ticks."""
        self._outbox.put_trade(key, message)

    def row_changed(self, table: str, key: str, message: str) -> None:
        """Take a row's update from a user's table."""
        self._outbox.put_bar(_table_key(table), key, message)

    def _hello(self) -> dict[str, object]:
        standing = self._services.status.now
        return {
            "type": "hello",
            "namespace": self._services.settings.namespace,
            "heartbeat_s": HEARTBEAT_S,
            "state": standing.state,
            "history": standing.history,
            "intervals": self._services.catalogue.intervals,
            "trades": "provisional",
            "slow_readers": {"bars": "conflate", "tables": "conflate", "trades": "skip", "last_resort": "disconnect"},
        }

    async def _read(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._outbox.room.wait()
            self._answer(message.get("text"))

    def _answer(self, text: str | None) -> None:
        try:
            request = parse(text)
            try:
                self._do(request)
            except RequestRefused as refused:
                raise MessageRefused(refused, request.id) from refused
        except MessageRefused as refused:
            self._services.metrics.errors.labels("ws", refused.code).inc()
            self._reply("error", refused.id, {"code": refused.code, "reason": refused.reason})

    def _do(self, request: Request) -> None:
        match request.op, request.channel:
            case Op.PING, _:
                self._reply("pong", request.id, {"time_ns": str(time.time_ns())})
            case Op.LIST, _:
                self._send(f'{{"type":"list",{self._services.listing.text[1:]}', request.id)
            case Op.SUBSCRIBE, Channel.TRADES:
                self._subscribe_trades(request)
            case Op.SUBSCRIBE, Channel.MOVERS:
                self._subscribe_movers(request)
            case Op.SUBSCRIBE, Channel.TABLE:
                self._subscribe_table(request)
            case Op.SUBSCRIBE, _:
                self._subscribe_bars(request)
            case Op.UNSUBSCRIBE, _:
                self._unsubscribe(request)

    def _subscribe_bars(self, request: Request) -> None:
        key = self._services.catalogue.series(request.venue, request.instrument, request.interval, request.channel)
        self._services.catalogue.check_loaded("bars")
        if key not in self._bars:
            self._check_room()
        snapshot = self._services.view.subscribe(key, self)
        if snapshot is None:
            reason = "more series have come than are kept live, and this is one too many; REST has what is stored"
            raise RequestRefused(Code.TOO_MANY_SERIES, reason)
        self._bars.add(key)
        self._outbox.forget(key)
        self._send(snapshot, request.id)

    def _subscribe_trades(self, request: Request) -> None:
        key = self._services.catalogue.instrument(request.venue, request.instrument)
        if key not in self._trades:
            self._check_room()
        self._trades.add(key)
        self._services.ticks.subscribe(key, self)
        self._reply("subscribed", request.id, {"channel": "trades", **key._asdict()})

    def _subscribe_movers(self, request: Request) -> None:
        self._services.movers.check_interval(request.interval)
        self._services.catalogue.check_loaded("movers")
        self._services.movers.check_whole(request.interval)
        if request.interval not in self._movers:
            self._check_room()
        message = self._services.movers.subscribe(request.interval, self)
        self._movers.add(request.interval)
        self._outbox.forget(movers_key(request.interval))
        self._send(message, request.id)

    def _subscribe_table(self, request: Request) -> None:
        if request.table not in self._tables:
            self._check_room()
        message = self._services.tables.subscribe(request.table, self)
        self._tables.add(request.table)
        self._outbox.forget(_table_key(request.table))
        self._send(message, request.id)

    def _check_room(self) -> None:
        if len(self._bars) + len(self._trades) + len(self._movers) + len(self._tables) >= MAX_SUBSCRIPTIONS:
            raise RequestRefused(Code.TOO_MANY, f"a connection may hold {MAX_SUBSCRIPTIONS} subscriptions")

    def _unsubscribe(self, request: Request) -> None:
        series = SeriesKey(request.venue, request.instrument, request.interval, request.channel)
        instrument = Instrument(request.venue, request.instrument)
        names: Mapping[str, str]
        if series in self._bars:
            self._bars.discard(series)
            self._services.view.unsubscribe(series, self)
            self._outbox.forget(series)
            names = series._asdict()
        elif request.channel == Channel.TRADES and instrument in self._trades:
            self._trades.discard(instrument)
            self._services.ticks.unsubscribe(instrument, self)
            names = instrument._asdict()
        elif request.channel == Channel.MOVERS and request.interval in self._movers:
            self._movers.discard(request.interval)
            self._services.movers.unsubscribe(request.interval, self)
            self._outbox.forget(movers_key(request.interval))
            names = {"interval": request.interval}
        elif request.channel == Channel.TABLE and request.table in self._tables:
            self._tables.discard(request.table)
            self._services.tables.unsubscribe(request.table, self)
            self._outbox.forget(_table_key(request.table))
            names = {"table": request.table}
        else:
            raise RequestRefused(Code.NOT_SUBSCRIBED, "there is no such subscription on this connection")
        self._reply("unsubscribed", request.id, {"channel": request.channel, **names})

    def _reply(self, kind: str, request_id: Id, fields: Mapping[str, object]) -> None:
        self._send(encode({"type": kind, **fields}), request_id)

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
            told = {"time_ns": str(time.time_ns()), "list_version": self._services.listing.version}
            self._outbox.put(encode({"type": "heartbeat", **told}))

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

    def _leave(self) -> None:
        self._count_skipped()
        for key in self._bars:
            self._services.view.unsubscribe(key, self)
        for interval in self._movers:
            self._services.movers.unsubscribe(interval, self)
        for table in self._tables:
            self._services.tables.unsubscribe(table, self)
        for instrument in self._trades:
            self._services.ticks.unsubscribe(instrument, self)


def _table_key(table: str) -> SeriesKey:
    """Under what a table's rows wait in the outbox; no series has such names."""
    return SeriesKey("", table, "")
