"""Binance USD-M futures' market streams, and the part of the REST API that gives trades back, as a server.

Pages "WebSocket Market Streams", "Aggregate Trade Streams", "Exchange Information" and "Compressed/Aggregate Trades
List" of the documentation of USDS-margined futures. Connection and requests are as those of spot.
"""

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from replay.binance import BinanceProtocol, book, history_page
from replay.history import History
from replay.quotes import SimulatedQuote
from replay.trade import SimulatedTrade

PING_S: Final = 180.0


class BinanceUsdmProtocol(BinanceProtocol):
    """The `aggTrade` streams of the endpoint `/market`, and `bookTicker` of `/public`."""

    path: ClassVar[str] = "/market/stream"
    other_paths: ClassVar[Sequence[str]] = (
        "/market/ws",
        "/market/ws/*",
        "/public/stream",
        "/public/ws",
        "/public/ws/*",
    )
    ping_interval_s: float | None = PING_S
    max_streams: ClassVar[int] = 200
    max_messages_per_s: ClassVar[int] = 10

    def stream_of(self, instrument: str) -> str:
        """`btcusdt@aggTrade` of BTC-USDT."""
        return f"{instrument.replace('-', '').lower()}@aggTrade"

    def encode(self, trade: SimulatedTrade) -> str:
        """A combined-stream frame."""
        data = {
            "e": "aggTrade",
            "E": trade.event_time_ns // self.resolution_ns,
            "s": trade.instrument.replace("-", ""),
            **self._old(trade),
        }
        return json.dumps({"stream": self.stream_of(trade.instrument), "data": data})

    def encode_quote(self, quote: SimulatedQuote) -> str:
        """A combined-stream frame of a best bid and ask; `T` is that of the match that left the book so."""
        time_ms = quote.left_at(self.resolution_ns)
        data = {"e": "bookTicker", **book(quote), "T": time_ms, "E": time_ms}
        return json.dumps({"stream": self.quote_stream_of(quote.instrument), "data": data})

    def answer(self, path: str, query: Mapping[str, str], history: History) -> str | None:
        """`exchangeInfo`, which has dated contracts as well, `aggTrades`, and `klines`."""
        if path == "/fapi/v1/exchangeInfo":
            kinds = ("CURRENT_QUARTER", "PERPETUAL")
            symbols = [_listed(name, kind) for name in self._instruments.values() for kind in kinds]
            return json.dumps({"timezone": "UTC", "symbols": symbols})
        if path == "/fapi/v1/klines":
            return self._klines(query, history)
        if path != "/fapi/v1/aggTrades":
            return None
        trades = history_page(self._instrument(query), query, history)
        return json.dumps([self._old(trade) for trade in trades])

    def _old(self, trade: SimulatedTrade) -> dict[str, object]:
        return {
            "a": trade.trade_id,
            "p": trade.price,
            "q": trade.size,
            "f": trade.trade_id,
            "l": trade.trade_id,
            "T": trade.event_time_ns // self.resolution_ns,
            "m": trade.aggressor == "sell",
        }


def _listed(instrument: str, kind: str) -> dict[str, str]:
    base, _, quote = instrument.partition("-")
    symbol = f"{base}{quote}" if kind == "PERPETUAL" else f"{base}{quote}_251226"
    return {"symbol": symbol, "contractType": kind, "baseAsset": base, "quoteAsset": quote, "status": "TRADING"}
