"""A Postgres that lets nobody in without TLS: all that talks to it comes in by the parameters of its address."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from app import topic_admin
from app.database import conninfo, migrate
from app.settings import Settings
from local import certificates, ports
from local.certificates import Certificates
from local.postgres import Postgres
from local.process import Command
from tests.integration.api_kit import eventually
from tests.integration.sql_kit import Database, Tape, trade
from tests.own_server import launched
from tests.parts import running


class SecuredPostgres(Postgres):
    """A server with a certificate; without TLS it refuses everybody."""

    def __init__(self, home: Path, certs: Certificates) -> None:
        super().__init__(home, ports.free_ports(1)[0])
        self._certs = certs

    def prepare(self) -> None:
        """Put its certificate into its folder, where the server's own user may read it."""
        super().prepare()
        owner = self.data.stat()
        for file in (self._certs.server, self._certs.key):
            copied = Path(shutil.copy(file, self.data))
            os.chown(copied, owner.st_uid, owner.st_gid)
            copied.chmod(0o600)
        (self.data / "access.conf").write_text("hostssl all livetape 127.0.0.1/32 trust\n")

    def command(self) -> Command:
        """The server, with TLS."""
        plain = super().command()
        files = {"ssl_cert_file": self._certs.server.name, "ssl_key_file": self._certs.key.name}
        options = [part for key, value in {"ssl": "on", **files}.items() for part in ("-c", f"{key}={value}")]
        return replace(plain, arguments=[*plain.arguments, *options])


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certs: Certificates) -> Iterator[SecuredPostgres]:
    with launched(SecuredPostgres(tmp_path_factory.mktemp("secured"), certs)) as postgres:
        yield postgres


def reaching(settings: Settings, postgres: SecuredPostgres, tls: str) -> Settings:
    url = f"postgresql+psycopg://livetape@127.0.0.1:{postgres.ports['sql']}?{tls}"
    return Settings.model_validate(settings.model_dump() | {"postgres_url": url})


def test_trades_are_stored_over_tls_and_read_over_tls(
    settings: Settings, secured: SecuredPostgres, certs: Certificates
) -> None:
    settings = reaching(settings, secured, f"sslmode=verify-full&sslrootcert={certs.ca}")
    topic_admin.apply(settings)
    Tape(settings).trades([trade(1)])
    with running("sink", settings) as sink:
        eventually(lambda: Database(settings).count("trade") == 1, lambda: sink.printed)
        used = (
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = current_database()"
        )
        assert Database(settings).rows(used) == [(True,)]


def test_another_authority_and_no_tls_are_refused(settings: Settings, secured: SecuredPostgres, tmp_path: Path) -> None:
    other = certificates.ensure(tmp_path).ca
    for tls, said in (
        (f"sslmode=verify-full&sslrootcert={other}", "certificate verify failed"),
        ("sslmode=disable", "no encryption"),
    ):
        refused = reaching(settings, secured, tls)
        with pytest.raises(psycopg.OperationalError, match=said):
            migrate(refused)
        with pytest.raises(psycopg.OperationalError, match=said):
            psycopg.connect(conninfo(refused, "postgres"))
