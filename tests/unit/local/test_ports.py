"""Ports are given once, also when several processes ask at the same time."""

import subprocess
import sys
from contextlib import ExitStack

from app.settings import PROJECT
from local import ports

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
