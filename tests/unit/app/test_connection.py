"""A /ws connection whose client does not read, on a real socket; the view is filled by hand."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from app import refusals
from app.api import build_api
from app.bars import Instrument, encode
from app.services import Services
from app.settings import Settings
from app.status import State
from app.tick_stream import Lost
from app.views import RING_BARS
from app.websocket import connection, protocol
from app.websocket.outbox import MAX_TRADES
from app.websocket.protocol import Protocol
from tests.unit.app.test_views import KEY, final

ENOUGH = 200
"""Snapshots of full rings: more than the sockets between client and server hold."""
SUBSCRIBE = json.dumps({"op": "subscribe", "channel": "bars", **KEY._asdict()})
TRADES = {"channel": "trades", "venue": KEY.venue, "instrument": KEY.instrument}
LARGE = json.dumps({"type": "trade", "trade": "1" * 20_000})
"""Of messages as large, fewer than an outbox holds are more than the sockets do."""


@asynccontextmanager
async def serving(
    protocol: type[Protocol] = Protocol, state: State = State.READY
) -> AsyncIterator[tuple[str, Services]]:
    """The application without its feed: the address of /ws, and its parts."""
    application = build_api(Settings())
    services: Services = application.state.services
    services.view.apply((KEY, final(start, seq=start)) for start in range(RING_BARS))
    services.status.set(state)
    server = uvicorn.Server(uvicorn.Config(application, ws=protocol, lifespan="off", log_level="error"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}/ws", services
        server.should_exit = True
        await task


async def answer(client: ClientConnection, request: str) -> dict[str, Any]:
    """What the server says to a request that it answers at once."""
    await client.send(request)
    while (message := json.loads(await client.recv()))["type"] in {"hello", "heartbeat"}:
        pass
    return dict(message)


async def read_to_the_end(websocket: ClientConnection) -> None:
    while True:
        await websocket.recv()


async def test_a_client_that_takes_nothing_is_disconnected_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 0.3)
    monkeypatch.setattr(connection, "HEARTBEAT_S", 0.1)
    async with serving() as (url, services):
        async with connect(url) as good, connect(url, compression=None, max_queue=1) as stalled:
            for _ in range(ENOUGH):
                await stalled.send(SUBSCRIBE)
            async with asyncio.timeout(120):
                while services.metrics.slow_disconnects._value.get() == 0:
                    assert json.loads(await good.recv())["type"] in {"hello", "heartbeat"}
                with pytest.raises(ConnectionClosed):
                    await read_to_the_end(stalled)
            await good.send('{"op":"ping"}')
            while json.loads(await good.recv())["type"] != "pong":
                pass
        series = services.view.series(KEY)
        assert series is not None
        assert not series.listeners


async def test_a_client_that_never_reads_again_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 0.3)
    monkeypatch.setattr(connection, "HEARTBEAT_S", 0.1)
    monkeypatch.setattr(protocol, "UNSENT_S", 0.1)
    cut_off = asyncio.Event()

    class Watched(Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            cut_off.set()

    async with (
        asyncio.timeout(120),
        serving(Watched) as (url, _),
        connect(url, compression=None, max_queue=1) as stalled,
    ):
        for _ in range(ENOUGH):
            await stalled.send(SUBSCRIBE)
        await cut_off.wait()


class Counting(ClientConnection):
    """A client that counts what comes over the network."""

    bytes_taken = 0

    def data_received(self, data: bytes) -> None:
        self.bytes_taken += len(data)
        super().data_received(data)


async def test_large_messages_are_compressed_and_updates_are_not() -> None:
    async with (
        asyncio.timeout(120),
        serving() as (url, services),
        connect(url, create_connection=Counting) as client,
    ):
        assert isinstance(client, Counting)
        snapshot = await answer(client, SUBSCRIBE)
        assert len(snapshot["bars"]) == RING_BARS
        assert client.bytes_taken < len(encode(snapshot)) / 3
        before = client.bytes_taken
        services.view.apply([(KEY, final(RING_BARS, seq=RING_BARS))])
        while (update := json.loads(await client.recv()))["type"] != "update":
            pass
        assert client.bytes_taken - before > len(encode(update))


async def test_a_client_that_knows_no_compression_gets_none() -> None:
    async with asyncio.timeout(120), serving() as (url, _), connect(url, compression=None) as client:
        assert len((await answer(client, SUBSCRIBE))["bars"]) == RING_BARS


async def test_heartbeats_tell_when_the_list_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEARTBEAT_S", 0.01)
    async with asyncio.timeout(120), serving() as (url, services), connect(url) as client:
        before = await answer(client, '{"op":"list"}')
        services.catalogue.saw_trade(Instrument("kraken", "ETH-USD"))
        while json.loads(await client.recv()).get("list_version") in {None, before["version"]}:
            pass
        after = await answer(client, '{"op":"list","id":1}')
        assert after == {**before, "id": 1, "version": services.listing.version, "instruments": after["instruments"]}
        assert len(after["instruments"]) == len(before["instruments"]) + 1


async def test_heartbeats_tell_how_the_view_stands_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEARTBEAT_S", 0.01)
    async with asyncio.timeout(120), serving() as (url, services):
        services.status.set(State.WAITING, "Kafka is away")
        async with connect(url) as client:
            hello = json.loads(await client.recv())
            assert (hello["type"], hello["state"], hello["reason"]) == ("hello", "waiting", "Kafka is away")
            for state, reason in ((State.READY, None), (State.FAILED, "the feed ended")):
                services.status.set(state, reason)
                while (told := json.loads(await client.recv()))["state"] != state:
                    pass
                assert (told["type"], told["reason"]) == ("heartbeat", reason)


async def test_a_client_whose_pong_waits_behind_its_requests_is_kept() -> None:
    unread = asyncio.get_running_loop().create_future()
    waited = asyncio.Event()

    class Watched(Protocol):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.read_paused and not unread.done():
                unread.set_result(self)

        def keepalive_timeout(self) -> None:
            self.ping_timeout = 120.0
            super().keepalive_timeout()
            waited.set()

    async with (
        asyncio.timeout(120),
        serving(Watched) as (url, _),
        connect(url, compression=None, max_queue=1, ping_interval=None) as slow,
    ):
        for _ in range(ENOUGH):
            await slow.send(SUBSCRIBE)
        server = await unread
        server.ping_timeout = 0.0
        server.send_keepalive_ping()
        await waited.wait()
        snapshots = 0
        while snapshots < ENOUGH:
            snapshots += json.loads(await slow.recv())["type"] == "snapshot"


async def test_a_client_that_reads_too_slowly_can_unsubscribe(monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = Instrument(KEY.venue, KEY.instrument)
    ended = asyncio.Event()
    async with (
        asyncio.timeout(120),
        serving() as (url, services),
        connect(url, compression=None, max_queue=1) as slow,
    ):
        monkeypatch.setattr(services.ticks, "unsubscribe", lambda *_: ended.set())
        await slow.send(json.dumps({"op": "subscribe", **TRADES}))
        while json.loads(await slow.recv())["type"] != "subscribed":
            pass
        (listener,) = services.ticks._listeners[instrument]
        for _ in range(2 * MAX_TRADES):
            listener.trade_happened(instrument, LARGE)
            await asyncio.sleep(0)
        await slow.send(json.dumps({"op": "unsubscribe", **TRADES}))
        await ended.wait()
        assert services.metrics.clients._value.get() == 1


async def test_a_client_of_trades_is_told_which_messages_of_the_venue_are_lost() -> None:
    async with asyncio.timeout(120), serving() as (url, services), connect(url) as client:
        assert (await answer(client, json.dumps({"op": "subscribe", **TRADES})))["type"] == "subscribed"
        services.ticks._lost(Lost(KEY.venue, b"session", 3, 9, "nobody has them"))
        while (told := json.loads(await client.recv()))["type"] == "heartbeat":
            pass
        assert (told["type"], told["venue"], told["count"]) == ("lost", KEY.venue, 7)


@pytest.mark.parametrize(
    ("request_text", "answered"),
    [(SUBSCRIBE, "snapshot"), ('{"op":"subscribe","channel":"movers","interval":"1m"}', "movers")],
)
async def test_what_may_still_lack_some_is_refused_until_the_view_was_ready_once(
    request_text: str, answered: str
) -> None:
    async with asyncio.timeout(120), serving(state=State.CATCHING_UP) as (url, services), connect(url) as client:
        assert (await answer(client, request_text))["code"] == "not_ready"
        assert (await answer(client, request_text.replace('"subscribe"', '"unsubscribe"')))["code"] == "not_subscribed"
        services.status.set(State.READY)
        services.status.set(State.WAITING, "Kafka is away")
        assert (await answer(client, request_text))["type"] == answered


async def test_a_series_beyond_the_bound_is_refused_and_is_no_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = {"channel": "bars", **KEY._replace(interval="5m")._asdict()}
    async with asyncio.timeout(120), serving() as (url, services), connect(url) as client:
        monkeypatch.setattr(services.view, "_max_series", 1)
        for op, code in (("subscribe", "too_many_series"), ("unsubscribe", "not_subscribed")):
            assert (await answer(client, json.dumps({**beyond, "op": op})))["code"] == code


async def test_the_page_of_another_site_is_refused_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETAPE_API_ORIGINS", '["https://charts.example"]')
    async with asyncio.timeout(120), serving() as (url, services):
        own = Origin(url.removesuffix("/ws").replace("ws://", "http://"))
        for origin in (None, own, Origin("https://charts.example")):
            async with connect(url, origin=origin) as client:
                assert json.loads(await client.recv())["type"] == "hello"
        forwarded = {"X-Forwarded-Host": "evil.example"}
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, origin=Origin("https://evil.example"), additional_headers=forwarded)
        response = refused.value.response
        assert (response.status_code, json.loads(response.body)["error"]["code"]) == (403, "wrong_origin")
        assert services.metrics.errors.labels("ws", "wrong_origin")._value.get() == 1


async def test_each_page_that_is_refused_is_told_in_the_log_once_and_so_many_at_the_most(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(refusals, "PAIRS", 2)
    async with asyncio.timeout(120), serving() as (url, _):
        for page in (
            "https://charts.example",
            "https://charts.example",
            "https://evil.example",
            "https://more.example",
        ):
            with pytest.raises(InvalidStatus):
                await connect(url, origin=Origin(page))
    host = url.removeprefix("ws://").removesuffix("/ws")
    assert [record.getMessage().partition(": name ")[0] for record in caplog.records] == [
        f"a page of {page} may not open /ws at {host}" for page in ("https://charts.example", "https://evil.example")
    ]
