"""The proxy does to a connection what it says, and no more."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from local import ports
from tests.integration.api_kit import WAIT_S
from tests.network import Network, Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""

    def answer(connection: socket.socket) -> None:
        with closing(connection), suppress(ConnectionError):
            while data := connection.recv(1024):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    network = Network()
    with network.running():
        yield network.link(ports.free_ports(1)[0], echo)


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=WAIT_S)


def test_bytes_pass(proxy: Proxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"as they are")
        assert client.recv(1024) == b"as they are"


def test_a_cut_resets_connections_old_and_new_until_it_is_healed(proxy: Proxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    # The proxy may reset a new connection before connect() has returned.
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)
    proxy.heal()
    with connected(proxy) as client:
        client.sendall(b"3")
        assert client.recv(1) == b"3"


def test_a_stall_keeps_bytes_and_connections_until_it_is_healed(proxy: Proxy) -> None:
    with connected(proxy) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        proxy.stall()
        client.sendall(b"2")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.heal()
        client.settimeout(WAIT_S)
        assert client.recv(1) == b"2"


def test_lost_connections_let_nothing_through_for_good_and_new_ones_do(proxy: Proxy) -> None:
    with connected(proxy) as lost:
        lost.sendall(b"1")
        assert lost.recv(1) == b"1"
        proxy.lose()
        with connected(proxy) as client:
            client.sendall(b"2")
            assert client.recv(1) == b"2"
        proxy.heal()
        lost.sendall(b"3")
        lost.settimeout(0.3)
        with pytest.raises(TimeoutError):
            lost.recv(1)
    assert proxy.connections == 2


def test_a_delay_holds_each_piece_back(proxy: Proxy) -> None:
    proxy.delay(0.2)
    with connected(proxy) as client:
        began = time.monotonic()
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        assert time.monotonic() - began >= 0.4
