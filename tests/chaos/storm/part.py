"""A part of livetape as a process that is killed and started again, with a clock of its own that can be stepped."""

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from app.settings import CRASH_AT, PROJECT, Settings
from local.errors import SoftwareMissing

STOP_S: Final = 30.0
STEPPED_WAITS: Final = Path(__file__).with_name("stepped_waits.c")
LIBRARY: Final = "*/faketime/libfaketimeMT.so.1"


class Part:
    """One part; only its own process is ever signalled, and the kernel ends that one when we are gone."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.expected_end: str | None = None
        """Why the process is ending or will end: what was done to it."""
        self.is_at_crash_point = False
        """Whether it was started to die at a crash point."""
        self._command = {"worker": "worker", "sink": "sink", "view": "serve"}[name.partition("-")[0]]
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._clock = settings.home / f"{settings.namespace}-{name}.clock"
        settings.logs_dir.mkdir(parents=True, exist_ok=True)
        self.step_clock(0)

    @property
    def log(self) -> Path:
        """Of the newest start."""
        return self.settings.logs_dir / f"{self.settings.namespace}-{self.name}.{self._starts}.log"

    @property
    def is_running(self) -> bool:
        """Whether its process has not ended, frozen or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the newest start; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self, crash_at: str | None = None) -> None:
        """Start it; it kills itself at a named point, when one is given."""
        self._starts += 1
        self.expected_end = None if crash_at is None else f"{self.name} {crash_at.partition(':')[0]}"
        self.is_at_crash_point = crash_at is not None
        livetape = str(Path(sys.executable).with_name("livetape"))
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", livetape, self._command],
                cwd=PROJECT,
                env={
                    **os.environ,
                    **self.settings.environment(),
                    **self._clock_environment(),
                    **({} if crash_at is None else {CRASH_AT: crash_at}),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """`kill -9`, and wait for its end."""
        self.expected_end, self.is_at_crash_point = "kill -9", False
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)

    def ask_to_end(self) -> None:
        """SIGTERM; it ends when it has finished."""
        self.expected_end, self.is_at_crash_point = "SIGTERM", False
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; its exit code. Raises TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(STOP_S)

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def step_clock(self, seconds: float) -> None:
        """Let its wall clock be so far from the machine's; its monotonic one stays as it is."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+}\n")
        new.replace(self._clock)

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            assert self._process is not None
            self._process.send_signal(number)

    def _clock_environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": f"{_stepped_waits(self.settings.home)} {_faketime()}",
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def _faketime() -> Path:
    found = next(iter(Path("/usr/lib").glob(LIBRARY)), None)
    if found is None:
        raise SoftwareMissing("libfaketime", "install the Debian package libfaketime, or run `make setup`")
    return found


@functools.cache
def _stepped_waits(home: Path) -> Path:
    """What libfaketime leaves out, compiled."""
    built = home / "stepped_waits.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(built), str(STEPPED_WAITS)], check=True)
    return built
