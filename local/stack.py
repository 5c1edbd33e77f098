"""All servers of one machine together: start in parallel, stop in reverse, clean."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from app import kept_schema_ids
from app.settings import Settings
from local import ports
from local.errors import DiskFull, NotLocal
from local.kafka import Kafka
from local.postgres import Postgres
from local.registry import Registry
from local.server import Server

NEEDED_MB = 1024
LOOPBACK = {"127.0.0.1", "localhost"}
Report = Callable[[Server, str], None]


def _silent(server: Server, state: str) -> None:
    """Hear nothing of the steps."""


class Stack:
    """Kafka, the schema registry and Postgres, where the settings say that they are."""

    def __init__(self, settings: Settings) -> None:
        kafka = _local_port("Kafka", f"//{settings.kafka_bootstrap}", Kafka.setting)
        registry = _local_port("schema registry", settings.registry_url, Registry.setting)
        postgres = _local_port("Postgres", settings.postgres_url, Postgres.setting)
        self.home = settings.home
        self._started: list[Server] = []
        self.servers: list[Server] = [
            Postgres(settings.home, postgres),
            Kafka(settings.home, kafka, kafka + 1),
            Registry(settings.home, registry),
        ]

    def start(self, *, detached: bool, report: Report = _silent) -> None:
        """Start what does not run yet and wait until all serve; `report` hears of each step from this thread.

        On any failure what this call started is stopped again.

        Raises:
            LocalError: a port is taken, the disk is full, a program is missing, or a server failed.
        """
        _check_room(self.home)
        self._started = [server for server in self.servers if server.running() is None]
        for server in self._started:
            server.check_ports()
        with ThreadPoolExecutor(len(self.servers)) as pool:
            try:
                self._start_in(pool, report, detached=detached)
            except BaseException:
                self.stop_started()  # before the pool ends: it waits for those who wait for a server
                raise

    def _start_in(self, pool: ThreadPoolExecutor, report: Report, *, detached: bool) -> None:
        preparing = {pool.submit(server.prepare): server for server in self._started}
        starting = {}
        for done in as_completed(preparing):
            done.result()
            server = preparing[done]
            server.launch(detached=detached)
            report(server, "starting")
            starting[pool.submit(server.wait_ready)] = server
        for ready in as_completed(starting):
            ready.result()
            report(starting[ready], "ready")

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

    def clean(self) -> None:
        """Stop every server and remove its data."""
        self.stop()
        for server in self.servers:
            server.clean()
        kept_schema_ids.forget(self.home)


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


def _local_port(server: str, address: str, setting: str) -> int:
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:  # no number, or several brokers
        port = None
    if parts.hostname not in LOOPBACK or port is None:
        raise NotLocal(server, address.removeprefix("//"), setting)
    return port


def _check_room(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(home).free // 2**20
    if free_mb < NEEDED_MB:
        raise DiskFull(home, free_mb, NEEDED_MB)
