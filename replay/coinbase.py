"""Coinbase Exchange's market feed, and the part of its REST API that gives trades back, as a server.

Pages "WebSocket Overview", "WebSocket Channels", "Get product trades" and "Pagination" of its API documentation.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from replay.candles import MINUTE_NS, SimulatedCandle, newest_first
from replay.exchange import Subscriptions
from replay.history import History
from replay.quotes import SimulatedQuote
from replay.recording import fields_of
from replay.trade import SimulatedTrade, rfc3339

SUBSCRIBE_WITHIN_S: Final = 5.0
HEARTBEAT_S: Final = 1.0
MAX_TRADES: Final = 1_000
MAX_CANDLES: Final = 300
MICROSECOND_NS: Final = 1_000
SECOND_NS: Final = 1_000_000_000


class CoinbaseProtocol:
    """The channels `matches`, `heartbeat` and `ticker`. `side` is the maker's, on the feed and in the REST API."""

    path: ClassVar[str] = "/"
    other_paths: ClassVar[Sequence[str]] = ()
    resolution_ns: ClassVar[int] = MICROSECOND_NS
    ping_interval_s: float | None = None

    def __init__(self, instruments: Sequence[str]) -> None:
        self._instruments = list(instruments)

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Cut a client that does not subscribe in time, send heartbeats, and answer requests."""
        try:
            first = await asyncio.wait_for(connection.recv(), SUBSCRIBE_WITHIN_S)
        except TimeoutError:
            await connection.close(reason="no subscription in time")
            return
        heartbeat = asyncio.create_task(self._beat(connection, subscriptions))
        try:
            await connection.send(json.dumps(self._take(first, connection, subscriptions)))
            async for message in connection:
                await connection.send(json.dumps(self._take(message, connection, subscriptions)))
        finally:
            heartbeat.cancel()

    def stream_of(self, instrument: str) -> str:
        """The product, which is called as we call it."""
        return instrument

    def encode(self, trade: SimulatedTrade) -> str:
        """A match."""
        return json.dumps(
            {"type": "match", "sequence": trade.trade_id, "product_id": trade.instrument, **self._old(trade)}
        )

    def trade_id(self, trade: SimulatedTrade) -> str:
        """Its number within the product."""
        return str(trade.trade_id)

    def quote_stream_of(self, instrument: str) -> str:
        """The product's ticker."""
        return f"ticker {instrument}"

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """A ticker, with the time of the match that left the book so."""
        return json.dumps(
            {
                "type": "ticker",
                "sequence": quote.quote_seq,
                "product_id": quote.instrument,
                "best_bid": quote.bid_price,
                "best_bid_size": quote.bid_size,
                "best_ask": quote.ask_price,
                "best_ask_size": quote.ask_size,
                "time": rfc3339(quote.event_time_ns - 1),
            }
        )

    def recorded_stream(self, frame: str) -> str:
        """The product of a match or a ticker."""
        match fields_of(frame):
            case {"type": "match" | "last_match", "product_id": str(product)}:
                return product
            case {"type": "ticker", "product_id": str(product)}:
                return f"ticker {product}"
            case _:
                return ""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`/products`, and `/products/…/trades` and `/products/…/candles`, newest first."""
        match path.strip("/").split("/"):
            case ["products"]:
                return json.dumps([_listed(instrument) for instrument in self._instruments])
            case ["products", product, "trades"]:
                after = int(query["after"]) if "after" in query else None
                old = (one for one in reversed(history.of(product)) if after is None or one.trade_id < after)
                limit = min(int(query.get("limit", MAX_TRADES)), MAX_TRADES)
                return json.dumps([self._old(one) for one in islice(old, limit)])
            case ["products", product, "candles"]:
                return _candles(product, query, history)
            case _:
                return None

    def _old(self, trade: SimulatedTrade) -> dict[str, object]:
        return {
            "trade_id": trade.trade_id,
            "side": "sell" if trade.aggressor == "buy" else "buy",
            "size": trade.size,
            "price": trade.price,
            "time": rfc3339(trade.event_time_ns),
        }

    def _take(self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions) -> dict[str, Any]:
        try:
            request = json.loads(message)
            kind, products, channels = request["type"], request["product_ids"], request["channels"]
        except (ValueError, TypeError, KeyError):
            return {"type": "error", "message": "Malformed JSON", "reason": ""}
        unknown = [product for product in products if product not in self._instruments]
        if unknown or kind not in ("subscribe", "unsubscribe"):
            reason = f"{unknown[0]} is not a valid product" if unknown else f"{kind} is not a valid type"
            return {"type": "error", "message": "Failed to subscribe", "reason": reason}
        change = subscriptions.add if kind == "subscribe" else subscriptions.remove
        for product in products:
            change(connection, f"ticker {product}" if "ticker" in channels else product)
        return {"type": "subscriptions", "channels": [{"name": name, "product_ids": products} for name in channels]}

    async def _beat(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                for product in set(subscriptions.of(connection)) & set(self._instruments):
                    await connection.send(f'{{"type":"heartbeat","product_id":"{product}","sequence":1}}')


def _candles(product: str, query: Mapping[str, str], history: History) -> str:
    """Minutes as lists of numbers, the low before the high; one that is older than what was asked for as well."""
    first_ns, last_ns = (_seconds(query[name]) * SECOND_NS for name in ("start", "end"))
    candles = history.candles.of(product, first_ns - MINUTE_NS, last_ns)
    return f"[{','.join(_candle_row(candle) for candle in newest_first(candles, MAX_CANDLES))}]"


def _candle_row(candle: SimulatedCandle) -> str:
    opened, high, low, close, volume = candle.amounts()
    return f"[{candle.start_ns // SECOND_NS},{low},{high},{opened},{close},{volume}]"


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


def _listed(instrument: str) -> dict[str, str]:
    base, _, quote = instrument.partition("-")
    return {"id": instrument, "base_currency": base, "quote_currency": quote, "status": "online"}
