"""Kraken's spot WebSocket API v2, as a server: pages "Trade", "Ping", "Heartbeat" of its API documentation."""

import asyncio
import contextlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from replay.exchange import Subscriptions
from replay.trade import SimulatedTrade

HEARTBEAT_S: Final = 1.0
_STATUS: Final = (
    '{"channel":"status","type":"update","data":[{"api_version":"v2","connection_id":1,"system":"online",'
    '"version":"2.0.0"}]}'
)


class KrakenProtocol:
    """The channel `trade`. Numbers are written by their own digits, never through a float."""

    ping_interval_s: float | None = None
    resolution_ns: Final = 1_000

    def __init__(self, instruments: Iterable[str]) -> None:
        self._symbols = {_symbol(instrument) for instrument in instruments}

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Tell the status, send heartbeats once something is subscribed, and answer requests."""
        await connection.send(_STATUS)
        heartbeat = asyncio.create_task(_beat(connection, subscriptions))
        try:
            async for message in connection:
                for answer in self._answers(message, connection, subscriptions):
                    await connection.send(json.dumps(answer))
        finally:
            heartbeat.cancel()

    def stream_of(self, instrument: str) -> str:
        """The pair as Kraken writes it: `BTC/USDT`."""
        return _symbol(instrument)

    def encode(self, trade: SimulatedTrade) -> str:
        """An update with one trade."""
        return (
            f'{{"channel":"trade","type":"update","data":[{{"symbol":"{_symbol(trade.instrument)}",'
            f'"side":"{trade.aggressor}","price":{trade.price},"qty":{trade.size},"ord_type":"limit",'
            f'"trade_id":{trade.trade_id},"timestamp":"{rfc3339(trade.event_time_ns)}"}}]}}'
        )

    def _answers(
        self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions
    ) -> list[dict[str, Any]]:
        try:
            request = json.loads(message)
            method, params = request["method"], request.get("params", {})
        except (ValueError, TypeError, KeyError):
            return [{"error": "Malformed request", "success": False}]
        if method == "ping":
            return [{"method": "pong", "req_id": request.get("req_id")}]
        if method not in ("subscribe", "unsubscribe") or params.get("channel") != "trade":
            return [{"error": "Unsupported method or channel", "method": method, "success": False}]
        return [self._answer(method, symbol, connection, subscriptions) for symbol in params.get("symbol", [])]

    def _answer(
        self, method: str, symbol: str, connection: ServerConnection, subscriptions: Subscriptions
    ) -> dict[str, Any]:
        if symbol not in self._symbols:
            error = f"Currency pair not supported {symbol}"
            return {"error": error, "method": method, "success": False, "symbol": symbol}
        change = subscriptions.add if method == "subscribe" else subscriptions.remove
        change(connection, symbol)
        result = {"channel": "trade", "snapshot": False, "symbol": symbol}
        return {"method": method, "result": result, "success": True}


def rfc3339(time_ns: int) -> str:
    """A time in UTC with nine decimals, without passing through a float."""
    seconds, below_ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{below_ns:09d}Z"


def _symbol(instrument: str) -> str:
    return instrument.replace("-", "/")


async def _beat(connection: ServerConnection, subscriptions: Subscriptions) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if subscriptions.of(connection):
                await connection.send('{"channel":"heartbeat"}')
