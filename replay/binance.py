"""Binance spot's market streams, and the part of its REST API that gives trades back, as a server.

"WebSocket Streams for Binance" and "Public Rest API for Binance" of its API documentation.
"""

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection

from app.units import MILLISECOND_NS
from replay.candles import SimulatedCandle
from replay.exchange import Subscriptions
from replay.faults import Refusal
from replay.history import History
from replay.parameters import instrument_of, limit_of, optional_integer
from replay.quotes import SimulatedQuote
from replay.recording import combined_stream
from replay.trade import SimulatedTrade

DEFAULT_TRADES: Final = 500
MAX_TRADES: Final = 1_000
DEFAULT_CANDLES: Final = 500
MAX_CANDLES: Final = 1_000
POLICY_VIOLATION: Final = 1008
_UNKNOWN_SYMBOL: Final = Refusal(HTTPStatus.BAD_REQUEST, '{"code":-1121,"msg":"Invalid symbol."}')
_BAD_REQUEST: Final = Refusal(
    HTTPStatus.BAD_REQUEST, '{"code":-1102,"msg":"A mandatory parameter was not sent, was empty/null, or malformed."}'
)
_COMBINED: Final = re.compile(r'\{"stream":\s*"[^"\\]+",\s*"data":\s*(.*)\}', re.DOTALL)
_INVALID_JSON: Final = {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}
_UNKNOWN_METHOD: Final = "Invalid request: unknown variant, expected one of SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS"


class BinanceProtocol:
    """Combined streams at `/stream`, raw ones at `/ws`; a ping each 20 s, five requests a second, 1,024 streams."""

    path: ClassVar[str] = "/stream"
    other_paths: ClassVar[Sequence[str]] = ("/ws", "/ws/*")
    resolution_ns: ClassVar[int] = MILLISECOND_NS
    ping_interval_s: float | None = 20.0
    bad_request: ClassVar[Refusal] = _BAD_REQUEST
    max_streams: ClassVar[int] = 1_024
    max_messages_per_s: ClassVar[int] = 5

    def __init__(self, instruments: Sequence[str]) -> None:
        self._instruments = {_symbol(instrument): instrument for instrument in instruments}

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Subscribe to what the address names, then answer requests."""
        request = connection.request
        address = urlsplit(request.path if request is not None else "/")
        _, raw, names = address.path.partition("/ws")
        if raw:
            subscriptions.translate(connection, _raw_event)
        for stream in _split(names) if raw else _streams_of(address.query):
            subscriptions.add(connection, stream)
        recent: deque[float] = deque(maxlen=self.max_messages_per_s)
        async for message in connection:
            now_s = time.monotonic()
            if len(recent) == self.max_messages_per_s and now_s - recent[0] < 1.0:
                await connection.close(POLICY_VIOLATION, "Too many requests")
                return
            recent.append(now_s)
            await connection.send(json.dumps(self._answer(message, connection, subscriptions)))
            await asyncio.sleep(0)

    def stream_of(self, instrument: str) -> str:
        """`btcusdt@trade` of BTC-USDT."""
        return f"{_symbol(instrument).lower()}@trade"

    def encode(self, trade: SimulatedTrade) -> str:
        """A combined-stream frame of a trade; `m` says that the buyer was the maker."""
        time_ms = trade.event_time_ns // self.resolution_ns
        symbol = _symbol(trade.instrument)
        maker = "true" if trade.aggressor == "sell" else "false"
        return (
            f'{{"stream":"{self.stream_of(trade.instrument)}","data":{{"e":"trade","E":{time_ms},"s":"{symbol}",'
            f'"t":{trade.trade_id},"p":"{trade.price}","q":"{trade.size}","T":{time_ms},"m":{maker},"M":true}}}}'
        )

    def trade_id(self, trade: SimulatedTrade) -> str:
        """Its number within the instrument."""
        return str(trade.trade_id)

    def quote_stream_of(self, instrument: str) -> str:
        """`btcusdt@bookTicker` of BTC-USDT."""
        return f"{_symbol(instrument).lower()}@bookTicker"

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """A combined-stream frame of a best bid and ask, which tells no time."""
        return json.dumps({"stream": self.quote_stream_of(quote.instrument), "data": book(quote)})

    def recorded_stream(self, frame: str) -> str:
        """What a combined stream says itself."""
        return combined_stream(frame)

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`exchangeInfo`, `historicalTrades` and `klines`."""
        if path == "/api/v3/exchangeInfo":
            return json.dumps({"timezone": "UTC", "symbols": [_listed(name) for name in self._instruments.values()]})
        if path == "/api/v3/klines":
            return self._klines(query, history)
        if path != "/api/v3/historicalTrades":
            return None
        trades = history_page(self._instrument(query), query, history)
        return json.dumps([self._old(trade) for trade in trades])

    def _klines(self, query: Mapping[str, str], history: History) -> str:
        """Minutes as lists, oldest first, with the number of trades among what follows the volume.

        They are the first from `startTime` on, or the newest where it is not given.
        """
        first_ms, last_ms = (optional_integer(query, name) for name in ("startTime", "endTime"))
        limit = limit_of(query, DEFAULT_CANDLES, MAX_CANDLES)
        last_ns = None if last_ms is None else last_ms * MILLISECOND_NS
        candles = history.candles.of(self._instrument(query), (first_ms or 0) * MILLISECOND_NS, last_ns)
        return json.dumps([_kline(candle) for candle in (candles[-limit:] if first_ms is None else candles[:limit])])

    def _instrument(self, query: Mapping[str, str]) -> str:
        return instrument_of(self._instruments, query["symbol"], _UNKNOWN_SYMBOL)

    def _old(self, trade: SimulatedTrade) -> dict[str, object]:
        return {
            "id": trade.trade_id,
            "price": trade.price,
            "qty": trade.size,
            "time": trade.event_time_ns // self.resolution_ns,
            "isBuyerMaker": trade.aggressor == "sell",
            "isBestMatch": True,
        }

    def _answer(
        self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions
    ) -> dict[str, Any]:
        try:
            request = json.loads(message)
            method, identifier, params = request["method"], request.get("id"), request.get("params", [])
        except (ValueError, TypeError, KeyError):
            return {"error": _INVALID_JSON, "id": None}
        if not (isinstance(params, list) and all(isinstance(stream, str) for stream in params)):
            return _refusal("Invalid request: params must be a list of strings", identifier)
        held = subscriptions.of(connection)
        match method:
            case "SUBSCRIBE" if len({*held, *params}) > self.max_streams:
                return _refusal(f"Invalid request: more than {self.max_streams} streams", identifier)
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


def _streams_of(query: str) -> list[str]:
    return [stream for names in parse_qs(query).get("streams", []) for stream in _split(names)]


def _split(names: str) -> list[str]:
    return [stream for stream in names.split("/") if stream]


def _raw_event(frame: str) -> str:
    """What a combined stream's frame is the envelope of; frames that are broken stay so."""
    combined = _COMBINED.fullmatch(frame)
    return combined[1] if combined else frame


def _symbol(instrument: str) -> str:
    return instrument.replace("-", "")


def _kline(candle: SimulatedCandle) -> list[object]:
    start_ms = candle.start_ns // MILLISECOND_NS
    return [start_ms, *candle.amounts(), start_ms + 59_999, "0", candle.trades, "0", "0", "0"]


def book(quote: SimulatedQuote) -> dict[str, object]:
    """What a frame of `bookTicker` says."""
    return {
        "u": quote.quote_seq,
        "s": _symbol(quote.instrument),
        "b": quote.bid_price,
        "B": quote.bid_size,
        "a": quote.ask_price,
        "A": quote.ask_size,
    }


def history_page(instrument: str, query: Mapping[str, str], history: History) -> list[SimulatedTrade]:
    """What a question for trades asks for: from `fromId` on, or the newest."""
    limit = limit_of(query, DEFAULT_TRADES, MAX_TRADES)
    return history.page(instrument, optional_integer(query, "fromId"), limit)


def _listed(instrument: str) -> dict[str, str]:
    base, _, quote = instrument.partition("-")
    return {"symbol": _symbol(instrument), "status": "TRADING", "baseAsset": base, "quoteAsset": quote}
