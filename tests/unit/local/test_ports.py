"""Ports are given once, also when several processes ask at the same time."""

import errno
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from app.settings import PROJECT
from local import ports
from local.errors import NoSuchAddress

ASK = "import random; random.seed(7); from local import ports; print(*ports.free_ports(3), flush=True); input()"
"""By the seed every process would begin with the same ports."""


def test_processes_are_given_different_ports() -> None:
    with ExitStack() as stack:
        rows = []
        for _ in range(3):
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", ASK], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            assert process.stdout is not None
            rows.append([int(port) for port in process.stdout.readline().split()])
            stack.callback(process.kill)
    for row in rows:
        assert row == [row[0], row[0] + 1, row[0] + 2]
    assert len({port for row in rows for port in row}) == 9


def test_a_process_is_given_no_port_twice() -> None:
    rows = [ports.free_ports(8) for _ in range(20)]
    assert len({port for row in rows for port in row}) == 160


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "localhost"])  # noqa: S104 - as settings have it
def test_a_server_may_listen_at_the_addresses_of_this_machine(host: str) -> None:
    ports.check_here(host, "the API", "LIVETAPE_API_HOST")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "a..b", "no name"])
def test_an_address_that_is_elsewhere_or_none_is_named_with_its_setting(host: str) -> None:
    with pytest.raises(NoSuchAddress, match=f"^the API .* {host}, .*LIVETAPE_API_HOST$"):
        ports.check_here(host, "the API", "LIVETAPE_API_HOST")


def test_a_family_of_addresses_that_this_machine_does_not_have_is_no_address_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "socket", refuse)
    assert not ports.is_here("::1")
