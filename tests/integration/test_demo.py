"""`livetape demo`: from nothing to a served bar, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from app.settings import PROJECT, Settings
from local import ports, stack
from local.stack import Stack
from tests.integration.api_kit import WAIT_S, eventually


def start_demo(settings: Settings, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "demo", *options],
        cwd=PROJECT,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.PIPE,
        text=True,
    )


def read_until_ready(demo: "subprocess.Popen[str]") -> str:
    """The address that the demo prints."""
    assert demo.stdout is not None
    told = []
    for line in demo.stdout:
        told.append(line)
        if found := re.match(r"ready: (http://\S+)", line):
            return found[1]
    raise AssertionError("the demo was never ready:\n" + "".join(told))


def read_to_the_end(demo: "subprocess.Popen[str]") -> None:
    """Take what it still prints: with nobody at the other end of the pipe it could not end well."""
    demo.communicate(timeout=WAIT_S)


def taken_ports(settings: Settings) -> list[int]:
    servers = {port for server in Stack(settings).servers for port in server.ports.values()}
    return [port for port in servers | {settings.api_port} if not ports.is_free(port)]


def interrupt(demo: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C, and wait for the end."""
    demo.send_signal(signal.SIGINT)
    read_to_the_end(demo)


def test_a_demo_ends_by_itself_after_its_time(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with start_demo(settings, "--seconds", "1") as demo:
        read_until_ready(demo)
        read_to_the_end(demo)
    assert demo.returncode == 0
    assert taken_ports(settings) == []


def test_a_ready_demo_has_bars_of_both_exchanges_and_ctrl_c_stops_everything(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with start_demo(settings) as demo:
        address = read_until_ready(demo)
        for venue in ("binance", "kraken"):
            query = {"venue": venue, "instrument": "BTC-USDT", "interval": "1m"}
            assert httpx.get(f"{address}/api/v1/bars", params=query, timeout=WAIT_S).json()["bars"]
        family = psutil.Process(demo.pid).children(recursive=True)
        interrupt(demo)
    assert demo.returncode == 0
    _, alive = psutil.wait_procs(family, timeout=WAIT_S)  # init takes a moment to bury orphans
    assert alive == []
    assert taken_ports(settings) == []


def test_a_killed_demo_leaves_no_process_and_no_port_behind(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with start_demo(settings) as demo:
        read_until_ready(demo)
        family = psutil.Process(demo.pid).children(recursive=True)
        demo.kill()
    _, alive = psutil.wait_procs(family, timeout=WAIT_S)
    assert alive == []
    eventually(lambda: taken_ports(settings) == [])  # a process that began after the list was made may hold one
