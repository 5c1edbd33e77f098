"""Coinbase Exchange's market feed, and the part of its REST API that gives trades back, as a server.

Pages "WebSocket Overview", "WebSocket Channels", "Get product trades" and "Pagination" of its API documentation.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from app.units import MICROSECOND_NS, MINUTE_NS, SECOND_NS
from replay.candles import SimulatedCandle, newest_first
from replay.exchange import Subscriptions
from replay.faults import Refusal
from replay.history import History
from replay.parameters import instrument_of, limit_of, optional_integer
from replay.quotes import SimulatedQuote
from replay.recording import fields_of
from replay.trade import SimulatedTrade, rfc3339

SUBSCRIBE_WITHIN_S: Final = 5.0
HEARTBEAT_S: Final = 1.0
MAX_TRADES: Final = 1_000
MAX_CANDLES: Final = 300
_NOT_FOUND: Final = Refusal(HTTPStatus.NOT_FOUND, '{"message":"NotFound"}')
_CHANNELS: Final = {"matches": "", "heartbeat": "heartbeat ", "ticker": "ticker "}
"""What comes before the product in the names of their streams."""


class CoinbaseProtocol:
    """The channels `matches`, `heartbeat` and `ticker`. `side` is the maker's, on the feed and in the REST API."""

    path: ClassVar[str] = "/"
    other_paths: ClassVar[Sequence[str]] = ()
    resolution_ns: ClassVar[int] = MICROSECOND_NS
    ping_interval_s: float | None = None
    bad_request: ClassVar[Refusal] = Refusal(HTTPStatus.BAD_REQUEST, '{"message":"Invalid request"}')

    def __init__(self, instruments: Sequence[str]) -> None:
        self._instruments = {instrument: instrument for instrument in instruments}

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Cut a client that does not subscribe in time, send heartbeats, and answer requests."""
        try:
            first = await asyncio.wait_for(connection.recv(), SUBSCRIBE_WITHIN_S)
        except TimeoutError:
            await connection.close(reason="no subscription in time")
            return
        heartbeat = asyncio.create_task(self._beat(connection, subscriptions))
        try:
            await self._take(first, connection, subscriptions)
            async for message in connection:
                await self._take(message, connection, subscriptions)
        finally:
            heartbeat.cancel()

    def stream_of(self, instrument: str) -> str:
        """The product, which is called as we call it."""
        return instrument

    def encode(self, trade: SimulatedTrade) -> str:
        """A match."""
        return self._match("match", trade)

    def trade_id(self, trade: SimulatedTrade) -> str:
        """Its number within the product."""
        return str(trade.trade_id)

    def quote_stream_of(self, instrument: str) -> str:
        """The product's ticker."""
        return _CHANNELS["ticker"] + instrument

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
                return self.quote_stream_of(product)
            case _:
                return ""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`/products`, and `/products/…/trades` and `/products/…/candles`, newest first."""
        match path.strip("/").split("/"):
            case ["products"]:
                return json.dumps([_listed(instrument) for instrument in self._instruments])
            case ["products", product, "trades"]:
                after, limit = optional_integer(query, "after"), limit_of(query, MAX_TRADES, MAX_TRADES)
                trades = reversed(history.of(self._instrument(product)))
                old = (one for one in trades if after is None or one.trade_id < after)
                return json.dumps([self._old(one) for one in islice(old, limit)])
            case ["products", product, "candles"]:
                return _candles(self._instrument(product), query, history)
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

    def _instrument(self, product: str) -> str:
        return instrument_of(self._instruments, product, _NOT_FOUND)

    def _match(self, kind: str, trade: SimulatedTrade) -> str:
        return json.dumps(
            {"type": kind, "sequence": trade.trade_id, "product_id": trade.instrument, **self._old(trade)}
        )

    async def _take(self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Change what a client is sent, and tell it all that it is sent now; then the last match of what is new."""
        before = subscriptions.of(connection)
        try:
            self._change(json.loads(message), connection, subscriptions)
        except (ValueError, TypeError, KeyError, AttributeError):
            await connection.send(_error("Malformed JSON", ""))
            return
        except _BadSubscription as refused:
            await connection.send(_error("Failed to subscribe", str(refused)))
            return
        held = set(subscriptions.of(connection))
        await connection.send(json.dumps({"type": "subscriptions", "channels": self._channels(held)}))
        for product in self._instruments:
            newest = subscriptions.history.newest(product)
            if newest is not None and product in held.difference(before):
                await connection.send(self._match("last_match", newest))

    def _change(self, request: dict[str, Any], connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Change all that a request names, or nothing; a channel that ends without a product ends for all."""
        kind, channels, products = request["type"], request["channels"], request.get("product_ids", [])
        if kind not in ("subscribe", "unsubscribe"):
            raise _BadSubscription(f"{kind} is not a valid type")
        change = subscriptions.add if kind == "subscribe" else subscriptions.remove
        every = [] if kind == "subscribe" else self._instruments
        named = [channel if isinstance(channel, dict) else {"name": channel} for channel in channels]
        streams = [
            self._stream(channel["name"], product)
            for channel in named
            for product in [*products, *channel.get("product_ids", [])] or every
        ]
        for stream in streams:
            change(connection, stream)

    def _stream(self, channel: str, product: str) -> str:
        if channel not in _CHANNELS:
            raise _BadSubscription(f"{channel} is not a valid channel")
        if product not in self._instruments:
            raise _BadSubscription(f"{product} is not a valid product")
        return _CHANNELS[channel] + product

    def _channels(self, held: Set[str]) -> list[dict[str, object]]:
        products = {
            name: [product for product in self._instruments if prefix + product in held]
            for name, prefix in _CHANNELS.items()
        }
        return [{"name": name, "product_ids": ids} for name, ids in products.items() if ids]

    async def _beat(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                held = set(subscriptions.of(connection))
                for product in self._instruments:
                    if _CHANNELS["heartbeat"] + product in held:
                        await connection.send(_heartbeat(product, subscriptions.history.newest(product)))


class _BadSubscription(Exception):
    """What is wrong in a subscription."""


def _error(message: str, reason: str) -> str:
    return json.dumps({"type": "error", "message": message, "reason": reason})


def _heartbeat(product: str, newest: SimulatedTrade | None) -> str:
    number = newest.trade_id if newest else 0
    now = rfc3339(time.time_ns())
    return json.dumps(
        {"type": "heartbeat", "sequence": number, "last_trade_id": number, "product_id": product, "time": now}
    )


def _candles(product: str, query: Mapping[str, str], history: History) -> str:
    """Minutes as lists of numbers, the low before the high; one that is older than what was asked for as well."""
    first_ns = _time_ns(query["start"]) - MINUTE_NS if "start" in query else 0
    last_ns = _time_ns(query["end"]) if "end" in query else None
    candles = history.candles.of(product, first_ns, last_ns)
    return f"[{','.join(_candle_row(candle) for candle in newest_first(candles, MAX_CANDLES))}]"


def _candle_row(candle: SimulatedCandle) -> str:
    opened, high, low, close, volume = candle.amounts()
    return f"[{candle.start_ns // SECOND_NS},{low},{high},{opened},{close},{volume}]"


def _time_ns(rfc3339_time: str) -> int:
    return int(datetime.fromisoformat(rfc3339_time).timestamp()) * SECOND_NS


def _listed(instrument: str) -> dict[str, str]:
    base, _, quote = instrument.partition("-")
    return {"id": instrument, "base_currency": base, "quote_currency": quote, "status": "online"}
