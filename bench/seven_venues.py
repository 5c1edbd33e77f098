"""What one bridge takes for seven venues at once, by both flows; a part of `make bench-bridge`.

Seven simulated exchanges → bridge → ZeroMQ (a subscriber that notices what is missing) and → Kafka. The bridge may use
two cores, which it shares with the exchanges, the broker and the subscriber where there are no more. Servers, ports and
files are the benchmark's own. By itself (`python -m bench.seven_venues`) its last line is one JSON object.
"""

import asyncio
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer

from app import topic_admin
from app.records import RecordReader
from app.schema_lookup import RegistrySchemas
from app.schema_registry import register_all
from app.settings import Settings
from app.sources import VenueConfig
from app.tick_stream.items import Lost, Tick
from app.tick_stream.stream import TickStream
from app.units import MICROSECOND_NS
from bench.bridge_frames import Figures
from bench.parts import started, supervised
from bench.processes import Cost, CostMeter
from cli.supervisor import Supervisor
from local import certificates, ports, stack
from replay.venues import PROTOCOLS, VenueName

CORES: Final = 2
TRADE: Final = "livetape.Trade"
INSTRUMENTS: Final = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT", "DOGE-USDT")
READY_S: Final = 60.0
WARM_UP_S: Final = 5.0


@dataclass
class Heard:
    """What came over ZeroMQ."""

    delays_ns: list[int] = field(default_factory=list)
    """From when each trade was received until it was published."""
    holes: int = 0
    """Stretches of messages that never came."""


def main(
    rate: Annotated[int, typer.Option(min=1, help="Trades per second and venue.")] = 500,
    seconds: Annotated[float, typer.Option(min=1, help="How long to measure, after the warm-up.")] = 20.0,
) -> None:
    """Measure a bridge of seven venues on this machine."""
    print(json.dumps(measure(rate, seconds)))


def measure(rate: int = 500, seconds: float = 20.0) -> Figures:
    """Trades a second that came, what the bridge took for them, and how long each was in it.

    Raises:
        RuntimeError: a venue brought nothing.
    """
    print(f"seven venues with {rate} trades a second each", flush=True)
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        venue_ports = dict(zip(VenueName, ports.free_ports(len(VenueName)), strict=True))
        settings = _settings(Path(folder), venue_ports)
        with stack.running(settings):
            topic_admin.apply(settings)
            register_all(settings)
            return _figures(*_run(settings, venue_ports, rate, seconds))


def _settings(home: Path, venue_ports: dict[VenueName, int]) -> Settings:
    settings = stack.on_free_ports(Settings(namespace="bench"), home)
    venues = {
        str(name): VenueConfig(
            url=f"wss://127.0.0.1:{port}{PROTOCOLS[name].path}",
            rest_url=f"https://127.0.0.1:{port}",
            instruments=INSTRUMENTS,
            ca_file=settings.certs_dir / "ca.pem",
        )
        for name, port in venue_ports.items()
    }
    return settings.model_copy(update={"venues": venues})


def _run(settings: Settings, venue_ports: dict[VenueName, int], rate: int, seconds: float) -> tuple[Heard, Cost]:
    certs = certificates.ensure(settings.certs_dir)
    venues = [part for name, port in venue_ports.items() for part in ("--venue", f"{name}={port}")]
    market = ["--instruments", ",".join(INSTRUMENTS), "--rate", str(rate)]
    exchanges = supervised(
        settings, "replay", "market", *venues, *market, "--cert", str(certs.server), "--key", str(certs.key)
    )
    supervisor = Supervisor()
    try:
        supervisor.start(exchanges)
        supervisor.wait_until(
            lambda: all(map(ports.answers, venue_ports.values())), READY_S, "no exchange answers", exchanges.log
        )
        with started(settings, "bridge", settings.logs_dir / "bridge.log") as bridge:
            psutil.Process(bridge.pid).cpu_affinity(sorted(os.sched_getaffinity(0))[:CORES])
            try:
                return asyncio.run(_listen(settings, bridge.pid, seconds))
            finally:
                bridge.terminate()
    finally:
        supervisor.stop()


async def _listen(settings: Settings, pid: int, seconds: float) -> tuple[Heard, Cost]:
    reader = RecordReader(settings.schemas_dir, RegistrySchemas(settings))
    async with TickStream(settings) as stream:
        await _all_bring_trades(stream, reader)
        await _hear(stream, reader, WARM_UP_S)
        meter = CostMeter(pid)
        heard = await _hear(stream, reader, seconds)
        return heard, meter.read()


async def _all_bring_trades(stream: TickStream, reader: RecordReader) -> None:
    missing = set(map(str, VenueName))
    try:
        async with asyncio.timeout(READY_S):
            while missing:
                tick = await anext(stream)
                if isinstance(tick, Tick) and reader.read(tick.value)[0] == TRADE:
                    missing.discard(tick.venue)
    except TimeoutError:
        raise RuntimeError(f"no trade came from {', '.join(sorted(missing))} in {READY_S:.0f} s") from None


async def _hear(stream: TickStream, reader: RecordReader, seconds: float) -> Heard:
    heard, ends_s = Heard(), time.monotonic() + seconds
    while time.monotonic() < ends_s:
        tick = await anext(stream)
        if isinstance(tick, Lost):
            heard.holes += 1
            continue
        kind, fields = reader.read(tick.value)
        if kind == TRADE:
            heard.delays_ns.append(fields["publish_time_ns"] - fields["receive_time_ns"])
    return heard


def _figures(heard: Heard, cost: Cost) -> Figures:
    delays_us = sorted(delay_ns / MICROSECOND_NS for delay_ns in heard.delays_ns)
    return {
        "seven_venues_per_s": round(len(delays_us) / cost.wall_s),
        "seven_venues_cores": round(cost.cpu_s / cost.wall_s, 3),
        "seven_venues_us_p50": round(delays_us[len(delays_us) // 2], 1),
        "seven_venues_us_p99": round(delays_us[len(delays_us) * 99 // 100], 1),
        "seven_venues_holes": heard.holes,
    }


if __name__ == "__main__":
    typer.run(main)
