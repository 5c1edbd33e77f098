"""`livetape doctor`: is all there that livetape needs, and if not, what to do."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import typer

from app.http_client import ProxyUnusable, address_of, ask
from app.settings import PROJECT, Settings
from cli.console import broken, console, done
from cli.parts import BRIDGE
from cli.runs import servers_seen
from local import java, kafka, ports, postgres, registry
from local.errors import LocalError, NotLocal
from local.server import Server
from local.stack import LOOPBACK, NEEDED_MB

PROGRAMS = {"setpriv": "util-linux", "mvn": "maven", "cmake": "cmake", "ninja": "ninja-build", "g++": "g++"}
ANY = ("*", "0.0.0.0")  # noqa: S104 - what a setting may say, nothing listens there
ANSWER_S = 2.0
Finding = tuple[str, str, str | None]
"""What was looked at, what was found, and the remedy where something is wrong."""


def doctor() -> None:
    """Check everything that livetape needs on this machine; exit code 1 if something is missing."""
    findings = [finding for check in CHECKS for finding in check()]
    for name, found, remedy in findings:
        if remedy is None:
            done(name, found)
        else:
            broken(name, f"{found}: {remedy}")
    wrong = sum(remedy is not None for _, _, remedy in findings)
    console.print(f"\n{'All is well.' if not wrong else f'{wrong} of {len(findings)} need attention.'}")
    if wrong:
        raise typer.Exit(1)


def _programs() -> Iterator[Finding]:
    for program, package in PROGRAMS.items():
        path = shutil.which(program)
        yield program, path or "missing", None if path else f"install the package {package}, or run `make setup`"


def _software() -> Iterator[Finding]:
    try:
        version = subprocess.run([java.java(), "-version"], capture_output=True, text=True, check=True).stderr
        yield "Java for the servers", version.splitlines()[0], None
    except (LocalError, OSError, subprocess.CalledProcessError) as error:
        yield "Java for the servers", str(error), "run `make setup`"
    for name, path, remedy in (
        ("Kafka", kafka.JARS, "make servers"),
        ("schema registry", registry.FOLDER / "quarkus-run.jar", "make servers"),
        ("Postgres", postgres.FOLDER / "bin" / "postgres", "make servers"),
        ("bridge", BRIDGE, "make bridge"),
        ("page", PROJECT / "web" / "dist" / "index.html", "make web"),
    ):
        yield _file(name, path, remedy)


def _file(name: str, path: Path, remedy: str) -> Finding:
    return (
        name,
        str(path.relative_to(PROJECT)) if path.exists() else "missing",
        None if path.exists() else f"run `{remedy}`",
    )


def _disk() -> Iterator[Finding]:
    home = next(folder for folder in (Settings().home, *Settings().home.parents) if folder.exists())
    free_mb = shutil.disk_usage(home).free // 2**20
    yield (
        "disk",
        f"{free_mb} MB free",
        None if free_mb >= NEEDED_MB else f"make room: {NEEDED_MB} MB are needed in {home}",
    )


def _ports() -> Iterator[Finding]:
    settings = Settings()
    for place in servers_seen(settings):
        if isinstance(place, NotLocal):
            yield place.server, f"elsewhere, at {place.address}", None
        else:
            yield from _ports_of(place)
    yield _api_port(settings)
    for name, address, setting in (
        ("instant trades", settings.zmq_data, "LIVETAPE_ZMQ_DATA"),
        ("missed trades", settings.zmq_retry, "LIVETAPE_ZMQ_RETRY"),
        ("bridge metrics", f"//{settings.bridge_metrics}", "LIVETAPE_BRIDGE_METRICS"),
    ):
        yield _bridge_port(name, address, setting)


def _ports_of(server: Server) -> Iterator[Finding]:
    ours = server.started_for() if server.running() is not None else {}
    for purpose, port in server.ports.items():
        name = f"{server.name} {purpose}"
        yield (_at(name, port), "ours", None) if ours.get(purpose) == port else _port(name, port, server.setting)


def _api_port(settings: Settings) -> Finding:
    host, port = settings.api_host, settings.api_port
    if not ports.is_here(host):
        return _at("API", port), f"{host} is no address of this machine", "look at LIVETAPE_API_HOST"
    if _is_our_api(f"http://{address_of(host, port)}"):
        return _at("API", port), "ours", None
    return _port("API", port, "LIVETAPE_API_PORT", host)


def _is_our_api(url: str) -> bool:
    """Whether one answers that tells its namespace; a `/healthz` alone many programs have."""
    try:
        told = ask("GET", f"{url}/readyz", timeout_s=ANSWER_S).json()
    except (httpx.HTTPError, httpx.InvalidURL, ProxyUnusable, ValueError):
        return False
    return isinstance(told, dict) and "namespace" in told


def _bridge_port(name: str, address: str, setting: str) -> Finding:
    """A port that the bridge listens on, where it does so on this machine."""
    try:
        port = urlsplit(address).port
    except ValueError:  # any port
        port = None
    if port is None or urlsplit(address).hostname not in {*LOOPBACK, *ANY}:
        return name, f"at {address.removeprefix('//')}", None
    if not ports.is_free(port) and ports.holder(port).startswith(BRIDGE.name):
        return _at(name, port), "ours", None
    return _port(name, port, setting)


def _port(name: str, port: int, setting: str, host: str = "127.0.0.1") -> Finding:
    if ports.is_free(port, host):
        return _at(name, port), "free", None
    return _at(name, port), f"taken by {ports.holder(port)}", f"stop it, or choose another port with {setting}"


def _at(name: str, port: int) -> str:
    return f"port {port} ({name})"


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (_programs, _software, _disk, _ports)
