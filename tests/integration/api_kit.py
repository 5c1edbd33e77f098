"""What the tests of the API share: a real uvicorn process, a /ws client, and bars on the real broker.

Bars are made from plain Decimals and written by fastavro and the stock producer, so that nothing of the API's own
reading is used to say what it should show.
"""

import asyncio
import io
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal, localcontext
from typing import Any, overload

import fastavro
import httpx
from confluent_kafka import Producer
from websockets.asyncio.client import ClientConnection, connect

from app.settings import PROJECT, Settings
from app.units import SECOND_NS
from local import ports

WAIT_S = 120.0
"""For one thing to happen: far more than it takes, since a busy machine may be ten times as slow."""
BINANCE_BTC = {"venue": "binance", "instrument": "BTC-USDT"}
AMOUNTS = ("open", "high", "low", "close", "volume", "buy_volume", "sell_volume", "notional", "squared_returns")
COPIED = ("venue", "instrument", "interval", "trade_count", "missing", "revision", "seq", "first_trade_id")
EIGHTEEN_PLACES = Decimal(1).scaleb(-18)
Fields = dict[str, Any]
LOCAL = httpx.Client(timeout=WAIT_S, limits=httpx.Limits(max_keepalive_connections=0))
"""Asks servers of this machine often: `httpx.get` makes a TLS context for each question, which takes 20 ms."""


def bar(
    start_s: int,
    *,
    seq: int,
    close: str = "101.5",
    interval: str = "1m",
    revision: int = 0,
    of: Mapping[str, str] = BINANCE_BTC,
) -> Fields:
    """A final or revised bar with Decimal amounts."""
    volume = Decimal("0.3")
    return {
        **of,
        "interval": interval,
        "start_ns": start_s * SECOND_NS,
        "state": "revised" if revision else "final",
        "revision": revision,
        "open": Decimal(100),
        "high": Decimal("110.10"),
        "low": Decimal("0.000000000000000001"),
        "close": Decimal(close),
        "volume": volume,
        "buy_volume": Decimal("0.2"),
        "sell_volume": Decimal("0.04"),
        "notional": Decimal("31.7"),
        "squared_returns": Decimal("0.0004"),
        "trade_count": 3,
        "missing": None,
        "seq": seq,
        "first_offset": 0,
        "last_offset": seq,
        "first_trade_id": "17",
        "last_trade_id": "19",
        "epoch": "log-0",
        "generation": 0,
        "partition": 0,
    }


@overload
def text(amount: Decimal) -> str: ...
@overload
def text(amount: Decimal | None) -> str | None: ...
def text(amount: Decimal | None) -> str | None:
    """A Decimal as a plain number without trailing zeros."""
    if amount is None:
        return None
    plain = f"{amount:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def shown(fields: Fields, state: str | None = None) -> Fields:
    """The JSON object that the API should show for a bar."""
    with localcontext(prec=80):
        vwap = (fields["notional"] / fields["volume"]).quantize(EIGHTEEN_PLACES) if fields["volume"] else None
        buy, sell = fields["buy_volume"], fields["sell_volume"]
        imbalance = ((buy - sell) / (buy + sell)).quantize(EIGHTEEN_PLACES) if buy + sell else None
        squared = fields["squared_returns"]
        volatility = None if squared is None else squared.sqrt().quantize(EIGHTEEN_PLACES)
    return {
        **{name: fields[name] for name in COPIED},
        **{name: text(fields[name]) for name in AMOUNTS},
        "start_ns": str(fields["start_ns"]),
        "last_trade_id": fields["last_trade_id"],
        "vwap": text(vwap),
        "order_flow_imbalance": text(imbalance),
        "realised_volatility": text(volatility),
        "state": state or fields["state"],
        "epoch": f"{fields['epoch']}.{fields['generation']}",
    }


class Writer:
    """Writes records as the fold and the bridge do: wire header, registered schemas, one transaction a flush."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._schemas: dict[str, tuple[int, Any]] = {}
        config = {**settings.kafka_config, "linger.ms": 0}
        self._plain = Producer(config)
        self._transactional = Producer({**config, "transactional.id": f"{settings.namespace}-writer"})
        self._transactional.init_transactions(WAIT_S)

    def value(self, name: str, fields: Fields) -> bytes:
        """The Kafka value of a record of the type `livetape.<name>`."""
        schema_id, schema = self._schemas.get(name) or self._register(name)
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, fields)
        return struct.pack(">bI", 0, schema_id) + body.getvalue()

    def flush(self, bars: Sequence[Fields], *, commit: bool = True, partition: int = 0) -> None:
        """Write final and revised bars in one transaction, and commit or abort it."""
        self._transactional.begin_transaction()
        for fields in bars:
            topic = "bars.1s" if fields["interval"] == "1s" else "bars"
            self._transactional.produce(self._settings.topic(topic), self.value("Bar", fields), partition=partition)
        assert self._transactional.flush(WAIT_S) == 0
        if commit:
            self._transactional.commit_transaction(WAIT_S)
        else:
            self._transactional.abort_transaction(WAIT_S)

    def live(self, *bars: Fields) -> None:
        """Write the forming bars of one instrument."""
        key = f"{bars[0]['venue']}:{bars[0]['instrument']}"
        self.raw("bars.live", self.value("Live", {**bars[0], "bars": bars}), key)

    def raw(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Write any bytes."""
        self._plain.produce(self._settings.topic(topic), value, key, partition=0)
        assert self._plain.flush(WAIT_S) == 0

    def _register(self, name: str) -> tuple[int, Any]:
        source = (PROJECT / "schemas" / f"{name.lower()}.avsc").read_text()
        url = f"{self._settings.registry_url}/subjects/livetape.{name}/versions"
        answer = httpx.post(url, json={"schema": source, "schemaType": "AVRO"}, timeout=WAIT_S).raise_for_status()
        self._schemas[name] = (answer.json()["id"], fastavro.parse_schema(json.loads(source)))
        return self._schemas[name]


class Api:
    """A running API and a client of it."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url
        self._http = http

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """GET a path."""
        return self._http.get(path, params=query)

    def post(self, path: str) -> httpx.Response:
        """POST nothing to a path."""
        return self._http.post(path)

    def bars(self, **query: str | int) -> list[Fields]:
        """Bars of BTC-USDT on Binance, one-minute ones unless the query says otherwise."""
        answer = self.get("/api/v1/bars", **{**BINANCE_BTC, "interval": "1m", **query})
        assert answer.status_code == 200, answer.text
        bars: list[Fields] = answer.json()["bars"]
        return bars

    def metric(self, sample: str) -> float:
        """Value of a sample of /metrics, 0 where it has not been counted yet."""
        lines = (line.rsplit(" ", 1) for line in self.get("/metrics").text.splitlines())
        return next((float(value) for name, value in lines if name == sample), 0.0)

    @asynccontextmanager
    async def ws(self) -> AsyncIterator["Client"]:
        """An open /ws connection that has been greeted."""
        async with connect(f"{self.url.replace('http', 'ws')}/ws", compression=None) as websocket:
            client = Client(websocket)
            client.hello = await client.next("hello")
            yield client


class Client:
    """A /ws client."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket
        self.hello: Fields = {}

    async def send(self, message: object) -> None:
        """Send a JSON message; text as it is."""
        await self._websocket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self) -> Fields:
        """The next message that is no heartbeat."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message: Fields = json.loads(await self._websocket.recv())
                if message["type"] != "heartbeat":
                    return message

    async def next(self, kind: str) -> Fields:
        """The next message, which must be of this type."""
        message = await self.receive()
        assert message["type"] == kind, message
        return message

    async def subscribe(self, interval: str = "1m") -> list[Fields]:
        """Subscribe to bars of BTC-USDT on Binance; the snapshot's bars."""
        await self.send({"op": "subscribe", "channel": "bars", **BINANCE_BTC, "interval": interval})
        bars: list[Fields] = (await self.next("snapshot"))["bars"]
        return bars


@contextmanager
def serving(settings: Settings, *, until: str = "ready") -> Iterator[Api]:
    """The API as its own process by `uvicorn app:app`, from when /readyz says the wanted state."""
    (port,) = ports.free_ports(1)
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    log = settings.logs_dir / f"api-{port}.log"
    arguments = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    environment = {**os.environ, **settings.environment()}
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, cwd=PROJECT, env=environment, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, timeout=WAIT_S) as http:
            api = Api(url, http)
            eventually(lambda: standing(api) == until, lambda: f"{standing(api)}\n{log.read_text()}")
            yield api
    finally:
        process.terminate()
        process.wait(WAIT_S)


def standing(api: Api) -> str:
    """The state that /readyz tells, or `down`."""
    try:
        return str(api.get("/readyz").json()["state"])
    except httpx.TransportError:
        return "down"


def eventually(condition: Any, say: Any = lambda: "it never happened", *, within_s: float = WAIT_S) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, say()
        time.sleep(0.02)
