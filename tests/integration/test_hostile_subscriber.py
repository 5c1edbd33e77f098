"""A ZeroMQ client that says too much: it is let go of, and all others hear on."""

import socket
import struct
from pathlib import Path

import pytest

from app.settings import Settings
from local import certificates
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import Listener, bridge_settings
from tests.integration.bridge_run import ETH, running, trade

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
"""ZMTP 3.0, https://rfc.zeromq.org/spec/23: signature, version, mechanism, and that it is no server."""
COMMAND, LONG_MESSAGE = 0x04, 0x02
MIB = 1 << 20


class RawClient:
    """Speaks ZMTP by hand, since no library says more than the other end takes."""

    def __init__(self, address: str, kind: bytes) -> None:
        host, port = address.removeprefix("tcp://").split(":")
        self._socket = socket.create_connection((host, int(port)), WAIT_S)
        self._socket.sendall(GREETING)
        self._read(len(GREETING))
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
        self._socket.sendall(bytes((COMMAND, len(ready))) + ready)
        _, size = self._read(2)
        self._read(size)

    def _read(self, count: int) -> bytes:
        read = b""
        while len(read) < count:
            read += self._socket.recv(count - len(read))
        return read

    def say(self, message: bytes) -> None:
        """Send a message of one frame, as far as the other end takes it."""
        try:
            self._socket.sendall(struct.pack(">BQ", LONG_MESSAGE, len(message)) + message)
        except ConnectionError:
            return

    def is_let_go_of(self) -> bool:
        """Wait for the end of the connection."""
        try:
            while self._socket.recv(MIB):
                continue
        except ConnectionError:
            return True
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize(("setting", "kind"), [("zmq_data", b"SUB"), ("zmq_retry", b"DEALER")])
async def test_a_client_that_says_too_much_is_let_go_of_and_others_hear_on(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates, setting: str, kind: bytes
) -> None:
    here = bridge_settings(settings, tmp_path)
    async with running(here, certs) as run:
        with Listener(here.zmq_data) as listener:
            await run.play(trade(1))
            listener.next()  # of clocks, at the least
            client = RawClient(getattr(here, setting), kind)
            client.say(b"\x01" + b"z" * MIB)
            assert client.is_let_go_of()
            client.close()
            await run.play(trade(2, ETH))
            while listener.next().topic != f"binance:{ETH}":
                continue
        assert run.bridge.metric("bad_retries_total") == 0
        assert await run.bridge.stop() == 0
