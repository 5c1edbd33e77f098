"""All servers of one machine together: start in parallel, stop in reverse, clean."""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from app import kept_schema_ids
from app.settings import Settings
from local import bridge_files, ports
from local.errors import DiskFull, NotLocal
from local.kafka import Kafka
from local.postgres import Postgres
from local.process import Child
from local.registry import Registry
from local.server import Server

NEEDED_MB = 1024
LOOPBACK = {"127.0.0.1", "localhost"}
Report = Callable[[Server, str], None]


def _silent(server: Server, state: str) -> None:
    """Hear nothing of the steps."""


def _postgres(settings: Settings) -> Server:
    return Postgres(settings.home, _local_port(Postgres, settings.postgres_url))


def _kafka(settings: Settings) -> Server:
    port = _local_port(Kafka, f"//{settings.kafka_bootstrap}")
    return Kafka(settings.home, port, port + 1)


def _registry(settings: Settings) -> Server:
    return Registry(settings.home, _local_port(Registry, settings.registry_url))


MAKERS: tuple[Callable[[Settings], Server], ...] = (_postgres, _kafka, _registry)
"""Each raises NotLocal when the settings say that the server is elsewhere."""


def places(settings: Settings) -> Iterator[Server | NotLocal]:
    """Each server, or that it is elsewhere."""
    for make in MAKERS:
        try:
            yield make(settings)
        except NotLocal as elsewhere:
            yield elsewhere


class Stack:
    """Kafka, the schema registry and Postgres, where the settings say that they are."""

    def __init__(self, settings: Settings) -> None:
        self.home = settings.home
        self._started: list[Server] = []
        self.servers: list[Server] = [make(settings) for make in MAKERS]

    def start(self, *, detached: bool, report: Report = _silent) -> None:
        """Start what does not run yet and wait until all serve; `report` hears of each step from this thread.

        A server is `starting` and `ready`, or `already running` once it answers.

        On any failure what this call started is stopped again.

        Raises:
            LocalError: a port is taken, the disk is full, a program is missing, or a server failed or runs at other
                ports.
        """
        _check_room(self.home)
        with self._alone():
            self._start_all(report, detached=detached)

    def _start_all(self, report: Report, *, detached: bool) -> None:
        running = [server for server in self.servers if server.running() is not None]
        for server in running:
            server.check_started_for()
        self._started = [server for server in self.servers if server not in running]
        for server in self._started:
            server.check_ports()
        with ThreadPoolExecutor(len(self.servers)) as pool:
            try:
                self._start_in(pool, running, report, detached=detached)
            except BaseException:
                self.stop_started()  # before the pool ends: it waits for those who wait for a server
                raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for another command that starts or cleans the servers of this home: each would start its own."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "servers.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _start_in(self, pool: ThreadPoolExecutor, running: Sequence[Server], report: Report, *, detached: bool) -> None:
        preparing = {pool.submit(server.prepare): server for server in self._started}
        waiting = {pool.submit(server.wait_ready): (server, "already running") for server in running}
        for done in as_completed(preparing):
            done.result()
            server = preparing[done]
            server.launch(detached=detached)
            report(server, "starting")
            waiting[pool.submit(server.wait_ready)] = (server, "ready")
        for ready in as_completed(waiting):
            ready.result()
            report(*waiting[ready])

    def children(self) -> Iterator[tuple[Server, Child]]:
        """Each server that runs, with its process."""
        for server in self.servers:
            child = server.running()
            if child is not None:
                yield server, child

    def restart(self, server: Server) -> Child:
        """Start one again that has ended, and go on meanwhile; it is stopped by whom it was to be stopped by."""
        with self._alone():
            return server.launch(detached=server not in self._started)

    def stop(self, report: Report = _silent) -> None:
        """Stop every server of ours that runs, whichever command started it."""
        self._stop(self.servers, report)

    def stop_started(self) -> None:
        """Stop what this stack's own `start` has started."""
        self._stop(self._started, _silent)

    def _stop(self, servers: list[Server], report: Report) -> None:
        running = [server for server in servers if server.running() is not None]
        with ThreadPoolExecutor(max(1, len(running))) as pool:
            stopping = {pool.submit(server.stop): server for server in running}
            for done in as_completed(stopping):
                done.result()
                report(stopping[done], "stopped")

    def clean(self, report: Report = _silent) -> None:
        """Stop every server and remove its data, and what bridges know of data that are gone.

        Raises:
            BridgeRuns: a bridge writes there; nothing was stopped.
            OSError: something cannot be removed, as it is of another user; its folder is named.
        """
        with self._alone(), bridge_files.unused(self.home):
            self.stop(report)
            with ExitStack() as removed:  # all that can be, though something cannot
                for server in self.servers:
                    removed.callback(server.clean)
                removed.callback(bridge_files.remove, self.home)
                removed.callback(kept_schema_ids.forget, self.home)


@contextmanager
def running(settings: Settings) -> Iterator[Stack]:
    """All servers for as long as the block runs."""
    stack = Stack(settings)
    stack.start(detached=False)
    try:
        yield stack
    finally:
        stack.stop_started()


def on_free_ports(settings: Settings, home: Path) -> Settings:
    """The settings with every port a free one and all files under `home`: a run that meets no other."""
    kafka, _controller, registry, postgres, api, data, retry, metrics = ports.free_ports(8)
    return settings.model_copy(
        update={
            "home": home,
            "kafka_bootstrap": f"127.0.0.1:{kafka}",
            "registry_url": f"http://127.0.0.1:{registry}/apis/ccompat/v7",
            "postgres_url": f"postgresql+psycopg://livetape@127.0.0.1:{postgres}",
            "api_port": api,
            "zmq_data": f"tcp://127.0.0.1:{data}",
            "zmq_retry": f"tcp://127.0.0.1:{retry}",
            "bridge_metrics": f"127.0.0.1:{metrics}",
        }
    )


def _local_port(server: type[Server], address: str) -> int:
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:  # no number, or several brokers
        port = None
    if parts.hostname not in LOOPBACK or port is None:
        raise NotLocal(server.title, address.removeprefix("//"), server.setting)
    return port


def _check_room(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(home).free // 2**20
    if free_mb < NEEDED_MB:
        raise DiskFull(home, free_mb, NEEDED_MB)
