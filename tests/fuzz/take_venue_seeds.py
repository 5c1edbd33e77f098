"""Takes seeds of what venues send, of spools, of requests for missed messages, of Ethernet frames and of records.

`python -m tests.fuzz.take_venue_seeds` writes them anew in tests/fuzz/corpus, but for the inputs that once failed
(`failed-…`). The simulated exchanges' own encoders make what venues send.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from app.units import MINUTE_NS, SECOND_NS
from replay.history import History
from replay.market import MarketSpec, trades
from replay.quotes import SimulatedQuote, quoted
from replay.trade import SimulatedTrade
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.fuzz.take_packet_seeds import CORPUS, keep
from tests.integration.packet_kit import ethernet_frame

INSTRUMENTS: Final = ("BTC-USDT", "ETH-USDT")
START_NS: Final = 4_000_000_000 * SECOND_NS
"""Ahead of every clock, since some histories have the last hour alone."""
CANDLES_NS: Final = 1_700_000_000 * SECOND_NS
"""Within the first of the minutes that `venue_answers` asks for."""
FRAME, HISTORY, INSTRUMENT_LIST, CANDLES = range(4)
BTC, ETH = "BTCUSDT", "ETHUSDT"
TARGETS: Final = {
    VenueName.BINANCE: (
        "/api/v3/exchangeInfo",
        f"/api/v3/historicalTrades?symbol={ETH}&fromId=0",
        f"/api/v3/klines?symbol={ETH}&interval=1m&startTime=1699999980000&endTime=1700005920000&limit=100",
    ),
    VenueName.BINANCE_USDM: (
        "/fapi/v1/exchangeInfo",
        f"/fapi/v1/aggTrades?symbol={ETH}&fromId=0",
        f"/fapi/v1/klines?symbol={ETH}&interval=1m&startTime=1699999980000&endTime=1700005920000&limit=100",
    ),
    VenueName.BITSTAMP: (
        "/api/v2/trading-pairs-info/",
        "/api/v2/transactions/ethusdt/?time=hour",
        "/api/v2/ohlc/ethusdt/?step=60&limit=100&start=1699999980",
    ),
    VenueName.BYBIT: (
        "/v5/market/instruments-info",
        f"/v5/market/recent-trade?symbol={ETH}&limit=60",
        f"/v5/market/kline?category=spot&symbol={ETH}&interval=1&start=1699999980000&end=1700005920000&limit=100",
    ),
    VenueName.COINBASE: (
        "/products",
        "/products/ETH-USDT/trades",
        "/products/ETH-USDT/candles?granularity=60&start=2023-11-14T22:13:00Z&end=2023-11-14T23:52:00Z",
    ),
    VenueName.KRAKEN: (
        "/0/public/AssetPairs",
        f"/0/public/Trades?pair={ETH}&since=0&count=100",
        f"/0/public/OHLC?pair={ETH}&interval=1&since=1699999920",
    ),
    VenueName.OKX: (
        "/api/v5/public/instruments",
        "/api/v5/market/history-trades?instId=ETH-USDT&limit=100",
        "/api/v5/market/candles?instId=ETH-USDT&bar=1m&before=1699999979999&after=1700005980000&limit=100",
    ),
}
"""Where a venue lists its instruments, gives trades back, and has its candles; in the order of the target
`venue_answers`."""
OTHERS: Final = {
    VenueName.BINANCE: (
        '{"result":null,"id":1}',
        '{"error":{"code":2,"msg":"Invalid request"},"id":1}',
        '{"stream":"btcusdt@trade","data":{"e":"serverShutdown","E":1}}',
    ),
    VenueName.BINANCE_USDM: ('{"result":null,"id":1}', '{"stream":"x","data":{"e":"markPriceUpdate"}}'),
    VenueName.BITSTAMP: (
        '{"event":"bts:subscription_succeeded","channel":"live_trades_btcusdt","data":{}}',
        '{"event":"bts:request_reconnect","channel":"","data":""}',
        '{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}',
    ),
    VenueName.BYBIT: (
        '{"success":true,"ret_msg":"pong","conn_id":"1","op":"ping"}',
        '{"success":false,"ret_msg":"Invalid symbol :[X]","conn_id":"1","op":"subscribe"}',
    ),
    VenueName.COINBASE: (
        '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USDT"]}]}',
        '{"type":"heartbeat","product_id":"BTC-USDT","sequence":1,"time":"2025-01-01T00:00:00.000001Z"}',
        '{"type":"error","message":"Failed to subscribe","reason":"X is not a valid product"}',
    ),
    VenueName.KRAKEN: (
        '{"channel":"heartbeat"}',
        '{"method":"subscribe","result":{"channel":"trade","symbol":"BTC/USDT"},"success":true}',
        '{"error":"Currency pair not supported X/Y","method":"subscribe","success":false,"symbol":"X/Y"}',
        '{"channel":"status","type":"update","data":[{"system":"online","version":"2.0.0"}]}',
    ),
    VenueName.OKX: (
        "pong",
        '{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"1"}',
        '{"event":"error","code":"60018","msg":"Wrong URL","connId":"1"}',
    ),
}
"""What venues send beside trades and quotes, as their documentation shows it."""


def main() -> None:
    """Write the seeds."""
    for target in ("venue_answers", "spool", "retry_request", "udp_frame", "records"):
        for old in (CORPUS / target).glob("*"):
            if not old.name.startswith("failed-"):
                old.unlink()
    for number, venue in enumerate(TARGETS):
        for kind, text in answers(venue):
            keep("venue_answers", bytes([number, kind]) + text.encode())
    for seed in (spool(3), spool(3)[:-20], spool(1)[:30]):
        keep("spool", seed)
    for request in requests():
        keep("retry_request", b"".join(bytes([len(part)]) + part for part in request))
    for size in (0, 20, 64):
        keep("udp_frame", b"\1" + ethernet_frame(bytes(size), "239.1.2.3", 26_400))
    keep("records", b"\x08BTC-USDT" + (1).to_bytes(8, "little") + b"\x04" + b"1557" + bytes([1]) + bytes(range(80)))


def answers(venue: VenueName) -> Iterator[tuple[int, str]]:
    """Frames, a history, a list of instruments and candles of a venue, each behind what it is."""
    protocol = protocol_of(venue, INSTRUMENTS)
    history = History()
    spec = MarketSpec(INSTRUMENTS, rate=100, seed=7, resolution_ns=PROTOCOLS[venue].resolution_ns)
    for item in islice(quoted(trades(spec, START_NS), spec.seed), 12):
        if isinstance(item, SimulatedQuote):
            yield FRAME, protocol.encode_quote(item)
        else:
            yield FRAME, protocol.encode(item)
            history.add(item)
    history.add(SimulatedTrade("ETH-USDT", 10**9, "3000.05", "0.5", "sell", START_NS + SECOND_NS))
    for text in OTHERS[venue]:
        yield FRAME, text
    for minute in range(3):
        at_ns = CANDLES_NS + minute * MINUTE_NS
        history.candles.add(SimulatedTrade("ETH-USDT", 2 * 10**9 + minute, f"300{minute}.05", "0.5", "buy", at_ns))
    for kind, target in zip((INSTRUMENT_LIST, HISTORY, CANDLES), TARGETS[venue], strict=True):
        address = urlsplit(target)
        answer = protocol.answer(address.path, dict(parse_qsl(address.query)), history)
        if answer is None:
            raise ValueError(f"{venue} has no {target}")
        yield kind, answer


def spool(messages: int) -> bytes:
    """A spool's file with checksums that the target makes right."""
    header = b"LTSPOOL1" + bytes([9] * 16) + b"checksum"
    return header + b"".join(
        struct.pack("<8sQII", b"checksum", number, 8, 40) + b"test:A-B" + bytes([number] * 40)
        for number in range(1, messages + 1)
    )


def requests() -> Iterator[tuple[bytes, ...]]:
    """Requests behind a client's address."""
    yield b"client", b"state"
    yield b"client", b"unconfirmed"
    for first, last in ((1, 300), (250, 260), (299, 2**62), (0, 5), (2**63, 3)):
        numbers = struct.pack(">QQ", first, last)
        yield b"client", b"get", b"\xff" + numbers
        yield b"livetape-relay", b"confirm", b"\xff" + numbers


if __name__ == "__main__":
    main()
