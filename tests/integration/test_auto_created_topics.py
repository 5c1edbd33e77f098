"""Brokers that make a topic when somebody asks for it, as Kafka's do by default: ours ask so that none does."""

from collections.abc import Iterator
from typing import Final

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from agents.transport import Transport, consumer_connection
from app.kafka_admin import admin_client
from app.settings import Settings
from app.sources import VenueConfig, Writer
from local import ports
from local.kafka import Kafka
from tests.integration.api_kit import WAIT_S
from tests.own_server import launched
from tests.parts import running

NOBODY: Final = {"url": "wss://localhost:1/stream", "rest_url": "https://localhost:1", "instruments": ("BTC-USDT",)}


class ObligingKafka(Kafka):
    """A broker that makes missing topics."""

    def _properties(self) -> dict[str, object]:
        return super()._properties() | {"auto.create.topics.enable": "true"}


@pytest.fixture(scope="module")
def obliging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObligingKafka]:
    with launched(ObligingKafka(tmp_path_factory.mktemp("obliging"), *ports.free_ports(2))) as kafka:
        yield kafka


@pytest.fixture
def there(settings: Settings, obliging: ObligingKafka) -> Settings:
    """Settings of a namespace that has no topics yet, at that broker."""
    venues = {"binance": VenueConfig(**NOBODY), "kraken": VenueConfig(**NOBODY, writer=Writer.RELAY)}
    bridge, relay = (f"127.0.0.1:{port}" for port in ports.free_ports(2))
    own = {"venues": venues, "bridge_metrics": bridge, "relay_metrics": relay}
    return settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{obliging.ports['clients']}", **own})


def topics_of(settings: Settings) -> set[str]:
    present = admin_client(settings).list_topics(timeout=WAIT_S).topics
    return {name for name in present if name.startswith(settings.namespace)}


@pytest.mark.parametrize("command", ["bridge", "relay", "worker", "join", "sink", "reconcile"])
def test_a_part_whose_topics_are_missing_names_them_and_makes_none(there: Settings, command: str) -> None:
    with running(command, there) as part:
        assert part.wait() != 0
    assert f"{there.namespace}.bars" in part.printed or f"{there.namespace}.trades" in part.printed
    assert "`livetape topics apply`" in part.printed
    assert topics_of(there) == set()


async def test_what_a_users_agent_writes_to_a_missing_topic_makes_none(there: Settings) -> None:
    producer = Transport.Producer._producer_type(**consumer_connection(there), request_timeout_ms=1_000)
    await producer.start()
    try:
        with pytest.raises(UnknownTopicOrPartitionError):
            await producer.send(there.topic("orders"), b"order")
    finally:
        await producer.stop()
    assert topics_of(there) == set()
