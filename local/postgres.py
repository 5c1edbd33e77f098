"""Postgres on one machine, as an unprivileged user: the server refuses to run as root."""

import os
import pwd
import signal
import subprocess
from pathlib import Path

import psycopg

from local import folders
from local.errors import ServerFailed, SoftwareMissing
from local.process import Command
from local.server import SERVERS, Server

FOLDER = SERVERS / "postgres"
ROLE = "livetape"
UNPRIVILEGED = "nobody"


class Postgres(Server):
    """Listens on 127.0.0.1 only; the role `livetape` owns everything and needs no password."""

    name = "postgres"
    title = "Postgres"
    setting = "LIVETAPE_POSTGRES_URL"

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home, {"sql": port})

    def prepare(self) -> None:
        """Make the database cluster once.

        It takes its place when it is whole: initdb writes most of what one could tell it by first, and may be killed.
        """
        if self.data.exists():
            return
        unfinished = self.data.with_name(f"{self.data.name}.new")
        folders.remove(unfinished)
        unfinished.mkdir(parents=True, mode=0o700)
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED)
            os.chown(unfinished, user.pw_uid, user.pw_gid)
        options = ["--username", ROLE, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-instructions"]
        command = [*_unprivileged(), str(_program("initdb")), "--pgdata", str(unfinished), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise ServerFailed(self.title, "could not make its data folder", self.log, done.stdout + done.stderr)
        unfinished.rename(self.data)

    def command(self) -> Command:
        """The server; SIGINT is its fast shutdown, which does not wait for clients."""
        settings = {
            "port": self.ports["sql"],
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
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
                host="127.0.0.1", port=self.ports["sql"], user=ROLE, dbname="postgres", connect_timeout=2
            ):
                return True
        except psycopg.OperationalError:
            return False


def _program(name: str) -> Path:
    program = FOLDER / "bin" / name
    if not program.exists():
        raise SoftwareMissing(f"Postgres ({name})", "run `make servers`")
    return program


def _unprivileged() -> list[str]:
    """What to put before a command so that root runs it as nobody, yet able to enter a folder that only root may.

    The capability serves projects below a home folder closed to others; without the secure bit access(2) ignores it.
    """
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(UNPRIVILEGED)
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    capability = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return ["setpriv", *capability, *ids, "--"]
