"""Faults are told by HTTP, and what is no fault is refused."""

import ssl
from http import HTTPStatus

import httpx
import pytest

from local import ports
from replay.binance import BinanceProtocol
from replay.control import serve_control
from replay.exchange import Exchange
from replay.recording import TradeRecording
from replay.trade import SimulatedTrade

TRADE = SimulatedTrade("BTC-USDT", 1, "1", "1", "buy", 0)


@pytest.mark.parametrize("count", ["-1", "0", "abc", "1.5", ""])
async def test_a_count_that_is_no_number_above_0_is_refused_and_nothing_is_left_out(count: str) -> None:
    exchange = Exchange(
        BinanceProtocol(("BTC-USDT",)), TradeRecording([], None), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    )
    (port,) = ports.free_ports(1)
    runner = await serve_control([exchange], port)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/control") as http:
            refused = await http.post(f"/skip?n={count}")
            sent = list(exchange.faults.apply(TRADE))
            accepted = await http.post("/skip?n=1")
            left_out = list(exchange.faults.apply(TRADE))
    finally:
        await runner.cleanup()
    assert refused.status_code == HTTPStatus.BAD_REQUEST
    assert sent == [TRADE]
    assert accepted.json() == {"fault": "skip", "n": 1}
    assert left_out == []
