"""Bybit's API v5 for spot, the WebSocket and the part of the REST API that gives trades back, as a server.

Pages "Connect", "Trade", "Get Recent Public Trades", "Get Kline" and "Get Instruments Info" of its API documentation.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar, Final

from websockets.asyncio.server import ServerConnection

from app.units import MILLISECOND_NS
from replay.candles import SimulatedCandle, newest_first
from replay.exchange import Subscriptions
from replay.faults import Refusal
from replay.history import History
from replay.parameters import instrument_of, limit_of, optional_integer
from replay.quotes import SimulatedQuote
from replay.recording import fields_of
from replay.trade import SimulatedTrade

MAX_TOPICS: Final = 10
MAX_TRADES: Final = 60
DEFAULT_CANDLES: Final = 200
MAX_CANDLES: Final = 1_000
PREFIX: Final = "publicTrade."
BOOK: Final = "orderbook.1."


def _refusal(message: str) -> Refusal:
    return Refusal(HTTPStatus.OK, json.dumps({"retCode": 10_001, "retMsg": message, "result": {}, "time": 1}))


_UNKNOWN_SYMBOL: Final = _refusal("params error: symbol invalid")


class BybitProtocol:
    """The topics `publicTrade.…` and `orderbook.1.…`.

    Trades have ids that say nothing of each other, and 60 of them are remembered.
    """

    path: ClassVar[str] = "/v5/public/spot"
    other_paths: ClassVar[Sequence[str]] = ()
    resolution_ns: ClassVar[int] = MILLISECOND_NS
    ping_interval_s: float | None = None
    bad_request: ClassVar[Refusal] = _refusal("params error")

    def __init__(self, instruments: Sequence[str]) -> None:
        self._instruments = {instrument.replace("-", ""): instrument for instrument in instruments}

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Answer requests."""
        async for message in connection:
            await connection.send(json.dumps(self._take(message, connection, subscriptions)))

    def stream_of(self, instrument: str) -> str:
        """`publicTrade.BTCUSDT` of BTC-USDT."""
        return PREFIX + instrument.replace("-", "")

    def encode(self, trade: SimulatedTrade) -> str:
        """A message with one trade."""
        time_ms = trade.event_time_ns // MILLISECOND_NS
        data = {
            "i": self.trade_id(trade),
            "T": time_ms,
            "p": trade.price,
            "v": trade.size,
            "S": trade.aggressor.capitalize(),
            "s": trade.instrument.replace("-", ""),
            "BT": False,
        }
        return json.dumps(
            {"topic": self.stream_of(trade.instrument), "type": "snapshot", "ts": time_ms, "data": [data]}
        )

    def trade_id(self, trade: SimulatedTrade) -> str:
        """A UUID."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{trade.instrument} {trade.trade_id}"))

    def quote_stream_of(self, instrument: str) -> str:
        """`orderbook.1.BTCUSDT` of BTC-USDT."""
        return BOOK + instrument.replace("-", "")

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """A book of one level a side; `cts` is that of the match that left it so."""
        time_ms = quote.left_at(MILLISECOND_NS)
        data = {
            "s": quote.instrument.replace("-", ""),
            "b": [[quote.bid_price, quote.bid_size]],
            "a": [[quote.ask_price, quote.ask_size]],
            "u": quote.quote_seq,
            "seq": quote.quote_seq,
        }
        topic = self.quote_stream_of(quote.instrument)
        return json.dumps({"topic": topic, "ts": time_ms, "type": "snapshot", "data": data, "cts": time_ms})

    def recorded_stream(self, frame: str) -> str:
        """The topic."""
        return str(fields_of(frame).get("topic", ""))

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`instruments-info`, `recent-trade` and `kline`, newest first; a kline opens at the close before it."""
        if path == "/v5/market/instruments-info":
            return _answer([_listed(instrument) for instrument in self._instruments.values()])
        if path == "/v5/market/kline":
            return self._klines(query, history)
        if path != "/v5/market/recent-trade":
            return None
        newest = reversed(history.of(self._instrument(query)))
        return _answer([self._old(one) for one in islice(newest, limit_of(query, MAX_TRADES, MAX_TRADES))])

    def _klines(self, query: Mapping[str, str], history: History) -> str:
        first_ms, last_ms = (optional_integer(query, name) for name in ("start", "end"))
        last_ns = None if last_ms is None else last_ms * MILLISECOND_NS
        candles = history.candles.from_last_close(self._instrument(query), (first_ms or 0) * MILLISECOND_NS, last_ns)
        limit = limit_of(query, DEFAULT_CANDLES, MAX_CANDLES)
        return _answer([_kline(candle) for candle in newest_first(candles, limit)])

    def _instrument(self, query: Mapping[str, str]) -> str:
        return instrument_of(self._instruments, query["symbol"], _UNKNOWN_SYMBOL)

    def _old(self, trade: SimulatedTrade) -> dict[str, object]:
        return {
            "execId": self.trade_id(trade),
            "symbol": trade.instrument.replace("-", ""),
            "price": trade.price,
            "size": trade.size,
            "side": trade.aggressor.capitalize(),
            "time": str(trade.event_time_ns // MILLISECOND_NS),
            "isBlockTrade": False,
        }

    def _take(self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions) -> dict[str, Any]:
        try:
            request = json.loads(message)
            operation, topics = request["op"], [str(topic) for topic in request.get("args", [])]
        except (ValueError, TypeError, KeyError):
            return _refused("", "Params Error")
        if operation == "ping":
            return {"success": True, "ret_msg": "pong", "conn_id": "1", "op": "ping"}
        if operation not in ("subscribe", "unsubscribe"):
            return _refused(operation, "Params Error")
        unknown = [topic for topic in topics if topic.removeprefix(PREFIX).removeprefix(BOOK) not in self._instruments]
        if unknown or len(topics) > MAX_TOPICS:
            reason = f"Invalid symbol :[{unknown[0]}]" if unknown else "args size >10"
            return _refused(operation, reason)
        change = subscriptions.add if operation == "subscribe" else subscriptions.remove
        for topic in topics:
            change(connection, topic)
        return {"success": True, "ret_msg": operation, "conn_id": "1", "op": operation}


def _refused(operation: str, reason: str) -> dict[str, Any]:
    return {"success": False, "ret_msg": reason, "conn_id": "1", "op": operation}


def _kline(candle: SimulatedCandle) -> list[str]:
    return [str(candle.start_ns // MILLISECOND_NS), *candle.amounts(), "0"]


def _answer(items: Sequence[dict[str, object] | list[str]]) -> str:
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": items}, "time": 1})


def _listed(instrument: str) -> dict[str, object]:
    base, _, quote = instrument.partition("-")
    return {"symbol": base + quote, "baseCoin": base, "quoteCoin": quote, "status": "Trading"}
