"""What the local servers have in common: a name, ports, a log, and a way to start, to be ready and to stop."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from app.settings import PROJECT
from local import folders, ports, process
from local.errors import OtherPorts, ServerFailed
from local.process import Child, Command

SERVERS = PROJECT / ".livetape" / "servers"
POLL_S = 0.1


class Server(ABC):
    """One server of one machine; its data, log and pid file are under `home`."""

    name: str
    """Short name, also of its folder and its log."""
    title: str
    """What people call it."""
    setting: str
    """The setting that chooses its port."""
    ready_timeout_s: float = 180.0

    def __init__(self, home: Path, port_of: Mapping[str, int]) -> None:
        """`port_of`: its ports by what each is for; the first one is that of its clients."""
        self.home = home
        self.ports = dict(port_of)
        self.data = home / "data" / self.name
        self.log = home / "logs" / f"{self.name}.log"
        self.pid_file = home / "run" / f"{self.name}.pid"
        self.ports_file = home / "run" / f"{self.name}.ports.json"
        self._child: Child | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder ready for a first start; quick when it is."""

    @abstractmethod
    def command(self) -> Command:
        """The program that serves."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers its own protocol, not only its port."""

    def settle(self) -> None:  # noqa: B027 - most servers need nothing more
        """Bring a ready server into the state that livetape expects."""

    def check_ports(self) -> None:
        """Raise PortTaken when another program listens on a port of this server."""
        for port in self.ports.values():
            ports.check_free(port, self.title, self.setting)

    def running(self) -> Child | None:
        """Its process, when it was started by us and still runs."""
        return self._child or process.find(self.pid_file, self.command)

    def started_for(self) -> dict[str, int]:
        """The ports that its process was started for."""
        try:
            told: dict[str, int] = json.loads(self.ports_file.read_text())
        except FileNotFoundError:
            return self.ports
        return told

    def check_started_for(self) -> None:
        """Raise OtherPorts when its process was started for other ports than it is to have."""
        for purpose, port in self.started_for().items():
            if port != self.ports[purpose]:
                raise OtherPorts(self.title, port, self.ports[purpose])

    def launch(self, *, detached: bool) -> Child:
        """Start the process from the main thread; `wait_ready` tells when it serves."""
        self.check_ports()
        self._child = process.spawn(self.command(), self.log, detached=detached)
        process.save(self._child, self.pid_file)
        self.ports_file.write_text(json.dumps(self.ports))
        return self._child

    def serves(self) -> bool:
        """Whether our process serves: not what answers on its ports though it is another's."""
        child = self.running()
        return child is not None and child.is_alive() and self.is_ready() and child.listens_on(self.ports.values())

    def wait_ready(self) -> None:
        """Wait until it serves.

        Raises:
            ServerFailed: it ended, or was not ready in time; the message has the end of its log.
        """
        deadline = time.monotonic() + self.ready_timeout_s
        child = self.running()
        while not self.serves():
            if child is None or not child.is_alive():
                raise ServerFailed(self.title, "ended while starting", self.log, process.tail(self.log))
            if time.monotonic() > deadline:
                raise ServerFailed(
                    self.title, f"was not ready in {self.ready_timeout_s:.0f} s", self.log, process.tail(self.log)
                )
            time.sleep(POLL_S)
        self.settle()

    def stop(self) -> None:
        """End it in order; nothing happens when it does not run."""
        child = self.running()
        if child is not None:
            child.stop()
        self._child = None
        self.pid_file.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove its data; the server must not run."""
        folders.remove(self.data)
