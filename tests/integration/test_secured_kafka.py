"""A cluster that asks for TLS and a password: all that talks to Kafka comes in by LIVETAPE_KAFKA_CLIENT."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from app.settings import Settings
from app.units import SECOND_NS
from local import ports
from local.certificates import Certificates
from local.kafka import Kafka
from tests.integration.api_kit import eventually
from tests.integration.bridge_run import START_NS, running, trade
from tests.integration.fold_kit import Avro, folding, read_bars, with_topics
from tests.own_server import launched

PASSWORD: Final = "open-sesame"


class SecuredKafka(Kafka):
    """A broker with one more listener, for clients that log in."""

    def __init__(self, home: Path, certs: Certificates) -> None:
        port, controller_port, self.login_port = ports.free_ports(3)
        super().__init__(home, port, controller_port)
        self._keys = home / "server-keys.pem"
        self._keys.write_bytes(certs.key.read_bytes() + certs.server.read_bytes())

    def _properties(self) -> dict[str, object]:
        plain = super()._properties()
        address = f"LOGIN://127.0.0.1:{self.login_port}"
        return plain | {
            "listeners": f"{plain['listeners']},{address}",
            "advertised.listeners": f"{plain['advertised.listeners']},{address}",
            "listener.security.protocol.map": f"{plain['listener.security.protocol.map']},LOGIN:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.name.login.ssl.keystore.type": "PEM",
            "listener.name.login.ssl.keystore.location": self._keys,
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": (
                f'org.apache.kafka.common.security.plain.PlainLoginModule required user_livetape="{PASSWORD}";'
            ),
        }


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, certs: Certificates) -> Iterator[SecuredKafka]:
    with launched(SecuredKafka(tmp_path_factory.mktemp("secured"), certs)) as kafka:
        yield kafka


def logging_in(settings: Settings, kafka: SecuredKafka, certs: Certificates, password: str = PASSWORD) -> Settings:
    client = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "livetape",
        "sasl.password": password,
        "ssl.ca.location": str(certs.ca),
    }
    return settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{kafka.login_port}", "kafka_client": client})


async def test_trades_become_bars_over_a_cluster_that_asks_for_a_password(
    settings: Settings, secured: SecuredKafka, certs: Certificates
) -> None:
    settings = with_topics(logging_in(settings, secured, certs))
    avro = Avro(settings)
    async with running(settings, certs) as run:
        await run.play(*(trade(number) for number in range(1, 4)))
        with folding(settings) as worker:
            eventually(lambda: len(read_bars(settings, avro)) >= 2, lambda: worker.log)
    shown = {bar["start_ns"]: bar["trade_count"] for bar in read_bars(settings, avro) if bar["interval"] == "1s"}
    assert shown.items() >= {START_NS + number * SECOND_NS: 1 for number in (1, 2)}.items()


def test_a_worker_whose_password_is_refused_says_so_and_waits(
    settings: Settings, secured: SecuredKafka, certs: Certificates
) -> None:
    with folding(logging_in(settings, secured, certs, "another")) as worker:
        eventually(
            lambda: worker.log.count("Authentication failed: Invalid username or password") > 1, lambda: worker.log
        )
        assert worker.process.poll() is None
        assert worker.stop() == 0
