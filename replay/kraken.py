"""Kraken's spot WebSocket API v2, and the part of its REST API that gives trades back, as a server.

Pages "Trade", "Ping", "Heartbeat", "Get Tradable Asset Pairs" and "Get Recent Trades" of its API documentation.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from app.units import SECOND_NS
from replay.candles import SimulatedCandle
from replay.exchange import Subscriptions
from replay.faults import Refusal
from replay.history import History
from replay.parameters import instrument_of, limit_of, optional_integer
from replay.quotes import SimulatedQuote
from replay.recording import fields_of
from replay.trade import SimulatedTrade, rfc3339

HEARTBEAT_S: Final = 1.0
MAX_TRADES: Final = 1_000
MAX_CANDLES: Final = 720
REST_ASSETS: Final = {"BTC": "XBT", "DOGE": "XDG"}
_UNKNOWN_PAIR: Final = Refusal(HTTPStatus.OK, '{"error":["EQuery:Unknown asset pair"]}')
_STATUS: Final = (
    '{"channel":"status","type":"update","data":[{"api_version":"v2","connection_id":1,"system":"online",'
    '"version":"2.0.0"}]}'
)


class KrakenProtocol:
    """The channels `trade` and `ticker`. Numbers are written by their own digits, never through a float."""

    path: ClassVar[str] = "/v2"
    other_paths: ClassVar[Sequence[str]] = ()
    resolution_ns: ClassVar[int] = 1_000
    ping_interval_s: float | None = None
    bad_request: ClassVar[Refusal] = Refusal(HTTPStatus.OK, '{"error":["EGeneral:Invalid arguments"]}')

    def __init__(self, instruments: Sequence[str]) -> None:
        self._symbols = {_symbol(instrument) for instrument in instruments}
        self._pairs = {_rest_pair(instrument): instrument for instrument in instruments}
        self.suspended: set[str] = set()
        """Symbols that are listed, but cannot be subscribed to."""

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

    def trade_id(self, trade: SimulatedTrade) -> str:
        """Its number within the instrument."""
        return str(trade.trade_id)

    def quote_stream_of(self, instrument: str) -> str:
        """The pair's ticker."""
        return f"ticker {_symbol(instrument)}"

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """An update of the ticker, its numbers by their own digits."""
        return (
            f'{{"channel":"ticker","type":"update","data":[{{"symbol":"{_symbol(quote.instrument)}",'
            f'"bid":{quote.bid_price},"bid_qty":{quote.bid_size},"ask":{quote.ask_price},"ask_qty":{quote.ask_size},'
            f'"timestamp":"{rfc3339(quote.event_time_ns)}"}}]}}'
        )

    def recorded_stream(self, frame: str) -> str:
        """The pair of an update, of the first that it has."""
        match fields_of(frame):
            case {"channel": "trade", "data": [{"symbol": str(symbol)}, *_]}:
                return symbol
            case {"channel": "ticker", "data": [{"symbol": str(symbol)}, *_]}:
                return f"ticker {symbol}"
            case _:
                return ""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`AssetPairs`, `Trades`, whose times are decimal seconds, and `OHLC`."""
        if path == "/0/public/AssetPairs":
            pairs = {f"X{pair}": _listed(instrument) for pair, instrument in self._pairs.items()}
            return json.dumps({"error": [], "result": pairs})
        if path == "/0/public/OHLC":
            return self._candles(query, history)
        if path != "/0/public/Trades":
            return None
        since_ns, limit = optional_integer(query, "since"), limit_of(query, MAX_TRADES, MAX_TRADES, "count")
        trades = history.of(self._instrument(query))
        if since_ns is None:
            found = list(trades)[-limit:]
        else:
            found = list(islice((trade for trade in trades if trade.event_time_ns > since_ns), limit))
        last_ns = found[-1].event_time_ns if found else since_ns or 0
        rows = ",".join(map(_row, found))
        return f'{{"error":[],"result":{{"X{query["pair"]}":[{rows}],"last":"{last_ns}"}}}}'

    def _candles(self, query: Mapping[str, str], history: History) -> str:
        """Minutes behind a time, or all, those without trades and the one under way among them."""
        since_ns = (optional_integer(query, "since") or 0) * SECOND_NS
        candles = history.candles.filled(self._instrument(query), since_ns + 1)[-MAX_CANDLES:]
        rows = [_candle_row(candle) for candle in candles]
        last_s = candles[-2].start_ns // SECOND_NS if len(candles) > 1 else 0
        return json.dumps({"error": [], "result": {f"X{query['pair']}": rows, "last": last_s}})

    def _instrument(self, query: Mapping[str, str]) -> str:
        return instrument_of(self._pairs, query["pair"], _UNKNOWN_PAIR)

    def _answers(
        self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions
    ) -> list[dict[str, Any]]:
        try:
            request = json.loads(message)
            method, params = request["method"], dict(request.get("params", {}))
            channel, symbols = params.get("channel"), [str(symbol) for symbol in params.get("symbol", [])]
        except (ValueError, TypeError, KeyError):
            return [{"error": "Malformed request", "success": False}]
        if method == "ping":
            return [{"method": "pong", "req_id": request.get("req_id")}]
        if method not in ("subscribe", "unsubscribe") or channel not in ("trade", "ticker"):
            return [{"error": "Unsupported method or channel", "method": method, "success": False}]
        return [self._answer(method, channel, symbol, connection, subscriptions) for symbol in symbols]

    def _answer(
        self, method: str, channel: str, symbol: str, connection: ServerConnection, subscriptions: Subscriptions
    ) -> dict[str, Any]:
        if symbol not in self._symbols or symbol in self.suspended:
            error = f"Currency pair not supported {symbol}"
            return {"error": error, "method": method, "success": False, "symbol": symbol}
        change = subscriptions.add if method == "subscribe" else subscriptions.remove
        change(connection, symbol if channel == "trade" else f"ticker {symbol}")
        result = {"channel": channel, "snapshot": False, "symbol": symbol}
        return {"method": method, "result": result, "success": True}


def _symbol(instrument: str) -> str:
    return instrument.replace("-", "/")


def _rest_pair(instrument: str) -> str:
    return "".join(REST_ASSETS.get(asset, asset) for asset in instrument.split("-"))


def _listed(instrument: str) -> dict[str, str]:
    names = "/".join(REST_ASSETS.get(asset, asset) for asset in instrument.split("-"))
    return {"altname": _rest_pair(instrument), "wsname": names, "status": "online"}


def _candle_row(candle: SimulatedCandle) -> list[object]:
    *prices, volume = candle.amounts()
    return [candle.start_ns // SECOND_NS, *prices, "0.0", volume, candle.trades]


def _row(trade: SimulatedTrade) -> str:
    seconds, below_ns = divmod(trade.event_time_ns, SECOND_NS)
    side = trade.aggressor[0]
    return f'["{trade.price}","{trade.size}",{seconds}.{below_ns:09d},"{side}","l","",{trade.trade_id}]'


async def _beat(connection: ServerConnection, subscriptions: Subscriptions) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if subscriptions.of(connection):
                await connection.send('{"channel":"heartbeat"}')
