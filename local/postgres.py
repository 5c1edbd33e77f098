"""Postgres on one machine, as an unprivileged user: the server refuses to run as root."""

import os
import pwd
import re
import signal
import subprocess
from pathlib import Path

import psycopg

from local import folders, postgres_roles
from local.errors import ServerFailed, SoftwareMissing
from local.process import Command
from local.server import SERVERS, Server

FOLDER = SERVERS / "postgres"
UNPRIVILEGED = "nobody"
CAP_DAC_READ_SEARCH = 1 << 2  # linux/capability.h


class Postgres(Server):
    """Listens on 127.0.0.1 only; the role `livetape` makes its databases, and needs no password."""

    name = "postgres"
    title = "Postgres"
    setting = "LIVETAPE_POSTGRES_URL"

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home, {"sql": port})
        self._access = self.data / "access.conf"

    def prepare(self) -> None:
        """Make the database cluster once; one from before `livetape` ceased to be superuser is brought to the same."""
        if not self.data.exists():
            self._make()
        elif not self._access.exists():
            self._divide_roles()

    def _make(self) -> None:
        """It takes its place when it is whole: initdb writes most of what would tell it first, and may be killed."""
        unfinished = self.data.with_name(f"{self.data.name}.new")
        folders.remove(unfinished)
        unfinished.mkdir(parents=True, mode=0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED)
            os.chown(unfinished, user.pw_uid, user.pw_gid)
        options = ["--username", postgres_roles.SUPERUSER, "--auth", "reject", "--encoding", "UTF8", "--no-locale"]
        self._run("initdb", "--pgdata", unfinished, *options, "--no-instructions")
        self._run_single(unfinished, "postgres", postgres_roles.MAKE)
        _write_access(unfinished / self._access.name)
        unfinished.rename(self.data)

    def _divide_roles(self) -> None:
        """Who may come in is written last: what was cut off before is done again, as far as it is not done."""
        self._run_single(self.data, "postgres", postgres_roles.DIVIDE)
        databases = self._run_single(self.data, "postgres", postgres_roles.DATABASES)
        for database in re.findall(r'datname = "(.*)"\t\(typeid', databases):
            self._run_single(self.data, database, postgres_roles.TAKE_OVER)
        self._run_single(self.data, "postgres", postgres_roles.TAKE_OVER_DATABASES)
        unfinished = self._access.with_suffix(".new")
        _write_access(unfinished)
        unfinished.rename(self._access)

    def _run_single(self, folder: Path, database: str, statement: str) -> str:
        """Run a statement as superuser by a server that lets nobody in; what it prints is returned."""
        strict = ["-c", "exit_on_error=on"]
        return self._run("postgres", "--single", "-j", "-D", folder, *strict, database, given=f"{statement};\n\n")

    def _run(self, program: str, *options: str | Path, given: str = "") -> str:
        command = [*_unprivileged(), str(_program(program)), *map(str, options)]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise ServerFailed(self.title, "could not make its data folder", self.log, done.stdout + done.stderr)
        return done.stdout

    def command(self) -> Command:
        """The server; SIGINT is its fast shutdown, which does not wait for clients."""
        settings = {
            "port": self.ports["sql"],
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "hba_file": self._access,
            "max_connections": 200,
            "shared_buffers": "128MB",
            "max_wal_size": "512MB",
            "timezone": "UTC",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        arguments: list[str | Path] = [_program("postgres"), "-D", self.data, *options]
        return Command(
            arguments, {"LC_ALL": "C"}, stop_signal=signal.SIGINT, orphan_signal=signal.SIGINT, as_user=_unprivileged()
        )

    def is_ready(self) -> bool:
        """Whether it answers a query."""
        try:
            with psycopg.connect(
                host="127.0.0.1", port=self.ports["sql"], user=postgres_roles.ROLE, dbname="postgres", connect_timeout=2
            ):
                return True
        except psycopg.OperationalError:
            return False


def _program(name: str) -> Path:
    program = FOLDER / "bin" / name
    if not program.exists():
        raise SoftwareMissing(f"Postgres ({name})", "run `make servers`")
    return program


def _write_access(file: Path) -> None:
    """Anew: its folder is another user's, and root follows no link of theirs."""
    file.unlink(missing_ok=True)
    with file.open("x") as made:
        made.write(postgres_roles.ACCESS)


def _unprivileged() -> list[str]:
    """What to put before a command so that root runs it as nobody, yet able to enter a folder that only root may.

    The capability serves projects below a home folder closed to others; without the secure bit access(2) ignores it.
    """
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(UNPRIVILEGED)
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    capability = _reading_capability()
    options = ["--securebits=+no_setuid_fixup", f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
    return ["setpriv", *options, *ids, "--"]


def _reading_capability() -> str:
    """To read whatever there is; where we lack it, as root does in a container, the one to write as well."""
    (permitted,) = re.findall(r"^CapPrm:\s*(\w+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return "dac_read_search" if int(permitted, 16) & CAP_DAC_READ_SEARCH else "dac_override"
