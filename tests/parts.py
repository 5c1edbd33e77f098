"""Parts of livetape as processes of their own, as `livetape` starts them."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.settings import PROJECT, Settings

STOP_S = 120.0
_numbers = itertools.count(1)


class Part:
    """A running part; what it printed is in `log`."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def printed(self) -> str:
        """All that it printed so far."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float = STOP_S) -> int:
        """Wait for its end; its exit code."""
        return self._process.wait(seconds)

    def kill(self) -> None:
        """`kill -9`, and wait for its end."""
        self._process.kill()
        self._process.wait(STOP_S)

    def freeze(self) -> None:
        """Stop it where it is."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end, as Ctrl-C of the supervisor does; its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            return self._process.wait(STOP_S)
        finally:
            self._process.kill()


@contextmanager
def running(command: str, settings: Settings, **environment: str) -> Iterator[Part]:
    """`livetape <command>` with these settings."""
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    log = settings.logs_dir / f"{settings.namespace}-{command}-{next(_numbers)}.log"
    arguments = [str(Path(sys.executable).with_name("livetape")), command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            cwd=PROJECT,
            env={**os.environ, **settings.environment(), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    part = Part(process, log)
    try:
        yield part
    finally:
        part.stop()
