"""Child processes that never outlive what they belong to, and that are only ended when they are surely ours."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.settings import PREFIX
from local.errors import NotOurs, SoftwareMissing

POLL_S = 0.05
TAIL_LINES = 20


@dataclass(frozen=True)
class Command:
    """A program to start: `stop_signal` asks it to end in order, `environment` is added to ours. A setting in it is the
    whole of that setting.

    `orphan_signal` is sent when we are gone ourselves: by default one that no program can ignore.
    `as_user` is put before everything else where it must run as another user: a change of user loses the bond to us.
    """

    arguments: Sequence[str | Path]
    environment: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    stop_timeout_s: float = 15.0
    as_user: Sequence[str] = ()


class Child:
    """A running process, known by its id and start time, so that a reused id is never mistaken for it."""

    def __init__(self, process: psutil.Process, command: Command) -> None:
        self._process = process
        self._command = command

    @property
    def pid(self) -> int:
        """Process id, which is also its group's."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE
        return False

    def listens_on(self, ports: Iterable[int]) -> bool:
        """Whether it, or a process that it began, listens on all these ports; True where we may not look."""
        left = set(ports)
        try:
            for each in (self._process, *self._process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):  # it has ended since, as a Postgres backend does
                    left -= _listened_on(each)
                if not left:
                    return True
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:  # another user's, for root without the right to trace (a container's)
            return True
        return False

    def ask_to_stop(self) -> None:
        """Send its stop signal; return at once.

        Raises:
            NotOurs: it belongs to another user.
        """
        self._signal(self._command.stop_signal)

    def stop(self) -> None:
        """End it in order, by force after its timeout, and its whole group with it."""
        self.ask_to_stop()
        self.finish()

    def finish(self) -> None:
        """Wait for the end it was asked for, and enforce it after its timeout, with its whole group."""
        if not self.wait(self._command.stop_timeout_s):
            self._signal_group(signal.SIGKILL)
            self.wait(self._command.stop_timeout_s)
        self._signal_group(signal.SIGKILL)

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when it still runs after the timeout."""
        deadline = time.monotonic() + timeout_s
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        self._reap()
        return True

    def _reap(self) -> None:
        with contextlib.suppress(psutil.TimeoutExpired):
            self._process.wait(timeout=0)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            try:
                self._process.send_signal(number)
            except psutil.AccessDenied as error:
                raise NotOurs(self.pid, self._process.name(), self._process.username()) from error

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def spawn(command: Command, log: Path, *, detached: bool) -> Child:
    """Start a program in a group of its own with its output in `log` (the run before is kept as `.1`).

    Unless detached, the kernel sends it its orphan signal when the calling thread ends, however that comes about;
    so spawn from a thread that lives as long as the child should.

    Raises:
        SoftwareMissing: the program is not there.
    """
    program = str(command.arguments[0])
    if shutil.which(program) is None:
        raise SoftwareMissing(f"the program {program}")
    bound = [] if detached else _bound_to_us(command.orphan_signal)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    with log.open("wb") as output:
        started = subprocess.Popen(
            [*command.as_user, *bound, *map(str, command.arguments)],
            env=_environment(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    started.returncode = 0  # psutil reaps it: silences the warning of a Popen object dropped while its child runs
    return Child(psutil.Process(started.pid), command)


def _listened_on(process: psutil.Process) -> set[int]:
    sockets = process.net_connections("tcp")
    return {each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN}


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Ours with what is given, and nothing of ours that speaks of the same settings.

    Settings are read whatever their letters' case, and `LIVETAPE_VENUES__KRAKEN__URL` is put over LIVETAPE_VENUES.
    """
    told = {name.upper() for name in given if name.startswith(PREFIX)}
    ours = {name: value for name, value in os.environ.items() if name.upper().partition("__")[0] not in told}
    return {**ours, **given}


def _bound_to_us(number: signal.Signals) -> list[str]:
    """What to put before a command so that it ends with this thread, even if we are gone before it has begun."""
    still_ours = 'test "$PPID" = "$0" && exec "$@"'
    return ["setpriv", "--pdeathsig", number.name.removeprefix("SIG"), "--", "sh", "-c", still_ours, str(os.getpid())]


def save(child: Child, pid_file: Path) -> None:
    """Write a child's id and start time for a later command to find it."""
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(f"{child.pid} {_start_ticks(child.pid)}\n")


def find(pid_file: Path, command: Callable[[], Command]) -> Child | None:
    """The child that `save` wrote, or None when it no longer runs; its command is made when it does."""
    try:
        pid, ticks = map(int, pid_file.read_text().split())
        process = psutil.Process(pid)
        if _start_ticks(pid) != ticks:
            return None
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    child = Child(process, command())
    return child if child.is_alive() else None


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The end of a log file."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 64 * 1024))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])


def _start_ticks(pid: int) -> int:
    """Start time in clock ticks since boot: field 22 of /proc/PID/stat (proc(5))."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
