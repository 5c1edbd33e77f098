"""The API on the real broker: what was produced is what REST and /ws show."""

import struct
from collections.abc import Iterator
from decimal import Decimal

import pytest
import zmq

from app.settings import Settings
from app.tick_stream.sessions import mark_of_namespace
from app.topic_admin import apply
from app.units import MINUTE_NS
from tests.integration.api_kit import BINANCE_BTC, Api, Fields, Writer, bar, eventually, serving, shown, standing

SUBSCRIBE = {"op": "subscribe", "channel": "bars", **BINANCE_BTC, "interval": "1m"}


@pytest.fixture
def writer(settings: Settings) -> Writer:
    apply(settings)
    return Writer(settings)


@pytest.fixture
def api(settings: Settings, writer: Writer) -> Iterator[Api]:
    """An API that has two final bars and a forming one."""
    writer.flush([bar(0, seq=10), bar(60, seq=20), bar(60, seq=20, interval="1s")])
    writer.live(bar(120, seq=25))
    with serving(settings) as running:
        yield running


async def test_rest_and_snapshot_show_the_bars_that_were_produced(api: Api) -> None:
    expected = [shown(bar(0, seq=10)), shown(bar(60, seq=20)), shown(bar(120, seq=25), "forming")]
    assert api.bars() == expected
    assert api.bars(interval="1s") == [shown(bar(60, seq=20, interval="1s"))]
    assert api.bars(limit=1) == expected[-1:]
    assert api.bars(start_ns=MINUTE_NS, end_ns=2 * MINUTE_NS) == expected[1:2]
    async with api.ws() as client:
        assert await client.subscribe() == expected
    assert api.get("/api/v1/instruments").json()["instruments"] == [BINANCE_BTC]


async def test_updates_follow_the_snapshot_in_order_and_a_final_bar_ends_a_forming_one(
    api: Api, writer: Writer
) -> None:
    async with api.ws() as client:
        await client.subscribe()
        for seq in range(26, 46):
            writer.live(bar(120, seq=seq, close=str(seq)))
        writer.flush([bar(120, seq=45, close="45")])
        writer.flush([bar(60, seq=46, revision=1, close="7")])
        updates: list[Fields] = []
        while not updates or updates[-1]["state"] != "revised":
            updates.append((await client.next("update"))["bar"])
    *forming, final, revised = updates
    assert [update["seq"] for update in forming] == sorted({update["seq"] for update in forming})
    assert all(update == shown(bar(120, seq=update["seq"], close=str(update["seq"])), "forming") for update in forming)
    assert final == shown(bar(120, seq=45, close="45"))
    assert revised == shown(bar(60, seq=46, revision=1, close="7"))
    assert api.bars() == [shown(bar(0, seq=10)), revised, final]


async def test_bars_of_an_aborted_transaction_are_never_shown(api: Api, writer: Writer) -> None:
    async with api.ws() as client:
        await client.subscribe()
        writer.flush([bar(180, seq=30, close="666")], commit=False)
        writer.flush([bar(240, seq=40)])
        assert (await client.next("update"))["bar"] == shown(bar(240, seq=40))
    assert [one["close"] for one in api.bars()] == ["101.5"] * 4


def test_a_restart_shows_the_same_bars(settings: Settings, api: Api) -> None:
    with serving(settings) as other:
        assert other.bars() == api.bars()
        assert other.bars(interval="1s") == api.bars(interval="1s")


async def test_a_new_instrument_appears_by_itself(api: Api, writer: Writer) -> None:
    ether = {"venue": "kraken", "instrument": "ETH-USD"}
    writer.live(bar(120, seq=3, of=ether))
    eventually(lambda: ether in api.get("/api/v1/instruments").json()["instruments"])
    assert api.bars(**ether) == [shown(bar(120, seq=3, of=ether), "forming")]


def test_records_that_cannot_be_read_are_counted_and_the_next_are_shown(api: Api, writer: Writer) -> None:
    whole = writer.value("Bar", bar(180, seq=30))
    impossible = writer.value("Bar", bar(180, seq=30) | {"squared_returns": Decimal("-0.0004")})
    for value in (b"", b"\x00\x7f\xff\xff\xff" + whole[5:], whole[:-3], whole + b"!", b"{}" + whole, impossible):
        writer.raw("bars", value)
    writer.flush([bar(240, seq=40)])
    eventually(lambda: api.bars()[-1] == shown(bar(240, seq=40)))
    assert api.metric('livetape_view_bad_records_total{topic="bars"}') == 6


async def test_requests_that_make_no_sense_are_told_why_and_disturb_nobody(api: Api) -> None:
    requests = [
        ("nonsense", "bad_message", "not JSON"),
        (b"\x00", "bad_message", "binary"),
        ({"op": "subscribe"}, "bad_message", "channel"),
        ({"op": "fly"}, "unknown_op", "subscribe"),
        ({**SUBSCRIBE, "channel": "news"}, "unknown_channel", "bars, trades"),
        ({**SUBSCRIBE, "interval": "2m"}, "unknown_interval", "1s, 5s, 1m"),
        ({**SUBSCRIBE, "venue": "nyse"}, "unknown_venue", "binance"),
        ({**SUBSCRIBE, "instrument": "DOGE-USDT"}, "unknown_instrument", "BTC-USDT"),
        ({**SUBSCRIBE, "op": "unsubscribe"}, "not_subscribed", "no such subscription"),
    ]
    async with api.ws() as watching, api.ws() as client:
        await watching.subscribe()
        for request, code, reason in requests:
            await client.send(request)
            error = await client.next("error")
            assert error["code"] == code
            assert reason in error["reason"]
            assert api.metric(f'livetape_api_errors_total{{code="{code}",door="ws"}}') >= 1
        await watching.send({"op": "ping", "id": 1})
        assert (await watching.next("pong"))["id"] == 1


async def test_an_answer_has_the_id_of_its_request_and_what_follows_has_none(api: Api, writer: Writer) -> None:
    asked = [
        ({**SUBSCRIBE, "interval": "2m"}, "error"),
        (SUBSCRIBE, "snapshot"),
        ({**SUBSCRIBE, "channel": "trades"}, "subscribed"),
        ({"op": "subscribe", "channel": "movers", "interval": "1h"}, "movers"),
        ({"op": "list"}, "list"),
    ]
    async with api.ws() as client:
        for number, (request, kind) in enumerate(asked):
            await client.send({**request, "id": number})
            assert (await client.next(kind))["id"] == number
        writer.flush([bar(300, seq=50)])
        while "id" not in (told := await client.receive()) and told["type"] == "movers":
            pass
        assert (told["type"], "id" in told) == ("update", False)


def test_openapi_has_every_field_of_the_list_and_the_form_of_every_error(bare_api: Api) -> None:
    told = bare_api.get("/openapi.json").json()
    schemas = told["components"]["schemas"]
    assert schemas["Listing"]["properties"].keys() == bare_api.get("/api/v1/instruments").json().keys()
    for path, methods in told["paths"].items():
        if path.startswith("/api/"):
            assert methods["get"]["responses"].keys() == {"200", "4XX", "5XX"}
    refused = bare_api.post("/api/v1/bars")
    assert refused.status_code == 405
    assert refused.json() == {"error": {"code": "wrong_method", "reason": "/api/v1/bars answers GET alone"}}


@pytest.mark.parametrize(
    ("query", "status", "code", "reason"),
    [
        ({"interval": "2m"}, 404, "unknown_interval", "1s, 5s, 1m"),
        ({"venue": "nyse"}, 404, "unknown_venue", "binance"),
        ({"instrument": "DOGE-USDT"}, 404, "unknown_instrument", "BTC-USDT"),
        ({"limit": 0}, 400, "bad_parameter", "limit"),
        ({"limit": 5001}, 400, "bad_parameter", "5000"),
        ({"start_ns": "today"}, 400, "bad_parameter", "start_ns"),
        ({"intervall": "1m"}, 400, "bad_parameter", "intervall"),
    ],
)
def test_a_wrong_rest_request_gets_a_code_and_a_reason(
    bare_api: Api, query: dict[str, str | int], status: int, code: str, reason: str
) -> None:
    answer = bare_api.get("/api/v1/bars", **{**BINANCE_BTC, "interval": "1m", **query})
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert reason in answer.json()["error"]["reason"]


@pytest.fixture(scope="module")
def bare_api(servers: Settings) -> Iterator[Api]:
    """One API for all tests that change nothing."""
    settings = servers.model_copy(update={"namespace": "test-bare"})
    apply(settings)
    Writer(settings).flush([bar(0, seq=10)])
    with serving(settings) as running:
        yield running


def test_an_unknown_path_and_a_missing_parameter_are_told(bare_api: Api) -> None:
    assert bare_api.get("/api/v2").json()["error"]["code"] == "not_found"
    missing = bare_api.get("/api/v1/bars", venue="binance")
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "bad_parameter")
    assert "instrument" in missing.json()["error"]["reason"]


async def test_list_and_unsubscribe(api: Api, writer: Writer) -> None:
    async with api.ws() as client:
        await client.send({"op": "list", "id": 1})
        listed = await client.next("list")
        assert listed["instruments"] == [BINANCE_BTC]
        assert listed["intervals"] == ["1s", "5s", "1m", "5m", "15m", "1h", "1d"]
        await client.subscribe("1m")
        await client.send({**SUBSCRIBE, "op": "unsubscribe"})
        assert (await client.next("unsubscribed"))["interval"] == "1m"
        await client.subscribe("1s")
        writer.flush([bar(120, seq=30), bar(61, seq=31, interval="1s")])
        assert (await client.next("update"))["bar"] == shown(bar(61, seq=31, interval="1s"))


def test_missing_topics_are_waited_for(settings: Settings) -> None:
    with serving(settings, until="waiting") as api:
        answer = api.get("/readyz")
        assert answer.status_code == 503
        assert settings.topic("bars.live") in answer.json()["reason"]
        assert api.get("/healthz").status_code == 200
        refused = api.get("/api/v1/bars", **BINANCE_BTC, interval="1m")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_ready")
        apply(settings)
        eventually(lambda: standing(api) == "ready")


def test_without_kafka_the_api_answers_and_says_what_is_missing(settings: Settings) -> None:
    alone = settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    with serving(alone, until="waiting") as api:
        assert "127.0.0.1:1" in api.get("/readyz").json()["reason"]
        assert api.get("/api/v1/instruments").json()["instruments"] == []


async def test_who_reads_slowly_gets_every_snapshot_and_of_each_bar_the_newest_version(
    settings: Settings, writer: Writer
) -> None:
    asked, last = 200, 1_049  # snapshots of 500 bars: more than the sockets between client and server hold
    writer.flush([bar(0, seq=1), *(bar(number, seq=number, interval="1s") for number in range(500))])
    with serving(settings) as api:
        async with api.ws() as slow, api.ws() as quick:
            await slow.subscribe()
            for _ in range(asked):
                await slow.send({**SUBSCRIBE, "interval": "1s"})
            await quick.subscribe()
            for seq in range(1_000, last + 1):
                writer.live(bar(60, seq=seq))
                await quick.next("update")
            messages = [await slow.receive()]
            while messages[-1].get("bar", {}).get("seq") != last:
                messages.append(await slow.receive())
            updates = [message["bar"]["seq"] for message in messages if message["type"] == "update"]
            for _ in range(asked + len(updates) - len(messages)):
                assert len((await slow.next("snapshot"))["bars"]) == 500
    assert updates == sorted(set(updates))
    assert len(updates) < 25


TRADE = {
    **BINANCE_BTC,
    "trade_id": "19",
    "price": 64_123_450_000,
    "size": 500_000,
    "aggressor": "sell",
    "event_time_ns": 1_700_000_000_123_000_000,
    "receive_time_ns": 1_700_000_000_124_000_001,
    "action": "trade",
    "conditions": [],
    "source": "live",
}


async def test_a_trade_of_the_bridge_is_told_at_once_and_lost_ones_are_counted_and_told(
    settings: Settings, api: Api, writer: Writer
) -> None:
    value = writer.value("Trade", {**TRADE, "price": Decimal("64123.450"), "size": Decimal("0.5")})
    session = mark_of_namespace(settings.namespace) + b"session"
    with zmq.Context() as context, context.socket(zmq.XPUB) as bridge:
        bridge.bind(settings.zmq_data)
        assert bridge.recv() == b"\x01"  # the API has subscribed
        async with api.ws() as client:
            await client.send({"op": "subscribe", "channel": "trades", **BINANCE_BTC})
            await client.next("subscribed")
            for sequence in (1, 2, 5):
                bridge.send_multipart([b"binance:BTC-USDT", struct.pack(">16sQ", session, sequence), value])
            messages = [await client.next(kind) for kind in ("trade", "trade", "lost", "trade")]
    assert messages[0] == {
        "type": "trade",
        "channel": "trades",
        **BINANCE_BTC,
        "trade": {
            "trade_id": "19",
            "price": "64123.45",
            "size": "0.5",
            "aggressor": "sell",
            "event_time_ns": "1700000000123000000",
            "receive_time_ns": "1700000000124000001",
            "counts_for": ["open_close", "high_low", "volume"],
        },
    }
    assert [messages[2][name] for name in ("channel", "venue", "count")] == ["trades", "binance", 2]
    assert api.metric('livetape_ticks_total{origin="live",venue="binance"}') == 3
    assert api.metric('livetape_tick_holes_total{venue="binance"}') == 1
    assert api.metric('livetape_ticks_missing_total{venue="binance"}') == 2
