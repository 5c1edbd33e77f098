"""The local servers answer their own protocols."""

import httpx
import psycopg
from confluent_kafka.admin import AdminClient

from app.settings import Settings


def test_kafka_answers_with_one_broker(servers: Settings) -> None:
    assert len(AdminClient(servers.kafka_config).list_topics(timeout=10).brokers) == 1


def test_the_registry_demands_backward_compatibility(servers: Settings) -> None:
    assert httpx.get(f"{servers.registry_url}/config").json() == {"compatibilityLevel": "BACKWARD"}


def test_postgres_18_lets_the_role_livetape_in(servers: Settings) -> None:
    with psycopg.connect(servers.postgres_url.replace("+psycopg", "") + "/postgres") as connection:
        row = connection.execute("select current_user, current_setting('server_version_num')::int / 10000").fetchone()
    assert row == ("livetape", 18)
