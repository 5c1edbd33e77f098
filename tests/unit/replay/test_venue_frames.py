"""What each simulated exchange says to a plain WebSocket client, by frames as the venues send them.

They are of recordings and of the venues' documentation, but for the fields that no simulated exchange has.
"""

import asyncio
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from app.units import MICROSECOND_NS, MILLISECOND_NS
from replay.exchange import Exchange
from replay.quotes import SimulatedQuote
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Script


@dataclass(frozen=True)
class Talk:
    """What a client says to a venue, and what it hears."""

    trade: SimulatedTrade
    subscribe: str
    subscribed: str
    trade_frame: str
    quote: SimulatedQuote
    subscribe_quotes: str
    subscribed_to_quotes: str
    quote_frame: str
    refused: str
    refusal: str
    keep_alive: Sequence[tuple[str, str]] = field(default=())
    """What a client says to stay connected, and the answer; nothing where WebSocket's own pings do."""
    path: str = "/"
    greeting: str | None = None


TALKS = {
    VenueName.BINANCE: Talk(
        path="/stream",
        trade=SimulatedTrade(
            "BTC-USDT", 3735683259, "61837.63000000", "0.02000000", "sell", 1_723_161_255_342 * MILLISECOND_NS
        ),
        subscribe='{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}',
        subscribed='{"result":null,"id":1}',
        trade_frame='{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255342,"s":"BTCUSDT","t":3735683259,'
        '"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}',
        quote=SimulatedQuote("BTC-USDT", 50093239212, "61837.63", "3.78826", "61837.64", "1.54698", 1),
        subscribe_quotes='{"method":"SUBSCRIBE","params":["btcusdt@bookTicker"],"id":"quotes"}',
        subscribed_to_quotes='{"result":null,"id":"quotes"}',
        quote_frame='{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63","B":"3.78826",'
        '"a":"61837.64","A":"1.54698"}}',
        refused='{"method":"DANCE","id":2}',
        refusal='{"error":{"code":2,"msg":"Invalid request: unknown variant, expected one of SUBSCRIBE, UNSUBSCRIBE, '
        'LIST_SUBSCRIPTIONS"},"id":2}',
    ),
    VenueName.BINANCE_USDM: Talk(
        path="/market/stream",
        trade=SimulatedTrade("CTK-USDT", 16599292, "1.01100", "10", "buy", 1_626_992_741_421 * MILLISECOND_NS),
        subscribe='{"method":"SUBSCRIBE","params":["ctkusdt@aggTrade"],"id":1}',
        subscribed='{"result":null,"id":1}',
        trade_frame='{"stream":"ctkusdt@aggTrade","data":{"e":"aggTrade","E":1626992741421,"a":16599292,"s":"CTKUSDT",'
        '"p":"1.01100","q":"10","f":16599292,"l":16599292,"T":1626992741421,"m":false}}',
        quote=SimulatedQuote(
            "CTK-USDT", 600859609004, "1.01000", "85782", "1.01100", "6483", 1_626_992_741_421 * MILLISECOND_NS + 1
        ),
        subscribe_quotes='{"method":"SUBSCRIBE","params":["ctkusdt@bookTicker"],"id":2}',
        subscribed_to_quotes='{"result":null,"id":2}',
        quote_frame='{"stream":"ctkusdt@bookTicker","data":{"e":"bookTicker","u":600859609004,"s":"CTKUSDT",'
        '"b":"1.01000","B":"85782","a":"1.01100","A":"6483","T":1626992741421,"E":1626992741421}}',
        refused="{",
        refusal='{"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"},"id":null}',
    ),
    VenueName.BITSTAMP: Talk(
        trade=SimulatedTrade("ETH-USD", 72_000_159, "3805.44", "0.07920000", "buy", 1_641_343_699_596_000_000),
        subscribe='{"event":"bts:subscribe","data":{"channel":"live_trades_ethusd"}}',
        subscribed='{"event":"bts:subscription_succeeded","channel":"live_trades_ethusd","data":{}}',
        trade_frame='{"data":{"id":216000477,"timestamp":"1641343699","amount_str":"0.07920000","price_str":"3805.44",'
        '"type":0,"microtimestamp":"1641343699596000"},"channel":"live_trades_ethusd","event":"trade"}',
        quote=SimulatedQuote(
            "ETH-USD", 1, "3804.10", "0.5", "3805.44", "1.25", 1_641_343_699_596_001 * MICROSECOND_NS + 1
        ),
        subscribe_quotes='{"event":"bts:subscribe","data":{"channel":"order_book_ethusd"}}',
        subscribed_to_quotes='{"event":"bts:subscription_succeeded","channel":"order_book_ethusd","data":{}}',
        quote_frame='{"data":{"microtimestamp":"1641343699596001","bids":[["3804.10","0.5"]],'
        '"asks":[["3805.44","1.25"]]},"channel":"order_book_ethusd","event":"data"}',
        refused='{"event":"bts:subscribe","data":{"channel":"live_trades_xyz"}}',
        refusal='{"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}',
        keep_alive=[
            ('{"event":"bts:heartbeat"}', '{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}')
        ],
    ),
    VenueName.BYBIT: Talk(
        path="/v5/public/spot",
        trade=SimulatedTrade("BTC-USDT", 1, "16578.50", "0.001", "buy", 1_672_304_486_865 * MILLISECOND_NS),
        subscribe='{"op":"subscribe","args":["publicTrade.BTCUSDT"]}',
        subscribed='{"success":true,"ret_msg":"subscribe","conn_id":"1","op":"subscribe"}',
        trade_frame='{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486865,"data":[{"T":1672304486865,'
        '"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","i":"f812b511-80cf-568b-9cb2-5666f8930af5","BT":false}]}',
        quote=SimulatedQuote(
            "BTC-USDT", 5, "16493.50", "0.006", "16611.00", "0.029", 1_672_304_484_978 * MILLISECOND_NS + 1
        ),
        subscribe_quotes='{"op":"subscribe","args":["orderbook.1.BTCUSDT"]}',
        subscribed_to_quotes='{"success":true,"ret_msg":"subscribe","conn_id":"1","op":"subscribe"}',
        quote_frame='{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT",'
        '"b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":5,"seq":5},"cts":1672304484978}',
        refused='{"op":"subscribe","args":["publicTrade.XY"]}',
        refusal='{"success":false,"ret_msg":"Invalid symbol :[publicTrade.XY]","conn_id":"1","op":"subscribe"}',
        keep_alive=[('{"op":"ping"}', '{"success":true,"ret_msg":"pong","conn_id":"1","op":"ping"}')],
    ),
    VenueName.COINBASE: Talk(
        trade=SimulatedTrade("SKL-BTC", 280232, "0.00001305", "985", "buy", 1_618_677_817_089_723_000),
        subscribe='{"type":"subscribe","product_ids":["SKL-BTC"],"channels":["matches"]}',
        subscribed='{"type":"subscriptions","channels":[{"name":"matches","product_ids":["SKL-BTC"]}]}',
        trade_frame='{"type":"match","trade_id":280232,"side":"sell","size":"985","price":"0.00001305",'
        '"product_id":"SKL-BTC","sequence":280232,"time":"2021-04-17T16:43:37.089723000Z"}',
        quote=SimulatedQuote("SKL-BTC", 27883326, "0.5752", "10.5", "0.5771", "3", 1_618_677_809_571_587_000 + 1),
        subscribe_quotes='{"type":"subscribe","product_ids":["SKL-BTC"],"channels":["ticker"]}',
        subscribed_to_quotes='{"type":"subscriptions","channels":[{"name":"matches","product_ids":["SKL-BTC"]},'
        '{"name":"ticker","product_ids":["SKL-BTC"]}]}',
        quote_frame='{"type":"ticker","sequence":27883326,"product_id":"SKL-BTC","best_bid":"0.5752",'
        '"best_bid_size":"10.5","best_ask":"0.5771","best_ask_size":"3","time":"2021-04-17T16:43:29.571587000Z"}',
        refused='{"type":"subscribe","product_ids":["X-Y"],"channels":["matches"]}',
        refusal='{"type":"error","message":"Failed to subscribe","reason":"X-Y is not a valid product"}',
    ),
    VenueName.KRAKEN: Talk(
        path="/v2",
        greeting='{"channel":"status","type":"update","data":[{"api_version":"v2","connection_id":1,"system":"online",'
        '"version":"2.0.0"}]}',
        trade=SimulatedTrade("BTC-USDT", 10218208, "105433.60000", "0.00027625", "buy", 1_762_795_433_971_744_000),
        subscribe='{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USDT"],"snapshot":false}}',
        subscribed='{"method":"subscribe","result":{"channel":"trade","snapshot":false,"symbol":"BTC/USDT"},'
        '"success":true}',
        trade_frame='{"channel":"trade","type":"update","data":[{"symbol":"BTC/USDT","side":"buy",'
        '"price":105433.60000,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,'
        '"timestamp":"2025-11-10T17:23:53.971744000Z"}]}',
        quote=SimulatedQuote(
            "BTC-USDT", 1, "0.10025", "740.0", "0.10036000000000001", "1361.44813783", 1_762_768_800_123_456_000
        ),
        subscribe_quotes='{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USDT"]}}',
        subscribed_to_quotes='{"method":"subscribe","result":{"channel":"ticker","snapshot":false,"symbol":"BTC/USDT"},'
        '"success":true}',
        quote_frame='{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USDT","bid":0.10025,"bid_qty":740.0,'
        '"ask":0.10036000000000001,"ask_qty":1361.44813783,"timestamp":"2025-11-10T10:00:00.123456000Z"}]}',
        refused='{"method":"subscribe","params":{"channel":"trade","symbol":["X/Y"]}}',
        refusal='{"error":"Currency pair not supported X/Y","method":"subscribe","success":false,"symbol":"X/Y"}',
        keep_alive=[('{"method":"ping","req_id":9}', '{"method":"pong","req_id":9}')],
    ),
    VenueName.OKX: Talk(
        path="/ws/v5/business",
        trade=SimulatedTrade("BTC-USDT", 338476307, "30236", "0.0002", "buy", 1_652_459_224_855 * MILLISECOND_NS),
        subscribe='{"op":"subscribe","args":[{"channel":"trades-all","instId":"BTC-USDT"}]}',
        subscribed='{"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"1"}',
        trade_frame='{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
        '"tradeId":"338476307","px":"30236","sz":"0.0002","side":"buy","ts":"1652459224855"}]}',
        quote=SimulatedQuote(
            "BTC-USDT", 363996337, "111.05", "57745", "111.06", "55154", 1_670_324_386_802 * MILLISECOND_NS + 1
        ),
        subscribe_quotes='{"op":"subscribe","args":[{"channel":"bbo-tbt","instId":"BTC-USDT"}]}',
        subscribed_to_quotes='{"event":"subscribe","arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"connId":"1"}',
        quote_frame='{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["111.06","55154","0","1"]],'
        '"bids":[["111.05","57745","0","1"]],"ts":"1670324386802","seqId":363996337}]}',
        refused='{"op":"subscribe","args":[{"channel":"trades-all","instId":"X-Y"}]}',
        refusal='{"event":"error","code":"60018","msg":"Wrong URL or channel:trades-all,instId:X-Y doesn\'t exist.",'
        '"connId":"1"}',
        keep_alive=[("ping", "pong")],
    ),
}


async def heard(socket: ClientConnection) -> Any:
    """What comes next that is no heartbeat, which come whenever nothing else does."""
    while (said := meaning(str(await asyncio.wait_for(socket.recv(), 120)))) == {"channel": "heartbeat"}:
        pass
    return said


def meaning(frame: str) -> Any:
    """What a frame says, its numbers to the last digit; its text where it is no JSON."""
    try:
        return json.loads(frame, parse_float=Decimal)
    except ValueError:
        return frame


async def answered(socket: ClientConnection, request: str) -> Any:
    await socket.send(request)
    return await heard(socket)


@pytest.mark.parametrize("venue", list(VenueName))
async def test_a_plain_client_is_told_what_the_venue_tells(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], venue: VenueName
) -> None:
    talk, script = TALKS[venue], Script()
    server, client = tls
    async with (
        Exchange(protocol_of(venue, (talk.trade.instrument,)), script, server) as exchange,
        connect(f"wss://{exchange.address}{talk.path}", ssl=client, server_hostname="localhost") as socket,
    ):
        if talk.greeting is not None:
            assert await heard(socket) == meaning(talk.greeting)
        assert await answered(socket, talk.refused) == meaning(talk.refusal)
        for message, answer in talk.keep_alive:
            assert await answered(socket, message) == meaning(answer)
        assert await answered(socket, talk.subscribe) == meaning(talk.subscribed)
        script.say(talk.trade)
        assert await heard(socket) == meaning(talk.trade_frame)
        assert await answered(socket, talk.subscribe_quotes) == meaning(talk.subscribed_to_quotes)
        script.say(talk.quote)
        assert await heard(socket) == meaning(talk.quote_frame)
