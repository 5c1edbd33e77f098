"""`livetape demo`: from nothing to a served bar, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from app.settings import PROJECT, Settings
from app.sources import VenueConfig
from local import certificates, ports, stack
from local.stack import Stack
from replay.venues import PROTOCOLS, VenueName
from tests.integration.api_kit import LOCAL, WAIT_S, eventually
from tests.integration.bridge_run import BTC


def start(settings: Settings, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments],
        cwd=PROJECT,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.PIPE,
        text=True,
    )


def told_until_ready(demo: "subprocess.Popen[str]") -> list[str]:
    """The lines that the demo prints, up to the one that has its address."""
    assert demo.stdout is not None
    told = []
    for line in demo.stdout:
        told.append(line)
        if line.startswith("ready: "):
            return told
    raise AssertionError("the demo was never ready:\n" + "".join(told))


def read_until_ready(demo: "subprocess.Popen[str]") -> str:
    """The address that the demo prints."""
    return told_until_ready(demo)[-1].removeprefix("ready: ").rstrip()


def read_to_the_end(demo: "subprocess.Popen[str]") -> None:
    """Take what it still prints: with nobody at the other end of the pipe it could not end well."""
    demo.communicate(timeout=WAIT_S)


def taken_ports(settings: Settings) -> list[int]:
    servers = {port for server in Stack(settings).servers for port in server.ports.values()}
    return [port for port in servers | {settings.api_port} if not ports.is_free(port)]


def has_bars(address: str, venue: str) -> bool:
    query = {"venue": venue, "instrument": "BTC-USDT", "interval": "1m"}
    return bool(LOCAL.get(f"{address}/api/v1/bars", params=query).json().get("bars"))


@contextmanager
def simulated_binance(home: Path) -> Iterator[VenueConfig]:
    """A running Binance of some trades a second."""
    certs = certificates.ensure(home / "certs")
    (port,) = ports.free_ports(1)
    market = ["replay", "market", "--venue", f"binance={port}", "--instruments", BTC, "--rate", "20", "--history", "1m"]
    tls = ["--cert", str(certs.server), "--key", str(certs.key)]
    with subprocess.Popen([sys.executable, "-m", "cli", *market, *tls], cwd=PROJECT) as exchange:
        yield venue_at(port, certs.ca)
        exchange.terminate()


def venue_at(port: int, ca_file: Path) -> VenueConfig:
    address = f"127.0.0.1:{port}"
    path = PROTOCOLS[VenueName.BINANCE].path
    return VenueConfig(url=f"wss://{address}{path}", rest_url=f"https://{address}", instruments=(BTC,), ca_file=ca_file)


def interrupt(demo: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C, and wait for the end."""
    demo.send_signal(signal.SIGINT)
    read_to_the_end(demo)


def test_a_demo_ends_by_itself_after_its_time(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with start(settings, "demo", "--seconds", "1") as demo:
        read_until_ready(demo)
        read_to_the_end(demo)
    assert demo.returncode == 0
    assert taken_ports(settings) == []


def test_a_ready_demo_has_bars_of_both_exchanges_and_ctrl_c_stops_everything(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with start(settings, "demo") as demo:
        address = read_until_ready(demo)
        for venue in ("binance", "kraken"):
            eventually(partial(has_bars, address, venue))
        family = psutil.Process(demo.pid).children(recursive=True)
        interrupt(demo)
    assert demo.returncode == 0
    _, alive = psutil.wait_procs(family, timeout=WAIT_S)  # init takes a moment to bury orphans
    assert alive == []
    assert taken_ports(settings) == []


def test_a_run_is_ready_though_one_of_its_exchanges_cannot_be_reached(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with simulated_binance(tmp_path) as binance:
        nobody = venue_at(ports.free_ports(1)[0], settings.certs_dir / "ca.pem")
        settings = settings.model_copy(update={"venues": {"binance": binance, "kraken": nobody}})
        with start(settings, "live") as run:
            told = told_until_ready(run)
            interrupt(run)
    assert run.returncode == 0
    assert any(re.match(r"  ✓ binance +has bars", line) for line in told)
    assert any(re.match(r"  ✗ kraken +no bar came yet; .*bridge\.log may say why", line) for line in told)


def test_a_live_run_outlives_its_postgres(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with simulated_binance(tmp_path) as binance:
        settings = settings.model_copy(update={"venues": {"binance": binance}})
        with start(settings, "live") as run:
            address = read_until_ready(run)
            postgres = Stack(settings).servers[0]
            former = postgres.running()
            assert former is not None
            psutil.Process(former.pid).kill()
            eventually(lambda: serves_anew(settings, former.pid))
            eventually(partial(has_bars, address, "binance"))
            interrupt(run)
    assert run.returncode == 0
    assert taken_ports(settings) == []


def serves_anew(settings: Settings, former: int) -> bool:
    """Whether Postgres serves as another process."""
    postgres = Stack(settings).servers[0]
    now = postgres.running()
    return now is not None and now.pid != former and postgres.serves()


def test_a_killed_demo_leaves_no_process_and_no_port_behind(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with start(settings, "demo") as demo:
        read_until_ready(demo)
        family = psutil.Process(demo.pid).children(recursive=True)
        demo.kill()
    _, alive = psutil.wait_procs(family, timeout=WAIT_S)
    assert alive == []
    eventually(lambda: taken_ports(settings) == [])  # a process that began after the list was made may hold one
