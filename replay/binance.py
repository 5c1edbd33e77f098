"""Binance spot's market streams, as a server: "WebSocket Streams for Binance" of its API documentation."""

import asyncio
import json
import time
from collections import deque
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection

from replay.exchange import Subscriptions
from replay.trade import SimulatedTrade

MAX_STREAMS: Final = 1_024
MAX_MESSAGES_PER_S: Final = 5
POLICY_VIOLATION: Final = 1008
_INVALID_JSON: Final = {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}
_UNKNOWN_METHOD: Final = "Invalid request: unknown variant, expected one of SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS"


class BinanceProtocol:
    """Combined streams at `/stream`, raw ones at `/ws`; a ping each 20 s, five requests a second, 1,024 streams."""

    ping_interval_s: float | None = 20.0
    resolution_ns: Final = 1_000_000

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Subscribe to what the address names, then answer requests."""
        request = connection.request
        address = urlsplit(request.path if request is not None else "/")
        for stream in _streams_of(address.path, address.query):
            subscriptions.add(connection, stream)
        recent: deque[float] = deque(maxlen=MAX_MESSAGES_PER_S)
        async for message in connection:
            now_s = time.monotonic()
            if len(recent) == MAX_MESSAGES_PER_S and now_s - recent[0] < 1.0:
                await connection.close(POLICY_VIOLATION, "Too many requests")
                return
            recent.append(now_s)
            await connection.send(json.dumps(self._answer(message, connection, subscriptions)))
            await asyncio.sleep(0)

    def stream_of(self, instrument: str) -> str:
        """`btcusdt@trade` of BTC-USDT."""
        return f"{instrument.replace('-', '').lower()}@trade"

    def encode(self, trade: SimulatedTrade) -> str:
        """A combined-stream frame of a trade; `m` says that the buyer was the maker."""
        time_ms = trade.event_time_ns // self.resolution_ns
        symbol = trade.instrument.replace("-", "")
        maker = "true" if trade.aggressor == "sell" else "false"
        return (
            f'{{"stream":"{self.stream_of(trade.instrument)}","data":{{"e":"trade","E":{time_ms},"s":"{symbol}",'
            f'"t":{trade.trade_id},"p":"{trade.price}","q":"{trade.size}","T":{time_ms},"m":{maker},"M":true}}}}'
        )

    def _answer(
        self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions
    ) -> dict[str, Any]:
        try:
            request = json.loads(message)
            method, identifier, params = request["method"], request.get("id"), request.get("params", [])
        except (ValueError, TypeError, KeyError):
            return {"error": _INVALID_JSON, "id": None}
        held = subscriptions.of(connection)
        match method:
            case "SUBSCRIBE" if len({*held, *params}) > MAX_STREAMS:
                return _refusal(f"Invalid request: more than {MAX_STREAMS} streams", identifier)
            case "SUBSCRIBE":
                for stream in params:
                    subscriptions.add(connection, stream)
            case "UNSUBSCRIBE":
                for stream in params:
                    subscriptions.remove(connection, stream)
            case "LIST_SUBSCRIPTIONS":
                return {"result": held, "id": identifier}
            case _:
                return _refusal(_UNKNOWN_METHOD, identifier)
        return {"result": None, "id": identifier}


def _refusal(message: str, identifier: object) -> dict[str, Any]:
    return {"error": {"code": 2, "msg": message}, "id": identifier}


def _streams_of(path: str, query: str) -> list[str]:
    if path.startswith("/ws/"):
        return path.removeprefix("/ws/").split("/")
    return [stream for names in parse_qs(query).get("streams", []) for stream in names.split("/")]
