"""The local servers answer their own protocols."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import psycopg
from confluent_kafka.admin import AdminClient

from app.settings import PROJECT, Settings
from local import ports, stack
from local.postgres import Postgres
from local.stack import Stack
from tests.integration.api_kit import WAIT_S


def test_kafka_answers_with_one_broker(servers: Settings) -> None:
    assert len(AdminClient(servers.kafka_config).list_topics(timeout=WAIT_S).brokers) == 1


def test_the_registry_demands_backward_compatibility(servers: Settings) -> None:
    assert httpx.get(f"{servers.registry_url}/config", timeout=WAIT_S).json() == {"compatibilityLevel": "BACKWARD"}


def test_postgres_18_lets_the_role_livetape_in(servers: Settings) -> None:
    with psycopg.connect(servers.postgres_url.replace("+psycopg", "") + "/postgres") as connection:
        row = connection.execute("select current_user, current_setting('server_version_num')::int / 10000").fetchone()
    assert row == ("livetape", 18)


def test_postgres_starts_after_its_data_folder_was_left_half_made(tmp_path: Path) -> None:
    server = Postgres(tmp_path, 0)
    unfinished = server.data.with_name("postgres.new")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")  # what initdb writes first
    server.prepare()
    assert (server.data / "global" / "pg_control").exists()
    assert not unfinished.exists()


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
