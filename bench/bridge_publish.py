"""`make bench-bridge-publish`: how long after the bridge read a frame its trade is with a subscriber, and in Kafka.

simulated Binance → bridge → ZeroMQ (a subscriber notes the time) and → Kafka (the broker's own append time, to the
millisecond). Servers, ports and files are the benchmark's own. The last line is one JSON object, times in milliseconds
from the trade's receive time.

Measured at 1,000 trades/s, 20,014 trades, on 2 cores that other work kept 97 % busy, so the tails say little: ZeroMQ
p50 0.21 ms, p99 43 ms; Kafka p50 6.8 ms, p99 335 ms.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer
import zmq

from app import topic_admin
from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.schema_registry import register_all
from app.settings import Settings
from app.sources import VenueConfig
from bench.flow_times import TradeKey, percentiles
from bench.parts import supervised
from bench.topic_times import appended_trades
from cli.supervisor import Supervisor
from local import certificates, ports, stack

INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT")
WARM_UP_S = 5.0
SILENCE_MS = 60_000
Heard = list[tuple[int, bytes]]
"""When each message came, in ns since 1970, and its value."""


def main(
    rate: Annotated[int, typer.Option(min=1, help="Trades a second, over all instruments.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long to measure, after the warm-up.")] = 20.0,
) -> None:
    """Measure both publishers of the bridge on this machine."""
    (port,) = ports.free_ports(1)
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        settings = stack.on_free_ports(Settings(namespace="bench"), Path(folder))
        venue = VenueConfig(
            url=f"wss://127.0.0.1:{port}/stream",
            rest_url=f"https://127.0.0.1:{port}",
            instruments=INSTRUMENTS,
            ca_file=settings.certs_dir / "ca.pem",
        )
        settings = settings.model_copy(update={"venues": {"binance": venue}})
        with stack.running(settings):
            topic_admin.apply(settings)
            register_all(settings)
            psutil.cpu_percent()
            heard = _hear(settings, port, rate, seconds)
            busy_percent = psutil.cpu_percent()
            result = _result(settings, heard)
    print(json.dumps({**result, "machine_busy_percent": busy_percent}))


def _hear(settings: Settings, port: int, rate: int, seconds: float) -> Heard:
    """Run exchange and bridge, and note when each message comes; what comes first only warms up."""
    certs = certificates.ensure(settings.certs_dir)
    market = ["--instruments", ",".join(INSTRUMENTS), "--rate", str(rate), "--seed", "1"]
    tls = ["--cert", str(certs.server), "--key", str(certs.key)]
    heard: Heard = []
    supervisor = Supervisor()
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.set(zmq.RCVTIMEO, SILENCE_MS)
        socket.subscribe(b"binance:")  # trades, not clocks
        socket.connect(settings.zmq_data)
        try:
            supervisor.start(supervised(settings, "replay", "market", "--venue", f"binance={port}", *market, *tls))
            supervisor.start(supervised(settings, "bridge"))
            socket.recv_multipart()
            began_s = time.monotonic()
            while (now_s := time.monotonic() - began_s) < WARM_UP_S + seconds:
                value = socket.recv_multipart()[-1]
                if now_s >= WARM_UP_S:
                    heard.append((time.time_ns(), value))
        finally:
            supervisor.stop()
    return heard


def _result(settings: Settings, heard: Heard) -> dict[str, float | int | None]:
    reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings))
    received: dict[TradeKey, int] = {}
    came: dict[TradeKey, int] = {}
    for now_ns, value in heard:
        kind, fields = reader.read(value)
        if kind != "livetape.Trade":
            continue
        key = (fields["instrument"], int(fields["trade_id"]))
        received[key], came[key] = fields["receive_time_ns"], now_ns
    flows = percentiles("zeromq", received, came) | percentiles("kafka", received, appended_trades(settings))
    return {"trades": len(received), **flows}


if __name__ == "__main__":
    typer.run(main)
