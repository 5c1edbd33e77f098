"""The local servers answer their own protocols."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from app.database import migrate
from app.settings import PROJECT, Settings
from local import ports, stack
from local.kafka import Kafka
from local.postgres import Postgres
from local.process import Command
from local.registry import Registry
from local.stack import Stack
from tests.integration.api_kit import WAIT_S
from tests.own_server import launched


def test_kafka_answers_with_one_broker(servers: Settings) -> None:
    assert len(AdminClient(servers.kafka_config).list_topics(timeout=WAIT_S).brokers) == 1


def test_the_registry_demands_backward_compatibility(servers: Settings) -> None:
    assert httpx.get(f"{servers.registry_url}/config", timeout=WAIT_S).json() == {"compatibilityLevel": "BACKWARD"}


def test_postgres_18_lets_the_role_livetape_in(servers: Settings) -> None:
    with psycopg.connect(servers.postgres_url.replace("+psycopg", "") + "/postgres") as connection:
        row = connection.execute("select current_user, current_setting('server_version_num')::int / 10000").fetchone()
    assert row == ("livetape", 18)


def test_kafka_and_the_registry_run_whatever_language_and_letters_the_user_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Duser.language=tr -Duser.country=TR")
    monkeypatch.setenv("LC_ALL", "C")
    home = tmp_path / "jürgen"
    kafka, controller, registry = ports.free_ports(3)
    with launched(Kafka(home, kafka, controller)), launched(Registry(home, registry)):
        assert {file.parent.name for file in home.rglob("meta.properties")} == {"log"}
        assert list((home / "data" / "registry").glob("*.db"))


PROGRAM = "CREATE TEMP TABLE told (line text); COPY told FROM PROGRAM 'id'"


def address(server: Postgres, database: str, role: str = "livetape") -> str:
    return f"host=127.0.0.1 port={server.ports['sql']} user={role} dbname={database}"


def assert_runs_no_programs(server: Postgres) -> None:
    with (
        psycopg.connect(address(server, "postgres")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="external program"),
    ):
        connection.execute(PROGRAM)
    for role in ("livetape_superuser", "livetape_apart", "postgres", "nobody"):
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry for host"):
            psycopg.connect(address(server, "postgres", role))


def test_nobody_who_comes_into_postgres_may_run_programs(tmp_path: Path) -> None:
    with launched(Postgres(tmp_path, ports.free_ports(1)[0])) as server:
        assert_runs_no_programs(server)


class FormerPostgres(Postgres):
    """One whose role `livetape` is superuser, as it was."""

    def prepare(self) -> None:
        """Make the folder as it was made."""
        self.data.mkdir(parents=True, mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(self.data, "nobody", "nogroup")
        options = ["--username", "livetape", "--auth", "trust", "--encoding", "UTF8", "--no-locale"]
        self._run("initdb", "--pgdata", self.data, *options)

    def command(self) -> Command:
        """The server, which lets in whom initdb's own file says."""
        now = super().command()
        return replace(now, arguments=[*now.arguments, "-c", f"hba_file={self.data / 'pg_hba.conf'}"])


OWN = """
    CREATE SCHEMA own;
    CREATE TYPE own.mood AS ENUM ('calm');
    CREATE TYPE own.pair AS (one int, other int);
    CREATE TYPE own.span AS RANGE (subtype = int);
    CREATE DOMAIN own.price AS numeric;
    CREATE TABLE own.note (id serial, number int GENERATED ALWAYS AS IDENTITY, moods own.mood[], price own.price);
    CREATE TABLE own.day (day date) PARTITION BY RANGE (day);
    CREATE TABLE own.today PARTITION OF own.day DEFAULT;
    CREATE MATERIALIZED VIEW own.ones AS SELECT 1 AS one;
    CREATE SEQUENCE own.numbers;
    CREATE FUNCTION own.seven() RETURNS int RETURN 7;
    CREATE PROCEDURE own.nothing() LANGUAGE sql AS '';
    CREATE AGGREGATE own.total (int) (sfunc = int4pl, stype = int)
"""
OTHERS = """
    SELECT oid::regclass::text FROM pg_class
    WHERE oid >= 16384 AND pg_get_userbyid(relowner) <> 'livetape' AND relnamespace <> 'pg_toast'::regnamespace
    UNION ALL
    SELECT oid::regtype::text FROM pg_type WHERE oid >= 16384 AND pg_get_userbyid(typowner) <> 'livetape'
    UNION ALL
    SELECT oid::regprocedure::text FROM pg_proc WHERE oid >= 16384 AND pg_get_userbyid(proowner) <> 'livetape'
    UNION ALL
    SELECT nspname FROM pg_namespace WHERE oid >= 16384 AND pg_get_userbyid(nspowner) <> 'livetape'
    UNION ALL
    SELECT datname FROM pg_database WHERE datname !~ '^template[01]$' AND pg_get_userbyid(datdba) <> 'livetape'
"""


def test_a_former_cluster_keeps_its_tables_and_its_role_runs_no_programs_any_more(tmp_path: Path) -> None:
    (port,) = ports.free_ports(1)
    settings = Settings(namespace="kept", postgres_url=f"postgresql+psycopg://livetape@127.0.0.1:{port}")
    databases = ("kept", "postgres", "template1")
    with launched(FormerPostgres(tmp_path, port)) as server:
        migrate(settings)
        for name in databases:
            with psycopg.connect(address(server, name)) as connection:
                connection.execute(OWN)
        with psycopg.connect(address(server, "kept"), autocommit=True) as connection:
            connection.execute("INSERT INTO stream_offset VALUES ('trades', 0, 'log-0', 7)")
            connection.execute("CREATE VIEW own.offsets AS SELECT next_offset FROM public.stream_offset")
            connection.execute("CREATE ROLE postgres SUPERUSER LOGIN")
            connection.execute("CREATE DATABASE half_removed")
            connection.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'half_removed'")
    now = Postgres(tmp_path, port)
    for _ in range(2):
        with launched(now) as server:
            assert_runs_no_programs(server)
            migrate(settings)
            for name in databases:
                with psycopg.connect(address(server, name)) as connection:
                    connection.execute("INSERT INTO own.note (price) VALUES (own.seven())")
                    assert connection.execute(OTHERS).fetchall() == []
                    connection.execute("DROP FUNCTION own.seven()")
                    connection.rollback()
            with psycopg.connect(address(server, "kept")) as connection:
                assert connection.execute("SELECT next_offset FROM own.offsets").fetchall() == [(7,)]
        (now.data / "access.conf").unlink()  # as when it was cut off before its end


def test_a_namespace_may_have_the_name_of_the_database_postgres(tmp_path: Path) -> None:
    (port,) = ports.free_ports(1)
    with launched(Postgres(tmp_path, port)) as server:
        migrate(Settings(namespace="postgres", postgres_url=f"postgresql+psycopg://livetape@127.0.0.1:{port}"))
        with psycopg.connect(address(server, "postgres")) as connection:
            assert connection.execute("SELECT * FROM stream_offset").fetchall() == []


def test_postgres_starts_after_its_data_folder_was_left_half_made(tmp_path: Path) -> None:
    server = Postgres(tmp_path, 0)
    unfinished = server.data.with_name("postgres.new")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")  # what initdb writes first
    server.prepare()
    assert (server.data / "global" / "pg_control").exists()
    assert not unfinished.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lack")
def test_root_makes_a_cluster_without_the_right_to_read_everything_as_in_a_container(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from local.postgres import Postgres\n"
        "Postgres(Path(sys.argv[1]), 0).prepare()"
    )
    lacking = ["setpriv", "--bounding-set=-dac_read_search", sys.executable, "-c", script, str(tmp_path)]
    subprocess.run(lacking, cwd=PROJECT, check=True)
    assert (Postgres(tmp_path, 0).data / "global" / "pg_control").exists()


def test_no_server_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(), tmp_path)
    script = (
        "import time; from app.settings import Settings; from local import stack\n"
        "with stack.running(Settings()) as servers:\n"
        "    print(*(server.running().pid for server in servers.servers), flush=True)\n"
        "    time.sleep(600)"
    )
    command = [sys.executable, "-c", script]
    environment = {**os.environ, **settings.environment()}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        processes = [psutil.Process(int(pid)) for pid in run.stdout.readline().split()]
        assert len(processes) == len(Stack(settings).servers)
        run.kill()
    _, alive = psutil.wait_procs(processes, timeout=WAIT_S)
    assert alive == []
    assert [
        port for server in Stack(settings).servers for port in server.ports.values() if not ports.is_free(port)
    ] == []
