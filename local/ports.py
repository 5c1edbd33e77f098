"""Who listens where on this machine."""

import random
import socket

import psutil


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


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
    """A row of neighbouring ports that were all free a moment ago.

    They are below the range from which the kernel takes ports of outgoing connections: none gets in between.
    """
    while True:
        first = random.randrange(20_000, 32_000 - count)  # noqa: S311 - no secret, only unlikely to meet another run
        row = list(range(first, first + count))
        if all(is_free(port) for port in row):
            return row
