"""OKX' WebSocket API v5, and the part of its REST API that gives trades back, as a server.

"WebSocket", "All trades channel", "Get trades history" and "Get instruments" of its API documentation.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Final

from websockets.asyncio.server import ServerConnection

from replay.candles import SimulatedCandle, newest_first
from replay.exchange import Subscriptions
from replay.history import History
from replay.quotes import SimulatedQuote
from replay.recording import fields_of
from replay.trade import SimulatedTrade

SILENCE_S: Final = 30.0
MAX_TRADES: Final = 100
CHANNEL: Final = "trades-all"
BOOK: Final = "bbo-tbt"
MILLISECOND_NS: Final = 1_000_000


class OkxProtocol:
    """The channels `trades-all`, a trade a frame, and `bbo-tbt`."""

    path: ClassVar[str] = "/ws/v5/business"
    other_paths: ClassVar[Sequence[str]] = ("/ws/v5/public",)
    resolution_ns: ClassVar[int] = MILLISECOND_NS
    ping_interval_s: float | None = None

    def __init__(self, instruments: Sequence[str]) -> None:
        self._instruments = set(instruments)

    async def converse(self, connection: ServerConnection, subscriptions: Subscriptions) -> None:
        """Answer requests; a connection on which neither side says anything for half a minute is cut."""
        while (message := await _heard(connection, subscriptions)) is not None:
            if message == "ping":
                await connection.send("pong")
                continue
            for answer in self._answers(message, connection, subscriptions):
                await connection.send(json.dumps(answer))

    def stream_of(self, instrument: str) -> str:
        """The instrument, which is called as we call it."""
        return instrument

    def encode(self, trade: SimulatedTrade) -> str:
        """A frame with one trade."""
        return json.dumps({"arg": {"channel": CHANNEL, "instId": trade.instrument}, "data": [self._old(trade)]})

    def trade_id(self, trade: SimulatedTrade) -> str:
        """Its number within the instrument."""
        return str(trade.trade_id)

    def quote_stream_of(self, instrument: str) -> str:
        """The instrument's book of one level."""
        return f"{BOOK} {instrument}"

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """A book of one level a side."""
        data = {
            "asks": [[quote.ask_price, quote.ask_size, "0", "1"]],
            "bids": [[quote.bid_price, quote.bid_size, "0", "1"]],
            "ts": str(quote.event_time_ns // MILLISECOND_NS),
            "seqId": quote.quote_seq,
        }
        return json.dumps({"arg": {"channel": BOOK, "instId": quote.instrument}, "data": [data]})

    def recorded_stream(self, frame: str) -> str:
        """The instrument of trades, of either channel that has them, or of a book."""
        match fields_of(frame):
            case {"data": _, "arg": {"channel": "trades" | "trades-all", "instId": str(name)}}:
                return name
            case {"data": _, "arg": {"channel": "bbo-tbt", "instId": str(name)}}:
                return f"{BOOK} {name}"
            case _:
                return ""

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`instruments`, `history-trades` before an id, and `candles` between two times, newest first."""
        if path == "/api/v5/public/instruments":
            return _answer([_listed(instrument) for instrument in sorted(self._instruments)])
        if path == "/api/v5/market/candles":
            return _candles(query, history)
        if path != "/api/v5/market/history-trades":
            return None
        after = int(query["after"]) if "after" in query else None
        old = (one for one in reversed(history.of(query["instId"])) if after is None or one.trade_id < after)
        return _answer([self._old(one) for one in islice(old, min(int(query["limit"]), MAX_TRADES))])

    def _old(self, trade: SimulatedTrade) -> dict[str, str]:
        return {
            "instId": trade.instrument,
            "tradeId": str(trade.trade_id),
            "px": trade.price,
            "sz": trade.size,
            "side": trade.aggressor,
            "ts": str(trade.event_time_ns // MILLISECOND_NS),
        }

    def _answers(
        self, message: str | bytes, connection: ServerConnection, subscriptions: Subscriptions
    ) -> list[dict[str, Any]]:
        request = json.loads(message)
        return [self._take(request["op"], argument, connection, subscriptions) for argument in request["args"]]

    def _take(
        self, operation: str, argument: dict[str, str], connection: ServerConnection, subscriptions: Subscriptions
    ) -> dict[str, Any]:
        if argument["channel"] not in (CHANNEL, BOOK) or argument["instId"] not in self._instruments:
            message = f"Wrong URL or channel:{argument['channel']},instId:{argument['instId']} doesn't exist."
            return {"event": "error", "code": "60018", "msg": message, "connId": "1"}
        change = subscriptions.add if operation == "subscribe" else subscriptions.remove
        name = argument["instId"]
        change(connection, name if argument["channel"] == CHANNEL else f"{BOOK} {name}")
        return {"event": operation, "arg": argument, "connId": "1"}


async def _heard(connection: ServerConnection, subscriptions: Subscriptions) -> str | bytes | None:
    """The client's next message; nothing where it comes in no time, and the client was sent nothing meanwhile."""
    clock = asyncio.get_running_loop().time
    since_s = clock()
    while (left_s := max(since_s, subscriptions.last_sent_s(connection)) + SILENCE_S - clock()) > 0:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(connection.recv(), left_s)
    return None


def _candles(query: Mapping[str, str], history: History) -> str:
    """Minutes as lists of texts; the last one says whether the minute is over, by a 1."""
    first_ns, last_ns = int(query["before"]) * MILLISECOND_NS + 1, int(query["after"]) * MILLISECOND_NS - 1
    newest = history.candles.of(query["instId"], 0)[-1:]
    candles = newest_first(history.candles.of(query["instId"], first_ns, last_ns), int(query["limit"]))
    return _answer([_candle_row(candle, is_over=candle not in newest) for candle in candles])


def _candle_row(candle: SimulatedCandle, *, is_over: bool) -> list[str]:
    return [str(candle.start_ns // MILLISECOND_NS), *candle.amounts(), "0", "0", "1" if is_over else "0"]


def _answer(data: Sequence[dict[str, str] | list[str]]) -> str:
    return json.dumps({"code": "0", "msg": "", "data": data})


def _listed(instrument: str) -> dict[str, str]:
    base, _, quote = instrument.partition("-")
    return {"instType": "SPOT", "instId": instrument, "baseCcy": base, "quoteCcy": quote, "state": "live"}
