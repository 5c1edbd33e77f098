"""`make bench-latency-ws`: how long after an exchange sent a trade the page hears of it, by both flows.

simulated Binance → tap (notes the time) → bridge → Kafka → fold → Kafka → API → /ws (notes the time), and
bridge → ZeroMQ → API → /ws. Every part is its own process, as in a demo; servers, ports and files are the benchmark's
own. The last line is one JSON object, times in milliseconds.
"""

import asyncio
import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
import uvloop

from app import topic_admin
from app.database import migrate
from app.http_client import address_of
from app.schema_registry import register_all
from app.settings import Settings
from app.sources import VenueConfig
from app.units import SECOND_NS
from bench.exchange_tap import ExchangeTap
from bench.flow_times import first_covering, percentiles
from bench.page_watch import VENUE, PageWatch
from bench.parts import supervised
from bench.topic_times import appended_bars, appended_trades
from cli.supervisor import Part, Supervisor
from local import certificates, ports, stack

INSTRUMENTS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT")
WARM_UP_S = 10.0
READY_S = 60.0


def main(
    rate: Annotated[int, typer.Option(min=1, help="Trades a second, over all instruments.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long to measure, after the warm-up.")] = 30.0,
    keep: Annotated[Path | None, typer.Option(help="Where to keep the logs of the parts.")] = None,
) -> None:
    """Measure both flows on this machine."""
    with tempfile.TemporaryDirectory(prefix="livetape-bench-") as folder:
        exchange_port, tap_port = ports.free_ports(2)
        settings = _settings(Path(folder), exchange_port, tap_port)
        try:
            with stack.running(settings):
                result = _measure(settings, exchange_port, tap_port, rate, seconds)
        finally:
            if keep is not None:
                shutil.copytree(settings.logs_dir, keep, dirs_exist_ok=True)
    print(json.dumps(result))


def _settings(home: Path, exchange_port: int, tap_port: int) -> Settings:
    settings = stack.on_free_ports(Settings(namespace="bench"), home)
    venue = VenueConfig(
        url=f"wss://127.0.0.1:{tap_port}/stream",
        rest_url=f"https://127.0.0.1:{exchange_port}",
        instruments=INSTRUMENTS,
        ca_file=settings.certs_dir / "ca.pem",
    )
    return settings.model_copy(update={"venues": {VENUE: venue}})


def _measure(
    settings: Settings, exchange_port: int, tap_port: int, rate: int, seconds: float
) -> dict[str, float | int | None]:
    certs = certificates.ensure(settings.certs_dir)
    topic_admin.apply(settings)
    register_all(settings)
    migrate(settings)
    tap = ExchangeTap(tap_port, exchange_port, certs)
    page = PageWatch(f"ws://{address_of(settings.api_host, settings.api_port)}/ws", INSTRUMENTS, settings.intervals[0])
    supervisor = Supervisor()
    try:
        supervisor.start(_exchange(settings, certs, exchange_port, rate))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            busy_percent = runner.run(_watch(settings, supervisor, tap, page, seconds))
    finally:
        supervisor.stop()
    return {**_result(settings, tap, page, seconds), "machine_busy_percent": busy_percent}


async def _watch(
    settings: Settings, supervisor: Supervisor, tap: ExchangeTap, page: PageWatch, seconds: float
) -> float:
    """Start the parts and listen; how busy the machine was while measured, in percent of all its cores."""
    async with tap.listening():
        for part in _parts(settings):
            supervisor.start(part)
        await _until_bars_come(settings)
        watching = asyncio.create_task(page.run())
        try:
            await _listen(watching, WARM_UP_S)
            psutil.cpu_percent()  # the next call tells of the time since this one
            await _listen(watching, seconds)
            return psutil.cpu_percent()
        finally:
            watching.cancel()


async def _listen(watching: asyncio.Task[None], seconds: float) -> None:
    """Let time pass; raise what ends the client before its time."""
    done, _ = await asyncio.wait([watching], timeout=seconds)
    for task in done:
        task.result()


async def _until_bars_come(settings: Settings) -> None:
    """Wait until the API is ready and has bars of every instrument."""
    url = f"http://{address_of(settings.api_host, settings.api_port)}"
    async with asyncio.timeout(READY_S), httpx.AsyncClient(base_url=url) as http:
        while True:
            with suppress(httpx.TransportError):
                ready = (await http.get("/readyz")).is_success
                seen = (await http.get("/api/v1/instruments")).json()["instruments"]
                if ready and len(seen) == len(INSTRUMENTS):
                    return
            await asyncio.sleep(0.25)


def _exchange(settings: Settings, certs: certificates.Certificates, port: int, rate: int) -> Part:
    market = ["--instruments", ",".join(INSTRUMENTS), "--rate", str(rate), "--seed", "1"]
    tls = ["--cert", str(certs.server), "--key", str(certs.key)]
    return supervised(settings, "replay", "market", "--venue", f"{VENUE}={port}", *market, *tls)


def _parts(settings: Settings) -> list[Part]:
    return [supervised(settings, command) for command in ("bridge", "worker", "sink", "serve")]


def _result(settings: Settings, tap: ExchangeTap, page: PageWatch, seconds: float) -> dict[str, float | int | None]:
    """Percentiles over the trades sent in the measured time, by the time since the tap sent them."""
    canonical = {name.replace("-", ""): name for name in INSTRUMENTS}
    sent = {(canonical[symbol], identity): sent_ns for (symbol, identity), sent_ns in tap.sent_ns.items()}
    first_ns = max(sent.values()) - int((seconds + 1) * SECOND_NS)
    last_ns = max(sent.values()) - SECOND_NS  # a trade of the last moment may still be under way
    sent = {key: sent_ns for key, sent_ns in sent.items() if first_ns <= sent_ns < last_ns}
    flows = {
        "standard": first_covering(page.covered, sent),
        "low_latency": page.instant_ns,
        "to_bridge": page.received_ns,
        "to_trades_topic": appended_trades(settings),
        "to_live_topic": first_covering(appended_bars(settings, settings.intervals[0]), sent),
    }
    result: dict[str, float | int | None] = {"trades": len(sent), "trades_per_s": round(len(sent) / seconds)}
    for flow, times in flows.items():
        result |= percentiles(flow, sent, times)
    return result


if __name__ == "__main__":
    typer.run(main)
