"""The simulated exchanges' REST APIs give trades back, as a plain HTTP client sees them, and no more than real ones."""

import json
import ssl
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from app.units import SECOND_NS
from replay.exchange import Exchange
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of

INSTRUMENTS = ("BTC-USDT", "ETH-USDT")
LISTS = {
    VenueName.BINANCE: "/api/v3/exchangeInfo",
    VenueName.KRAKEN: "/0/public/AssetPairs",
    VenueName.BINANCE_USDM: "/fapi/v1/exchangeInfo",
    VenueName.BITSTAMP: "/api/v2/trading-pairs-info/",
    VenueName.BYBIT: "/v5/market/instruments-info?category=spot",
    VenueName.COINBASE: "/products",
    VenueName.OKX: "/api/v5/public/instruments?instType=SPOT",
}
TRADES = {
    VenueName.BINANCE: ("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=99&limit=1000", [99, 100]),
    VenueName.KRAKEN: ("/0/public/Trades?pair=XBTUSDT&since={since}&count=1000", [99, 100]),
    VenueName.BINANCE_USDM: ("/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=99&limit=1000", [99, 100]),
    VenueName.BITSTAMP: ("/api/v2/transactions/btcusdt/?time=hour", [3 * number for number in range(100, 0, -1)]),
    VenueName.BYBIT: ("/v5/market/recent-trade?category=spot&symbol=BTCUSDT&limit=100", list(range(100, 40, -1))),
    VenueName.COINBASE: ("/products/BTC-USDT/trades?limit=2&after=100", [99, 98]),
    VenueName.OKX: ("/api/v5/market/history-trades?instId=BTC-USDT&type=1&limit=2&after=100", [99, 98]),
}

WITHOUT_OPTIONAL_PARAMETERS = {
    VenueName.BINANCE: ("/api/v3/historicalTrades?symbol=BTCUSDT", list(range(1, 101))),
    VenueName.KRAKEN: ("/0/public/Trades?pair=XBTUSDT", list(range(1, 101))),
    VenueName.BINANCE_USDM: ("/fapi/v1/aggTrades?symbol=BTCUSDT", list(range(1, 101))),
    VenueName.BITSTAMP: ("/api/v2/transactions/btcusdt/", [3 * number for number in range(100, 0, -1)]),
    VenueName.BYBIT: ("/v5/market/recent-trade?category=spot&symbol=BTCUSDT", list(range(100, 40, -1))),
    VenueName.COINBASE: ("/products/BTC-USDT/trades", list(range(100, 0, -1))),
    VenueName.OKX: ("/api/v5/market/history-trades?instId=BTC-USDT", list(range(100, 0, -1))),
}
CANDLES = {
    VenueName.BINANCE: "/api/v3/klines?symbol=BTCUSDT&interval=1m",
    VenueName.KRAKEN: "/0/public/OHLC?pair=XBTUSDT",
    VenueName.BINANCE_USDM: "/fapi/v1/klines?symbol=BTCUSDT&interval=1m",
    VenueName.BITSTAMP: "/api/v2/ohlc/btcusdt/?step=60&limit=1000",
    VenueName.BYBIT: "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1",
    VenueName.COINBASE: "/products/BTC-USDT/candles",
    VenueName.OKX: "/api/v5/market/candles?instId=BTC-USDT",
}
NEWEST_FIRST = (VenueName.BYBIT, VenueName.COINBASE, VenueName.OKX)
IN_MILLISECONDS = (VenueName.BINANCE, VenueName.BINANCE_USDM, VenueName.BYBIT, VenueName.OKX)
INVALID_SYMBOL = {"code": -1121, "msg": "Invalid symbol."}
UNKNOWN_PAIR = {"error": ["EQuery:Unknown asset pair"]}
INVALID_ARGUMENTS = {"error": ["EGeneral:Invalid arguments"]}
NO_INSTRUMENT = {"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []}
ERRORS = [
    (VenueName.BINANCE, "/api/v3/historicalTrades?symbol=XUSDT", 400, INVALID_SYMBOL),
    (VenueName.BINANCE, "/api/v3/klines?symbol=XUSDT&interval=1m", 400, INVALID_SYMBOL),
    (VenueName.BINANCE, "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=abc", 400, {"code": -1102}),
    (VenueName.BINANCE, "/api/v3/historicalTrades?symbol=BTCUSDT&limit=0", 400, {"code": -1102}),
    (VenueName.BINANCE, "/api/v3/historicalTrades", 400, {"code": -1102}),
    (VenueName.BINANCE_USDM, "/fapi/v1/aggTrades?symbol=XUSDT", 400, INVALID_SYMBOL),
    (VenueName.BINANCE_USDM, "/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=abc", 400, {"code": -1102}),
    (VenueName.KRAKEN, "/0/public/Trades?pair=XY", 200, UNKNOWN_PAIR),
    (VenueName.KRAKEN, "/0/public/OHLC?pair=XY", 200, UNKNOWN_PAIR),
    (VenueName.KRAKEN, "/0/public/Trades?pair=XBTUSDT&since=abc", 200, INVALID_ARGUMENTS),
    (VenueName.KRAKEN, "/0/public/OHLC", 200, INVALID_ARGUMENTS),
    (VenueName.OKX, "/api/v5/market/history-trades?instId=X-Y", 200, NO_INSTRUMENT),
    (VenueName.OKX, "/api/v5/market/candles?instId=X-Y", 200, NO_INSTRUMENT),
    (VenueName.OKX, "/api/v5/market/candles?instId=BTC-USDT&after=abc", 400, {"code": "51000"}),
    (VenueName.OKX, "/api/v5/market/history-trades", 400, {"code": "51000"}),
    (VenueName.BYBIT, "/v5/market/recent-trade?category=spot&symbol=XUSDT", 200, {"retCode": 10_001}),
    (VenueName.BYBIT, "/v5/market/kline?category=spot&symbol=XUSDT&interval=1", 200, {"retCode": 10_001}),
    (VenueName.BYBIT, "/v5/market/recent-trade?category=spot&symbol=BTCUSDT&limit=abc", 200, {"retCode": 10_001}),
    (VenueName.COINBASE, "/products/X-Y/trades", 404, {"message": "NotFound"}),
    (VenueName.COINBASE, "/products/X-Y/candles", 404, {"message": "NotFound"}),
    (VenueName.COINBASE, "/products/BTC-USDT/trades?limit=abc", 400, {}),
    (VenueName.COINBASE, "/products/BTC-USDT/candles?start=abc", 400, {}),
    (VenueName.BITSTAMP, "/api/v2/transactions/xyz/", 404, {"status": "error"}),
    (VenueName.BITSTAMP, "/api/v2/ohlc/xyz/?step=60&limit=10", 404, {"status": "error"}),
    (VenueName.BITSTAMP, "/api/v2/transactions/btcusdt/?time=year", 400, {"status": "error"}),
    (VenueName.BITSTAMP, "/api/v2/ohlc/btcusdt/?step=60&limit=abc", 400, {"status": "error"}),
]


class Source:
    """A hundred trades of BTC-USDT, a second each, from a time on."""

    def __init__(self, begin_ns: int) -> None:
        self._begin_ns = begin_ns

    async def __aiter__(self) -> AsyncIterator[SimulatedTrade]:
        for number in range(1, 101):
            yield SimulatedTrade("BTC-USDT", number, "100.10", "0.5", "buy", self._begin_ns + number * SECOND_NS)


@pytest.fixture
def since_ns() -> int:
    """A whole second from which on a hundred have passed by now: Bitstamp gives the trades of the last hour."""
    return (time.time_ns() // SECOND_NS - 100) * SECOND_NS


@pytest.fixture
async def asked(
    since_ns: int, venue: VenueName, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> AsyncIterator[tuple[Exchange, httpx.AsyncClient]]:
    """An exchange that has played, and a client of its REST API."""
    server, client = tls
    async with Exchange(protocol_of(venue, INSTRUMENTS), Source(since_ns), server) as exchange:
        exchange.begin()
        await exchange.played_out.wait()
        async with httpx.AsyncClient(base_url=f"https://{exchange.address}", verify=client) as http:
            yield exchange, http


@pytest.mark.parametrize("venue", list(VenueName))
async def test_instruments_are_listed(asked: tuple[Exchange, httpx.AsyncClient], venue: VenueName) -> None:
    _, http = asked
    answer = await http.get(LISTS[venue])
    assert answer.status_code == HTTPStatus.OK
    assert "ETH" in answer.text
    assert (await http.get("/nowhere")).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("venue", list(VenueName))
async def test_trades_are_given_back(
    since_ns: int, asked: tuple[Exchange, httpx.AsyncClient], venue: VenueName
) -> None:
    _, http = asked
    target, expected = TRADES[venue]
    target = target.format(since=since_ns + 98 * SECOND_NS)
    answer = json.loads((await http.get(target)).text, parse_float=Decimal)
    assert [number_of(venue, row) for row in rows_of(answer)] == expected


@pytest.mark.parametrize("venue", list(VenueName))
async def test_trades_are_given_back_whatever_may_be_left_out(
    asked: tuple[Exchange, httpx.AsyncClient], venue: VenueName
) -> None:
    _, http = asked
    target, expected = WITHOUT_OPTIONAL_PARAMETERS[venue]
    answer = json.loads((await http.get(target)).text, parse_float=Decimal)
    assert [number_of(venue, row) for row in rows_of(answer)] == expected


@pytest.mark.parametrize("venue", list(VenueName))
async def test_candles_are_given_back_whatever_may_be_left_out(
    since_ns: int, asked: tuple[Exchange, httpx.AsyncClient], venue: VenueName
) -> None:
    _, http = asked
    rows = candle_rows((await http.get(CANDLES[venue])).json())
    unit = 1_000 if venue in IN_MILLISECONDS else 1
    starts_s = [int(row["timestamp"] if isinstance(row, dict) else row[0]) / unit for row in rows]
    minutes = {(since_ns // SECOND_NS + number) // 60 * 60 for number in range(1, 101)}
    assert starts_s == sorted(minutes, reverse=venue in NEWEST_FIRST)


def candle_rows(answer: Any) -> list[Any]:
    """The candles of an answer, wherever the venue puts them."""
    match answer:
        case {"result": {"list": rows}} | {"data": {"ohlc": rows}} | {"data": rows} | {"result": {"XXBTUSDT": rows}}:
            return list(rows)
        case _:
            return list(answer)


@pytest.mark.parametrize(("venue", "target", "status", "expected"), ERRORS)
async def test_a_question_that_cannot_be_answered_gets_the_venues_error(
    asked: tuple[Exchange, httpx.AsyncClient], target: str, status: int, expected: dict[str, object]
) -> None:
    _, http = asked
    answer = await http.get(target)
    assert answer.status_code == status
    assert answer.json().items() >= expected.items()


def rows_of(answer: object) -> list[dict[str, object]]:
    """The trades of an answer, wherever the venue puts them."""
    match answer:
        case list():
            return answer
        case {"result": {"list": rows}} | {"data": rows}:
            return list(rows)
        case {"result": {"XXBTUSDT": rows}}:
            return [{"id": row[6]} for row in rows]
        case _:
            raise AssertionError(answer)


def number_of(venue: VenueName, row: dict[str, object]) -> int:
    if venue is VenueName.BYBIT:
        ids = {protocol_of(venue, INSTRUMENTS).trade_id(trade(number)): number for number in range(1, 101)}
        return ids[str(row["execId"])]
    return int(str(next(row[name] for name in ("id", "a", "tid", "trade_id", "tradeId") if name in row)))


def trade(number: int) -> SimulatedTrade:
    return SimulatedTrade("BTC-USDT", number, "1", "1", "buy", 0)


@pytest.mark.parametrize("venue", [VenueName.BINANCE])
async def test_a_refusal_is_used_up(asked: tuple[Exchange, httpx.AsyncClient]) -> None:
    exchange, http = asked
    exchange.faults.refuse(1, HTTPStatus.TOO_MANY_REQUESTS)
    refused = await http.get(LISTS[VenueName.BINANCE])
    assert (refused.status_code, refused.headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "1")
    assert (await http.get(LISTS[VenueName.BINANCE])).is_success
