"""Who listens where on this machine."""

import random
import socket
import threading

import psutil

from local.errors import NoSuchAddress, PortTaken


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family = min(each[0] for each in found)  # IPv4 where a name has both
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError):  # the latter of what cannot be a name
        return False
    return True


def is_here(host: str) -> bool:
    """Whether a server could listen at this address at all: on any port."""
    return is_free(0, host)


def check_here(host: str, what: str, setting: str) -> None:
    """Raise NoSuchAddress, which names the setting, when `what` could not listen at this address."""
    if not is_here(host):
        raise NoSuchAddress(what, host, setting)


def check_free(port: int, what: str, setting: str, host: str = "127.0.0.1") -> None:
    """Raise PortTaken, which names the setting, when `what` could not listen on the port."""
    if not is_free(port, host):
        raise PortTaken(what, port, holder(port), setting)


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def holder(port: int) -> str:
    """The program that listens on a port, as `name (pid 12)`, or `another program` where that cannot be known."""
    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if connection.status == psutil.CONN_LISTEN and address and address.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
    return "another program"


def free_ports(count: int) -> list[int]:
    """A row of neighbouring ports that were all free a moment ago, and that no other process is given by this.

    Nor is any port given twice while this process runs, so that what is to listen there may take its time to start.
    They are below the range from which the kernel takes ports of outgoing connections: none gets in between.
    """
    while True:
        row = _ours.take(count)
        if all(is_free(port) for port in row):
            return row


class _Ours:
    """The ports that this process may give away: blocks that no other has, for as long as it lives."""

    FIRST, END, BLOCK = 20_000, 32_000, 100

    def __init__(self) -> None:
        self._left: list[int] = []
        self._lock = threading.Lock()

    def take(self, count: int) -> list[int]:
        """A row of neighbouring ports that were never given away before."""
        if count > self.BLOCK:
            raise ValueError(f"at most {self.BLOCK} ports are given at once, not {count}")
        with self._lock:
            if len(self._left) < count:
                self._left = self._claim()
            row, self._left = self._left[:count], self._left[count:]
            return row

    def _claim(self) -> list[int]:
        """Another block; a bound name tells other processes of it, and is gone with this one however it ends."""
        for first in random.sample(range(self.FIRST, self.END, self.BLOCK), (self.END - self.FIRST) // self.BLOCK):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f"\0livetape-ports-{first}")  # an abstract name: unix(7)
            except OSError:
                claim.close()
                continue
            claim.detach()  # it stays open until this process ends
            return list(range(first, first + self.BLOCK))
        raise OSError("every port that a local server may have is given to another process of livetape")


_ours = _Ours()
