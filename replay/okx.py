"""OKX' WebSocket API v5, and the part of its REST API that gives trades back, as a server.

"WebSocket", "All trades channel", "Get trades history" and "Get instruments" of its API documentation.
"""

import asyncio
import contextlib
import json
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

SILENCE_S: Final = 30.0
MAX_TRADES: Final = 100
DEFAULT_CANDLES: Final = 100
MAX_CANDLES: Final = 300
CHANNEL: Final = "trades-all"
BOOK: Final = "bbo-tbt"
_INVALID_REQUEST: Final = {"event": "error", "code": "60012", "msg": "Invalid request", "connId": "1"}


def _refusal(status: HTTPStatus, code: str, message: str) -> Refusal:
    return Refusal(status, json.dumps({"code": code, "msg": message, "data": []}))


_UNKNOWN_INSTRUMENT: Final = _refusal(HTTPStatus.OK, "51001", "Instrument ID doesn't exist.")


class OkxProtocol:
    """The channels `trades-all`, a trade a frame, and `bbo-tbt`."""

    path: ClassVar[str] = "/ws/v5/business"
    other_paths: ClassVar[Sequence[str]] = ("/ws/v5/public",)
    resolution_ns: ClassVar[int] = MILLISECOND_NS
    ping_interval_s: float | None = None
    bad_request: ClassVar[Refusal] = _refusal(HTTPStatus.BAD_REQUEST, "51000", "Parameter error")

    def __init__(self, instruments: Sequence[str]) -> None:
        self._instruments = {instrument: instrument for instrument in instruments}

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
        """A book of one level a side; `ts` is that of the match that left it so."""
        data = {
            "asks": [[quote.ask_price, quote.ask_size, "0", "1"]],
            "bids": [[quote.bid_price, quote.bid_size, "0", "1"]],
            "ts": str(quote.left_at(MILLISECOND_NS)),
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
            return _candles(self._instrument(query), query, history)
        if path != "/api/v5/market/history-trades":
            return None
        after, limit = optional_integer(query, "after"), limit_of(query, MAX_TRADES, MAX_TRADES)
        old = (one for one in reversed(history.of(self._instrument(query))) if after is None or one.trade_id < after)
        return _answer([self._old(one) for one in islice(old, limit)])

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
        try:
            request = json.loads(message)
            operation, named = request["op"], [(str(each["channel"]), str(each["instId"])) for each in request["args"]]
        except (ValueError, TypeError, KeyError):
            return [_INVALID_REQUEST]
        if operation not in ("subscribe", "unsubscribe"):
            return [_INVALID_REQUEST]
        return [self._take(operation, *each, connection, subscriptions) for each in named]

    def _take(
        self, operation: str, channel: str, name: str, connection: ServerConnection, subscriptions: Subscriptions
    ) -> dict[str, Any]:
        if channel not in (CHANNEL, BOOK) or name not in self._instruments:
            message = f"Wrong URL or channel:{channel},instId:{name} doesn't exist."
            return {"event": "error", "code": "60018", "msg": message, "connId": "1"}
        change = subscriptions.add if operation == "subscribe" else subscriptions.remove
        change(connection, name if channel == CHANNEL else f"{BOOK} {name}")
        return {"event": operation, "arg": {"channel": channel, "instId": name}, "connId": "1"}

    def _instrument(self, query: Mapping[str, str]) -> str:
        return instrument_of(self._instruments, query["instId"], _UNKNOWN_INSTRUMENT)


async def _heard(connection: ServerConnection, subscriptions: Subscriptions) -> str | bytes | None:
    """The client's next message; nothing where it comes in no time, and the client was sent nothing meanwhile."""
    clock = asyncio.get_running_loop().time
    since_s = clock()
    while (left_s := max(since_s, subscriptions.last_sent_s(connection)) + SILENCE_S - clock()) > 0:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(connection.recv(), left_s)
    return None


def _candles(instrument: str, query: Mapping[str, str], history: History) -> str:
    """Minutes as lists of texts; the last one says whether the minute is over, by a 1."""
    before_ms, after_ms = (optional_integer(query, name) for name in ("before", "after"))
    first_ns = 0 if before_ms is None else before_ms * MILLISECOND_NS + 1
    last_ns = None if after_ms is None else after_ms * MILLISECOND_NS - 1
    newest = history.candles.of(instrument, 0)[-1:]
    candles = newest_first(
        history.candles.of(instrument, first_ns, last_ns), limit_of(query, DEFAULT_CANDLES, MAX_CANDLES)
    )
    return _answer([_candle_row(candle, is_over=candle not in newest) for candle in candles])


def _candle_row(candle: SimulatedCandle, *, is_over: bool) -> list[str]:
    return [str(candle.start_ns // MILLISECOND_NS), *candle.amounts(), "0", "0", "1" if is_over else "0"]


def _answer(data: Sequence[dict[str, str] | list[str]]) -> str:
    return json.dumps({"code": "0", "msg": "", "data": data})


def _listed(instrument: str) -> dict[str, str]:
    base, _, quote = instrument.partition("-")
    return {"instType": "SPOT", "instId": instrument, "baseCcy": base, "quoteCcy": quote, "state": "live"}
