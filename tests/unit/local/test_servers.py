"""What the local servers say when they cannot start."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import psutil
import pytest

from app.settings import Settings
from local import ports, stack
from local.errors import BridgeRuns, DiskFull, NotLocal, OtherPorts, PortTaken, ServerFailed, SoftwareMissing
from local.kafka import Kafka
from local.process import Child, Command
from local.registry import Registry
from local.server import Server
from local.stack import Stack
from tests.integration.api_kit import eventually

Usage = namedtuple("Usage", "total used free")


class Waiting(Server):
    """A server that runs and never becomes ready."""

    name = "waiting"
    title = "Waiting"
    setting = "LIVETAPE_WAITING"

    def prepare(self) -> None:
        """Prepare nothing."""

    def command(self) -> Command:
        """Run for long."""
        return Command(["sleep", "600"], {})

    def is_ready(self) -> bool:
        """Never be ready."""
        return False


class Serving(Waiting):
    """A server that is ready when it is asked for the second time."""

    asked = 0

    def command(self) -> Command:
        """Listen, by a process that this one begins."""
        listen = (
            f"import socket, time; s = socket.create_server(('127.0.0.1', {self.ports['clients']})); time.sleep(600)"
        )
        return Command(["sh", "-c", f'{sys.executable} -c "{listen}"; exit'], {})

    def is_ready(self) -> bool:
        """Be ready soon."""
        self.asked += 1
        return self.asked > 1


class Deaf(Waiting):
    """A server that listens nowhere, and takes whatever answers on its port for itself."""

    def is_ready(self) -> bool:
        """Be ready when the port answers."""
        return ports.answers(self.ports["clients"])


class Missing(Waiting):
    """A server whose software is not there."""

    def command(self) -> Command:
        """Have none."""
        raise SoftwareMissing("the server")


class Failing(Server):
    """A server that ends at once, as one does on a full disk."""

    name = "failing"
    title = "Failing"
    setting = "LIVETAPE_FAILING"

    def prepare(self) -> None:
        """Prepare nothing."""

    def command(self) -> Command:
        """End with a message."""
        return Command(["sh", "-c", "echo No space left on device; exit 1"], {})

    def is_ready(self) -> bool:
        """Never be ready."""
        return False


def test_a_taken_port_is_named_with_its_holder_and_the_setting_that_moves_it(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    with socket.create_server(("127.0.0.1", int(settings.kafka_bootstrap.split(":")[1]))) as taken:
        expected = (
            rf"port {taken.getsockname()[1]} of Kafka is taken by .*\(pid {os.getpid()}\).*LIVETAPE_KAFKA_BOOTSTRAP"
        )
        with pytest.raises(PortTaken, match=expected):
            Stack(settings).start(detached=False)


def test_too_little_room_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 12 * 2**20))
    with pytest.raises(DiskFull, match=rf"only 12 MB are free in {tmp_path}.*LIVETAPE_HOME"):
        Stack(stack.on_free_ports(Settings(), tmp_path)).start(detached=False)


@pytest.mark.parametrize(
    "address", ["kafka.example:9092", "127.0.0.1:9092,127.0.0.1:9192", "127.0.0.1:port", "127.0.0.1:70000", "localhost"]
)
def test_what_is_no_port_of_this_machine_is_not_started_here(address: str) -> None:
    with pytest.raises(NotLocal, match=re.escape(f"Kafka at {address} is no one port of this machine")):
        Stack(Settings(kafka_bootstrap=address))


def test_a_server_that_ends_shows_its_log_and_the_remedy(tmp_path: Path) -> None:
    server = Failing(tmp_path, {})
    server.launch(detached=False)
    with pytest.raises(ServerFailed, match=r"Failing ended while starting\. The disk is full: make room"):
        server.wait_ready()
    server.stop()


def test_when_one_server_fails_those_started_with_it_are_stopped(tmp_path: Path) -> None:
    servers = Stack(stack.on_free_ports(Settings(), tmp_path))
    waiting = Waiting(tmp_path, {})
    servers.servers = [waiting, Failing(tmp_path, {})]
    seen: list[Child | None] = []
    with pytest.raises(ServerFailed, match="Failing ended"):
        servers.start(detached=False, report=lambda server, _: seen.append(server.running()))
    assert seen
    assert not any(child is not None and child.is_alive() for child in seen)
    assert waiting.running() is None


def stack_of(tmp_path: Path, *servers: Server) -> Stack:
    made = Stack(stack.on_free_ports(Settings(), tmp_path))
    made.servers = list(servers)
    return made


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Server]:
    """A server that another command left running."""
    server = Serving(tmp_path, {"clients": ports.free_ports(1)[0]})
    server.launch(detached=True)
    yield server
    server.stop()


def test_a_server_that_runs_already_is_told_once_it_answers(tmp_path: Path, running: Server) -> None:
    again = Serving(tmp_path, running.ports)
    said: list[tuple[str, bool]] = []
    servers = stack_of(tmp_path, again)
    servers.start(detached=True, report=lambda _, state: said.append((state, again.asked > 1)))
    assert said == [("already running", True)]
    servers.stop_started()
    assert again.running() is not None


def test_a_server_that_runs_at_another_port_is_not_taken_for_the_wanted_one(tmp_path: Path, running: Server) -> None:
    there = running.ports["clients"]
    again = Serving(tmp_path, {"clients": 1})
    with pytest.raises(OtherPorts, match=f"started for port {there} and not for 1: `livetape down` comes first"):
        stack_of(tmp_path, again).start(detached=True)
    assert again.asked == 0


def test_what_answers_on_a_servers_port_is_not_taken_for_it(tmp_path: Path) -> None:
    server = Deaf(tmp_path, {"clients": ports.free_ports(1)[0]})
    server.launch(detached=False)
    with socket.create_server(("127.0.0.1", server.ports["clients"])):
        assert server.is_ready()
        assert not server.serves()
        child = server.running()
        assert child is not None
        child.stop()
        with pytest.raises(ServerFailed, match="Waiting ended while starting"):
            server.wait_ready()


def test_a_server_serves_though_a_process_that_it_began_ends_meanwhile(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.wait_ready()
    with subprocess.Popen(["true"]) as brief:
        ended = psutil.Process(brief.pid)
    children = psutil.Process.children
    monkeypatch.setattr(psutil.Process, "children", lambda *told, **how: [ended, *children(*told, **how)])
    assert running.serves()


def test_one_command_at_a_time_starts_the_servers_of_a_home(tmp_path: Path) -> None:
    (port,) = ports.free_ports(1)
    stacks = [stack_of(tmp_path, Serving(tmp_path, {"clients": port})) for _ in range(2)]
    said: list[str] = []
    with ThreadPoolExecutor() as pool, (tmp_path / "servers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = [
            pool.submit(each.start, detached=True, report=lambda _, state: said.append(state)) for each in stacks
        ]
        eventually(lambda: Path("/proc/locks").read_text().count(f":{lock_number(lock)} ") == 1 + len(stacks))
        assert said == []
        fcntl.flock(lock, fcntl.LOCK_UN)
        for each in started:
            each.result()
    assert sorted(said) == ["already running", "ready", "starting"]
    stacks[0].stop()
    eventually(lambda: ports.is_free(port))  # it is no other one that was stopped


def lock_number(lock: IO[str]) -> int:
    """By which /proc/locks knows a file."""
    return os.fstat(lock.fileno()).st_ino


def kept_by_bridges(home: Path) -> list[Path]:
    """Files of bridges of two namespaces."""
    files = [
        home / path
        for namespace in ("live", "replay")
        for path in (f"spool/{namespace}/kraken/lock", f"positions/{namespace}/kraken.positions")
    ]
    for file in files:
        file.parent.mkdir(parents=True)
        file.touch()
    return files


def test_what_bridges_keep_goes_with_the_servers_data(tmp_path: Path) -> None:
    files = kept_by_bridges(tmp_path)
    recording = tmp_path / "recordings" / "kraken" / "20260309T143000.frames.gz"
    recording.parent.mkdir(parents=True)
    recording.touch()
    stack_of(tmp_path).clean()
    assert not any(file.exists() for file in files)
    assert recording.exists()


@pytest.mark.parametrize("kept", ["data/waiting", "spool", "positions"])
def test_data_that_cannot_be_removed_are_named_and_all_others_go(tmp_path: Path, kept: str) -> None:
    place = tmp_path / kept
    others = [tmp_path / name for name in ("data/waiting", "spool", "positions")]
    others.remove(place)
    for other in others:
        other.mkdir(parents=True)
    told = tmp_path / "run" / "schema-ids-live.json"
    told.parent.mkdir()
    told.touch()
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(tmp_path)  # stands for what not even root may remove
    with pytest.raises(OSError, match="symbolic link") as refused:
        stack_of(tmp_path, Waiting(tmp_path, {})).clean()
    assert refused.value.filename == str(place)
    assert place.exists()
    assert not any(other.exists() for other in [*others, told])


def test_what_goes_by_itself_while_its_folder_is_removed_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = kept_by_bridges(tmp_path)
    remove = shutil.rmtree

    def remove_late(folder: Path) -> None:
        monkeypatch.setattr(shutil, "rmtree", remove)
        raise FileNotFoundError(folder)

    monkeypatch.setattr(shutil, "rmtree", remove_late)
    stack_of(tmp_path).clean()
    assert not any(file.exists() for file in files)


def test_nothing_is_taken_from_a_bridge_that_runs(tmp_path: Path, running: Server) -> None:
    files = kept_by_bridges(tmp_path)
    with files[2].open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as a bridge does
        with pytest.raises(BridgeRuns, match=re.escape(f"a bridge runs and has {files[2].parent} in use")):
            stack_of(tmp_path, running).clean()
    assert running.running() is not None
    assert all(file.exists() for file in files)


def test_a_server_whose_software_is_missing_does_not_run(tmp_path: Path) -> None:
    assert Missing(tmp_path, {}).running() is None


def test_servers_elsewhere_are_told_without_their_passwords() -> None:
    settings = Settings(postgres_url="postgresql+psycopg://u:secret@db.example:5432")
    elsewhere, *here = stack.places(settings)
    assert isinstance(elsewhere, NotLocal)
    assert (elsewhere.server, elsewhere.address) == ("Postgres", "db.example:5432")
    assert "secret" not in str(elsewhere)
    assert [type(place) for place in here] == [Kafka, Registry]


def test_kafkas_settings_are_read_by_java_whatever_letters_the_folder_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, "", ""))
    kafka = Kafka(tmp_path / "jürgen 𝄞", port=1, controller_port=2)
    kafka.prepare()
    (file,) = tmp_path.rglob("server.properties")
    (folder,) = (line for line in file.read_text("ascii").splitlines() if line.startswith("log.dirs="))
    assert r"/j\u00fcrgen \ud834\udd1e/" in folder
