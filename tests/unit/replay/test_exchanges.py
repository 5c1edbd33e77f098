"""The simulated exchanges speak their venues' protocols, as a plain WebSocket client sees them."""

import asyncio
import gzip
import json
import ssl
from decimal import Decimal
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.units import SECOND_NS
from replay.binance import BinanceProtocol
from replay.binance_usdm import BinanceUsdmProtocol
from replay.bitstamp import BETWEEN_IDS
from replay.coinbase import CoinbaseProtocol
from replay.exchange import SETTLED_S, Exchange
from replay.kraken import KrakenProtocol
from replay.ledger import Ledger, read_ledger
from replay.market import Market, MarketSpec, trades
from replay.market_clock import SteppedClock
from replay.okx import OkxProtocol
from replay.quotes import SimulatedQuote, quoted
from replay.recording import FrameRecording, TradeRecording, read_kraken_trades
from replay.trade import SimulatedTrade, rfc3339
from replay.venues import VenueName, protocol_of
from tests.integration.bridge_kit import Script

START_NS = 1_700_000_000 * SECOND_NS
INSTRUMENTS = ("BTC-USDT", "ETH-USDT")
SPEC = MarketSpec(INSTRUMENTS, rate=100, seed=7)
RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings"
needs_recordings = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")


def trade(number: int, instrument: str = "BTC-USDT", price: str = "100.10") -> SimulatedTrade:
    return SimulatedTrade(instrument, number, price, "0.50", "buy", START_NS + number * SECOND_NS)


def recorded(*some: SimulatedTrade) -> TradeRecording:
    return TradeRecording(list(some), None)


def dial(exchange: Exchange, path: str, client: ssl.SSLContext, *, max_queue: int = 16) -> connect:
    """A plain client; it takes no more from the network while `max_queue` frames wait to be received."""
    address = f"wss://{exchange.address}{path}"
    return connect(address, ssl=client, server_hostname="localhost", max_queue=max_queue, ping_interval=None)


async def receive(socket: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(socket.recv(), 120), parse_float=Decimal)


async def receive_until_closed(socket: ClientConnection) -> None:
    while True:
        await receive(socket)


async def ask(socket: ClientConnection, **request: object) -> Any:
    await socket.send(json.dumps(request))
    return await receive(socket)


async def test_binance_acknowledges_and_sends_only_what_is_subscribed(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    source = recorded(trade(1), trade(2, "ETH-USDT"), trade(3))
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, "/stream", tls[1]) as socket,
    ):
        answer = await ask(socket, method="SUBSCRIBE", params=["btcusdt@trade"], id=1)
        frames = [await receive(socket), await receive(socket)]
    assert answer == {"result": None, "id": 1}
    assert [frame["data"]["t"] for frame in frames] == [1, 3]
    assert frames[0] == {
        "stream": "btcusdt@trade",
        "data": {
            "e": "trade",
            "E": 1_700_000_001_000,
            "s": "BTCUSDT",
            "t": 1,
            "p": "100.10",
            "q": "0.50",
            "T": 1_700_000_001_000,
            "m": False,
            "M": True,
        },
    }


async def test_binance_takes_streams_from_the_address(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    path = "/stream?streams=btcusdt@trade/ethusdt@trade"
    source = recorded(trade(1), trade(2, "ETH-USDT"))
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, path, tls[1]) as socket,
    ):
        assert [(await receive(socket))["stream"] for _ in range(2)] == ["btcusdt@trade", "ethusdt@trade"]
        listed = await ask(socket, method="LIST_SUBSCRIPTIONS", id=2)
    assert listed == {"result": ["btcusdt@trade", "ethusdt@trade"], "id": 2}


async def test_raw_binance_streams_have_no_envelope(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    event = (
        '{"e":"trade","E":1700000001000,"s":"BTCUSDT","t":1,'
        '"p":"100.10","q":"0.50","T":1700000001000,"m":false,"M":true}'
    )
    source, stream = Script(), "btcusdt@trade"
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, f"/ws/{stream}", tls[1]) as of_address,
        dial(exchange, "/ws", tls[1]) as of_request,
        dial(exchange, f"/stream?streams={stream}", tls[1]) as combined,
    ):
        assert await ask(of_request, method="SUBSCRIBE", params=[stream], id=1) == {"result": None, "id": 1}
        for socket in (of_address, combined):
            assert await ask(socket, method="LIST_SUBSCRIPTIONS", id=1) == {"result": [stream], "id": 1}
        source.say(trade(1))
        frames = [await asyncio.wait_for(socket.recv(), 120) for socket in (of_address, of_request, combined)]
    assert frames == [event, event, f'{{"stream":"{stream}","data":{event}}}']


async def test_raw_quotes_of_binance_usdm_have_no_envelope(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    source = Script()
    async with (
        Exchange(BinanceUsdmProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, "/public/ws/btcusdt@bookTicker", tls[1]) as socket,
    ):
        await ask(socket, method="LIST_SUBSCRIPTIONS", id=1)
        source.say(SimulatedQuote("BTC-USDT", 4, "1.0", "2.0", "1.5", "3.0", START_NS + 1))
        event = await receive(socket)
    amounts = {"b": "1.0", "B": "2.0", "a": "1.5", "A": "3.0"}
    times = {"T": 1_700_000_000_000, "E": 1_700_000_000_000}
    assert event == {"e": "bookTicker", "u": 4, "s": "BTCUSDT", **amounts, **times}


PATHS = {
    VenueName.BINANCE: ("/stream", "/ws", "/ws/btcusdt@trade/ethusdt@trade"),
    VenueName.BINANCE_USDM: ("/market/stream", "/market/ws/btcusdt@aggTrade", "/public/stream", "/public/ws"),
    VenueName.BITSTAMP: ("", "/"),
    VenueName.BYBIT: ("/v5/public/spot",),
    VenueName.COINBASE: ("", "/"),
    VenueName.KRAKEN: ("/v2",),
    VenueName.OKX: ("/ws/v5/public", "/ws/v5/business"),
}


@pytest.mark.parametrize("venue", list(VenueName))
async def test_a_websocket_is_served_at_the_venues_own_paths_alone(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], venue: VenueName
) -> None:
    async with Exchange(protocol_of(venue, INSTRUMENTS), recorded(), tls[0]) as exchange:
        for path in PATHS[venue]:
            async with dial(exchange, path, tls[1]):
                pass
        for path in ("/nope", f"{PATHS[venue][0]}/nope"):
            with pytest.raises(InvalidStatus) as refused:
                async with dial(exchange, path, tls[1]):
                    pass
            assert refused.value.response.status_code == HTTPStatus.NOT_FOUND


NO_STREAMS = {"error": {"code": 2, "msg": "Invalid request: params must be a list of strings"}, "id": 1}
KRAKEN_INVALID = {"error": "Malformed request", "success": False}
OKX_INVALID = {"event": "error", "code": "60012", "msg": "Invalid request", "connId": "1"}
BYBIT_INVALID = {"success": False, "ret_msg": "Params Error", "conn_id": "1"}
NO_JSON = {"event": "bts:error", "channel": "", "data": {"code": None, "message": "Incorrect JSON format."}}
SENSELESS = [
    (VenueName.BINANCE, '{"method":"SUBSCRIBE","params":null,"id":1}', NO_STREAMS),
    (VenueName.BINANCE, '{"method":"SUBSCRIBE","params":[7],"id":1}', NO_STREAMS),
    (VenueName.BINANCE_USDM, '{"method":"UNSUBSCRIBE","params":"btcusdt@aggTrade","id":1}', NO_STREAMS),
    (VenueName.KRAKEN, "{", KRAKEN_INVALID),
    (VenueName.KRAKEN, '{"method":"subscribe","params":null}', KRAKEN_INVALID),
    (VenueName.KRAKEN, '{"method":"subscribe","params":{"channel":"trade","symbol":null}}', KRAKEN_INVALID),
    (VenueName.OKX, "{", OKX_INVALID),
    (VenueName.OKX, '{"op":"subscribe","args":null}', OKX_INVALID),
    (VenueName.OKX, '{"op":"subscribe","args":["trades"]}', OKX_INVALID),
    (VenueName.OKX, '{"op":"dance","args":[{"channel":"trades-all","instId":"BTC-USDT"}]}', OKX_INVALID),
    (VenueName.BYBIT, "{", BYBIT_INVALID | {"op": ""}),
    (VenueName.BYBIT, '{"op":"subscribe","args":null}', BYBIT_INVALID | {"op": ""}),
    (VenueName.BYBIT, '{"op":"dance","args":["publicTrade.BTCUSDT"]}', BYBIT_INVALID | {"op": "dance"}),
    (VenueName.BITSTAMP, "{", NO_JSON),
    (VenueName.BITSTAMP, '{"event":"bts:subscribe","data":null}', NO_JSON),
    (VenueName.COINBASE, "{", {"type": "error", "message": "Malformed JSON"}),
    (VenueName.COINBASE, '{"type":"subscribe","channels":null}', {"type": "error", "message": "Malformed JSON"}),
]


@pytest.mark.parametrize(("venue", "request_text", "expected"), SENSELESS)
async def test_a_request_without_sense_is_answered_and_the_connection_goes_on(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], venue: VenueName, request_text: str, expected: dict[str, object]
) -> None:
    protocol = protocol_of(venue, INSTRUMENTS)
    async with Exchange(protocol, recorded(), tls[0]) as exchange, dial(exchange, protocol.path, tls[1]) as socket:
        if venue is VenueName.KRAKEN:
            await receive(socket)
        for _ in range(2):
            await socket.send(request_text)
            answer = await receive(socket)
            assert answer.items() >= expected.items()


async def test_binance_refuses_what_it_does_not_know(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), recorded(), tls[0]) as exchange,
        dial(exchange, "/stream", tls[1]) as socket,
    ):
        assert (await ask(socket, method="DANCE", id=1))["error"]["code"] == 2
        await socket.send("{")
        assert (await receive(socket))["error"]["code"] == 3
        many = [f"a{number}@trade" for number in range(1_025)]
        assert "1024" in (await ask(socket, method="SUBSCRIBE", params=many, id=3))["error"]["msg"]


async def test_binance_cuts_a_client_that_asks_too_often(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), recorded(), tls[0]) as exchange,
        dial(exchange, "/stream", tls[1]) as socket,
    ):
        for number in range(6):
            await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        with pytest.raises(ConnectionClosed) as closed:
            await receive_until_closed(socket)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_kraken_greets_acknowledges_and_writes_numbers_exactly(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    source = recorded(trade(1, price="105433.60000000000000001"))
    protocol = KrakenProtocol(INSTRUMENTS)
    async with Exchange(protocol, source, tls[0]) as exchange, dial(exchange, "/v2", tls[1]) as socket:
        status = await receive(socket)
        params = {"channel": "trade", "symbol": ["BTC/USDT", "X/Y"], "snapshot": False}
        accepted = await ask(socket, method="subscribe", params=params)
        answers = [await receive(socket), await receive(socket)]
        pong = await ask(socket, method="ping", req_id=9)
    refused, update = sorted(answers, key=lambda answer: "channel" in answer)
    assert status["channel"] == "status"
    assert accepted["success"] is True
    assert refused["error"] == "Currency pair not supported X/Y"
    assert update["data"][0]["price"] == Decimal("105433.60000000000000001")
    assert update["data"][0]["timestamp"] == "2023-11-14T22:13:21.000000000Z"
    assert pong == {"method": "pong", "req_id": 9}


async def test_kraken_beats_while_idle(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    protocol = KrakenProtocol(INSTRUMENTS)
    async with Exchange(protocol, recorded(), tls[0]) as exchange, dial(exchange, "/v2", tls[1]) as socket:
        await receive(socket)
        await ask(socket, method="subscribe", params={"channel": "trade", "symbol": ["BTC/USDT"]})
        assert await receive(socket) == {"channel": "heartbeat"}


async def test_faults_skip_repeat_and_spoil(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    source = recorded(*(trade(number) for number in range(1, 6)))
    async with Exchange(BinanceProtocol(INSTRUMENTS), source, tls[0]) as exchange:
        exchange.faults.skip(1)
        exchange.faults.repeat(1)
        exchange.faults.garbage(1)
        async with dial(exchange, "/stream?streams=btcusdt@trade", tls[1]) as socket:
            with pytest.raises(json.JSONDecodeError):
                await receive(socket)
            broken = [await receive(socket), await receive(socket)]
            sent = [(await receive(socket))["data"]["t"] for _ in range(5)]
    assert broken[0]["data"]["p"] == "1e400"
    assert broken[1]["data"]["T"] == 4_102_358_400_000
    assert sent == [2, 2, 3, 4, 5]


async def test_a_recording_waits_for_subscriptions_that_follow_the_first(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    now_s = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now_s)  # it stands still, however long the subscriptions take
    source = recorded(trade(1, "ETH-USDT"), trade(2), trade(3, "ETH-USDT"))
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), source, tls[0], quiet_s=SETTLED_S) as exchange,
        dial(exchange, "/stream", tls[1]) as socket,
    ):
        answers = [
            await ask(socket, method="SUBSCRIBE", params=[stream], id=number)
            for number, stream in enumerate(("btcusdt@trade", "ethusdt@trade"))
        ]
        while not exchange.played_out.is_set():
            now_s += SETTLED_S
            await asyncio.sleep(0)
        sent = [(await receive(socket))["data"]["t"] for _ in range(3)]
    assert answers == [{"result": None, "id": 0}, {"result": None, "id": 1}]
    assert sent == [1, 2, 3]


async def test_a_dropped_connection_can_come_back(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    clock = SteppedClock(START_NS)
    async with Exchange(BinanceProtocol(INSTRUMENTS), Market(SPEC, clock), tls[0]) as exchange:
        path = "/stream?streams=btcusdt@trade/ethusdt@trade"
        async with dial(exchange, path, tls[1]) as socket:
            clock.advance(SECOND_NS)
            await receive(socket)
            await exchange.drop_connections()
            with pytest.raises(ConnectionClosed):
                await receive_until_closed(socket)
        async with dial(exchange, path, tls[1]) as again:
            clock.advance(SECOND_NS)
            assert (await receive(again))["data"]["e"] == "trade"


async def test_a_client_that_does_not_read_is_cut_and_the_others_are_sent_all(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.exchange.SLOWEST_READER_S", 10.0)
    path = "/stream?streams=btcusdt@trade"
    long = "1" * 100_000
    made = [trade(number, price=long) for number in range(1, 201)]  # more than the sockets of both ends have room for
    source = Script()
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, path, tls[1], max_queue=1) as silent,
        dial(exchange, path, tls[1]) as reading,
    ):
        for each in (silent, reading):
            await ask(each, method="LIST_SUBSCRIPTIONS", id=1)
        source.say(*made)
        assert [(await receive(reading))["data"]["t"] for _ in made] == [one.trade_id for one in made]
        with pytest.raises(ConnectionClosed):
            await receive_until_closed(silent)


async def test_okx_cuts_only_a_connection_on_which_neither_side_says_anything(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    now_s = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now_s)
    source, path = Script(), OkxProtocol.path
    async with (
        Exchange(OkxProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, path, tls[1]) as listening,
        dial(exchange, path, tls[1]) as pinging,
        dial(exchange, path, tls[1]) as idle,
    ):
        for socket, instrument in ((listening, "BTC-USDT"), (pinging, "ETH-USDT"), (idle, "ETH-USDT")):
            answer = await ask(socket, op="subscribe", args=[{"channel": "trades-all", "instId": instrument}])
            assert answer["event"] == "subscribe"
        for number in range(1, 4):
            now_s += 20
            source.say(trade(number))
            assert (await receive(listening))["data"][0]["tradeId"] == str(number)
            await pinging.send("ping")
            assert await pinging.recv() == "pong"
        with pytest.raises(ConnectionClosed):
            await receive_until_closed(idle)
        for socket in (listening, pinging):
            await socket.send("ping")
            assert await socket.recv() == "pong"


async def test_coinbase_subscribes_by_channel_and_tells_the_last_match_first(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    source = Script()
    async with (
        Exchange(CoinbaseProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, "", tls[1]) as quotes,
        dial(exchange, "", tls[1]) as all_of_it,
    ):
        ticker = {"name": "ticker", "product_ids": ["ETH-USDT"]}
        answer = await ask(quotes, type="subscribe", channels=[ticker])
        assert answer == {"type": "subscriptions", "channels": [ticker]}
        exchange.history.add(trade(7))
        both = await ask(all_of_it, type="subscribe", product_ids=["BTC-USDT"], channels=["matches", ticker])
        assert both == {
            "type": "subscriptions",
            "channels": [
                {"name": "matches", "product_ids": ["BTC-USDT"]},
                {"name": "ticker", "product_ids": ["BTC-USDT", "ETH-USDT"]},
            ],
        }
        assert await receive(all_of_it) == {
            "type": "last_match",
            "trade_id": 7,
            "side": "sell",
            "size": "0.50",
            "price": "100.10",
            "product_id": "BTC-USDT",
            "sequence": 7,
            "time": "2023-11-14T22:13:27.000000000Z",
        }
        source.say(trade(8), SimulatedQuote("ETH-USDT", 1, "1.0", "2.0", "1.5", "3.0", START_NS))
        told = [await receive(all_of_it), await receive(all_of_it), await receive(quotes)]
        assert [(each["type"], each["product_id"]) for each in told] == [
            ("match", "BTC-USDT"),
            ("ticker", "ETH-USDT"),
            ("ticker", "ETH-USDT"),
        ]
        ended = await ask(all_of_it, type="unsubscribe", channels=["ticker"])
        assert ended == {"type": "subscriptions", "channels": [{"name": "matches", "product_ids": ["BTC-USDT"]}]}
        again = await ask(all_of_it, type="subscribe", product_ids=["BTC-USDT"], channels=["matches", "heartbeat"])
        assert [channel["name"] for channel in again["channels"]] == ["matches", "heartbeat"]
        beat = await receive(all_of_it)
        assert beat.pop("time") > "2023"
        assert beat == {"type": "heartbeat", "sequence": 8, "last_trade_id": 8, "product_id": "BTC-USDT"}


async def test_coinbase_beats_only_for_those_who_asked_it_to(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.coinbase.HEARTBEAT_S", 0.001)
    source = Script()
    async with (
        Exchange(CoinbaseProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, "", tls[1]) as quiet,
        dial(exchange, "", tls[1]) as beaten,
    ):
        await ask(quiet, type="subscribe", product_ids=["BTC-USDT"], channels=["matches"])
        await ask(beaten, type="subscribe", product_ids=["ETH-USDT"], channels=["heartbeat"])
        assert [(await receive(beaten))["product_id"] for _ in range(10)] == ["ETH-USDT"] * 10
        source.say(trade(1))
        assert (await receive(quiet))["type"] == "match"


def test_the_same_seed_makes_the_same_market() -> None:
    def first(spec: MarketSpec) -> list[SimulatedTrade]:
        return [made for made, _ in zip(trades(spec, START_NS), range(500), strict=False)]

    assert first(SPEC) == first(MarketSpec(INSTRUMENTS, rate=100, seed=7))
    assert first(SPEC) != first(MarketSpec(INSTRUMENTS, rate=100, seed=8))


def test_a_market_that_begins_again_gives_no_id_twice() -> None:
    def ids_from(start_ns: int) -> dict[str, set[int]]:
        ids: dict[str, set[int]] = {instrument: set() for instrument in INSTRUMENTS}
        for made in islice(trades(SPEC, start_ns), 2_000):
            ids[made.instrument].add(made.trade_id)
        return ids

    before, again = ids_from(START_NS), ids_from(START_NS + SECOND_NS)
    for instrument in INSTRUMENTS:
        assert max(before[instrument]) < min(again[instrument])
    assert max(map(max, again.values())) * BETWEEN_IDS < 2**53, "JSON numbers of every venue stay exact"


def test_trade_ids_of_an_instrument_have_no_holes_and_times_never_go_back() -> None:
    made = [each for each, _ in zip(trades(SPEC, START_NS), range(2_000), strict=False)]
    for instrument in INSTRUMENTS:
        ids = [each.trade_id for each in made if each.instrument == instrument]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
    times = [each.event_time_ns for each in made]
    assert times == sorted(times)
    assert times[-1] - START_NS == pytest.approx(20 * SECOND_NS, rel=0.1)


@pytest.mark.parametrize("rate", [100, 1_000])
def test_an_instruments_quotes_and_trades_never_go_back_in_time(rate: int) -> None:
    times: dict[str, list[int]] = {instrument: [] for instrument in INSTRUMENTS}
    for item in islice(quoted(trades(MarketSpec(INSTRUMENTS, rate, seed=7), START_NS), seed=7), 4_000):
        times[item.instrument].append(item.event_time_ns)
    for instrument in INSTRUMENTS:
        assert times[instrument] == sorted(times[instrument])


async def test_a_ledger_has_every_trade_also_those_skipped(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path
) -> None:
    made = [trade(number) for number in range(1, 4)]
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        async with Exchange(BinanceProtocol(INSTRUMENTS), recorded(*made), tls[0], ledger=ledger) as exchange:
            exchange.faults.skip(2)
            async with dial(exchange, "/stream?streams=btcusdt@trade", tls[1]) as socket:
                assert (await receive(socket))["data"]["t"] == 3
                await exchange.played_out.wait()
    assert read_ledger(path) == made


@needs_recordings
async def test_a_recording_is_sent_frame_by_frame_as_it_was(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    path = RECORDINGS / "binance" / "spot-ethusdt-20240808.frames.gz"
    with gzip.open(path, "rt") as lines:
        expected = [line.split(" ", 1)[1].rstrip("\n") for line in lines if '"stream":"ethusdt@trade"' in line]
    source = FrameRecording([path], None)
    stream = "/stream?streams=ethusdt@trade"
    async with (
        Exchange(BinanceProtocol(INSTRUMENTS), source, tls[0]) as exchange,
        dial(exchange, stream, tls[1]) as socket,
    ):
        assert [await asyncio.wait_for(socket.recv(), 120) for _ in expected] == expected


@needs_recordings
def test_krakens_rest_times_are_read_to_the_nanosecond() -> None:
    first = read_kraken_trades(RECORDINGS / "kraken" / "rest-trades-xbtusdt.json", "BTC-USDT")[0]
    assert first == SimulatedTrade("BTC-USDT", 10218208, "105433.60000", "0.00027625", "buy", 1_762_795_433_971_744_500)
    assert rfc3339(first.event_time_ns) == "2025-11-10T17:23:53.971744500Z"
