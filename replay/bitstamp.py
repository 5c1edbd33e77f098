"""Bitstamp's WebSocket API v2, and the part of its REST API that gives trades back, as a server.

"WebSocket API v2", "Transactions" and "Trading pairs info" of its API documentation.
"""

import json
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, Final

from websockets.asyncio.server import ServerConnection

from app.units import DAY_NS, HOUR_NS, MICROSECOND_NS, MINUTE_NS, SECOND_NS
from replay.candles import SimulatedCandle
from replay.exchange import Subscriptions
from replay.faults import Refusal
from replay.history import History
from replay.parameters import instrument_of, limit_of, optional_integer
from replay.quotes import SimulatedQuote
from replay.recording import fields_of
from replay.trade import SimulatedTrade

WINDOWS_NS: Final = {"minute": MINUTE_NS, "hour": HOUR_NS, "day": DAY_NS}
MAX_CANDLES: Final = 1_000
PREFIX: Final = "live_trades_"
BOOK: Final = "order_book_"
BETWEEN_IDS: Final = 3
"""Ids are those of all instruments: between two trades of one there are others'."""


def _refusal(status: HTTPStatus, reason: str) -> Refusal:
    return Refusal(status, json.dumps({"status": "error", "reason": reason}))


_UNKNOWN_PAIR: Final = _refusal(HTTPStatus.NOT_FOUND, "Currency pair not found")


class BitstampProtocol:
    """The channels `live_trades_…` and `order_book_…`."""

    path: ClassVar[str] = "/"
    other_paths: ClassVar[Sequence[str]] = ()
    resolution_ns: ClassVar[int] = MICROSECOND_NS
    ping_interval_s: float | None = None
    bad_request: ClassVar[Refusal] = _refusal(HTTPStatus.BAD_REQUEST, "Invalid parameters")

    def __init__(self, instruments: Sequence[str], *, answer_age_ns: int = 0) -> None:
        """`answer_age_ns` is how old an answer of the REST API is: real ones are kept for some seconds."""
        self._instruments = {_symbol(instrument): instrument for instrument in instruments}
        self._answer_age_ns = answer_age_ns

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Answer requests, a channel each."""
        async for message in connection:
            await connection.send(json.dumps(self._take(message, connection, subscriptions)))

    def stream_of(self, instrument: str) -> str:
        """`live_trades_btcusd` of BTC-USD."""
        return PREFIX + _symbol(instrument)

    def encode(self, trade: SimulatedTrade) -> str:
        """A trade; type 0 is a purchase."""
        data = {
            "id": int(self.trade_id(trade)),
            "timestamp": str(trade.event_time_ns // SECOND_NS),
            "amount_str": trade.size,
            "price_str": trade.price,
            "type": 0 if trade.aggressor == "buy" else 1,
            "microtimestamp": str(trade.event_time_ns // MICROSECOND_NS),
        }
        return json.dumps({"data": data, "channel": self.stream_of(trade.instrument), "event": "trade"})

    def trade_id(self, trade: SimulatedTrade) -> str:
        """Its number among the trades of all instruments."""
        return str(trade.trade_id * BETWEEN_IDS)

    def quote_stream_of(self, instrument: str) -> str:
        """`order_book_btcusd` of BTC-USD."""
        return BOOK + _symbol(instrument)

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """A book of one level a side; its time is that of the match that left it so."""
        data = {
            "microtimestamp": str(quote.left_at(MICROSECOND_NS)),
            "bids": [[quote.bid_price, quote.bid_size]],
            "asks": [[quote.ask_price, quote.ask_size]],
        }
        return json.dumps({"data": data, "channel": self.quote_stream_of(quote.instrument), "event": "data"})

    def recorded_stream(self, frame: str) -> str:
        """The channel of a trade or a book."""
        match fields_of(frame):
            case {"event": "trade" | "data", "channel": str(channel)}:
                return channel
            case _:
                return ""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`trading-pairs-info`, `transactions` of a stretch of time, newest first, times to the second, and `ohlc`."""
        match path.strip("/").split("/"):
            case ["api", "v2", "trading-pairs-info"]:
                return json.dumps([_listed(instrument) for instrument in self._instruments.values()])
            case ["api", "v2", "transactions", symbol]:
                until_ns = time.time_ns() - self._answer_age_ns
                since_ns = until_ns - WINDOWS_NS[query.get("time", "hour")]
                trades = reversed(history.of(self._instrument(symbol)))
                return json.dumps([self._old(one) for one in trades if since_ns <= one.event_time_ns <= until_ns])
            case ["api", "v2", "ohlc", symbol]:
                return _candles(self._instrument(symbol), query, history)
            case _:
                return None

    def _instrument(self, symbol: str) -> str:
        return instrument_of(self._instruments, symbol, _UNKNOWN_PAIR)

    def _old(self, trade: SimulatedTrade) -> dict[str, str]:
        return {
            "tid": self.trade_id(trade),
            "date": str(trade.event_time_ns // SECOND_NS),
            "amount": trade.size,
            "price": trade.price,
            "type": "0" if trade.aggressor == "buy" else "1",
        }

    def _take(self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions) -> dict[str, Any]:
        try:
            request = json.loads(message)
            event, channel = request["event"], str(dict(request.get("data", {})).get("channel", ""))
        except (ValueError, TypeError, KeyError):
            return _error("Incorrect JSON format.")
        if event == "bts:heartbeat":
            return {"event": "bts:heartbeat", "channel": "", "data": {"status": "success"}}
        is_known = channel.removeprefix(PREFIX).removeprefix(BOOK) in self._instruments
        if not is_known or event not in ("bts:subscribe", "bts:unsubscribe"):
            return _error("Bad subscription string.")
        change = subscriptions.add if event == "bts:subscribe" else subscriptions.remove
        change(connection, channel)
        done = "subscription" if event == "bts:subscribe" else "unsubscription"
        return {"event": f"bts:{done}_succeeded", "channel": channel, "data": {}}


def _error(message: str) -> dict[str, Any]:
    return {"event": "bts:error", "channel": "", "data": {"code": None, "message": message}}


def _candles(instrument: str, query: Mapping[str, str], history: History) -> str:
    """The first minutes from a time on, or the newest where none is given."""
    start_s, limit = optional_integer(query, "start"), limit_of(query, MAX_CANDLES, MAX_CANDLES)
    candles = history.candles.of(instrument, (start_s or 0) * SECOND_NS)
    rows = [_candle(candle) for candle in (candles[-limit:] if start_s is None else candles[:limit])]
    return json.dumps({"data": {"pair": instrument.replace("-", "/"), "ohlc": rows}})


def _candle(candle: SimulatedCandle) -> dict[str, str]:
    names = "open", "high", "low", "close", "volume"
    return {"timestamp": str(candle.start_ns // SECOND_NS), **dict(zip(names, candle.amounts(), strict=True))}


def _symbol(instrument: str) -> str:
    return instrument.replace("-", "").lower()


def _listed(instrument: str) -> dict[str, str]:
    return {"name": instrument.replace("-", "/"), "url_symbol": _symbol(instrument), "trading": "Enabled"}
