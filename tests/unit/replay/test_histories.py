"""The simulated exchanges' REST APIs give trades back, as a plain HTTP client sees them, and no more than real ones."""

import json
import ssl
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from http import HTTPStatus

import httpx
import pytest

from local import certificates
from replay.exchange import Exchange
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of

SECOND_NS = 1_000_000_000
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
    since_ns: int, venue: VenueName, certs: certificates.Certificates
) -> AsyncIterator[tuple[Exchange, httpx.AsyncClient]]:
    """An exchange that has played, and a client of its REST API."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certs.server, certs.key)
    async with Exchange(protocol_of(venue, INSTRUMENTS), Source(since_ns), tls) as exchange:
        exchange.begin()
        await exchange.played_out.wait()
        context = ssl.create_default_context(cafile=str(certs.ca))
        async with httpx.AsyncClient(base_url=f"https://{exchange.address}", verify=context) as http:
            yield exchange, http


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Certificates of an authority of the tests' own."""
    return certificates.ensure(tmp_path_factory.mktemp("certs"))


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
