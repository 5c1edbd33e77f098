"""`livetape doctor`: is all there that livetape needs, and if not, what to do."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from app.settings import PROJECT, Settings
from cli.console import broken, console, done
from cli.parts import BRIDGE
from local import java, kafka, ports, postgres, registry
from local.errors import LocalError
from local.server import Server
from local.stack import NEEDED_MB, Stack

PROGRAMS = {"setpriv": "util-linux", "mvn": "maven", "cmake": "cmake", "ninja": "ninja-build", "g++": "g++"}
Finding = tuple[str, str, str | None]
"""What was looked at, what was found, and the remedy where something is wrong."""


def doctor() -> None:
    """Look at everything livetape needs on this machine; exit code 1 when something is missing."""
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
    for server in Stack(settings).servers:
        for purpose, port in server.ports.items():
            yield _port(f"{server.name} {purpose}", port, server.setting, server)
    yield _port("API", settings.api_port, "LIVETAPE_API_PORT", None)


def _port(name: str, port: int, setting: str, server: Server | None) -> Finding:
    if server is not None and server.running() is not None:
        return f"port {port} ({name})", "ours", None
    if ports.is_free(port):
        return f"port {port} ({name})", "free", None
    return f"port {port} ({name})", f"taken by {ports.holder(port)}", f"stop it, or choose another port with {setting}"


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (_programs, _software, _disk, _ports)
