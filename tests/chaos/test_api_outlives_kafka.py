"""The API while Kafka goes away and comes back."""

from pathlib import Path

from app.settings import Settings
from app.topic_admin import apply
from local import stack
from local.kafka import Kafka
from tests.integration.api_kit import Writer, bar, eventually, serving, shown, standing


async def test_bars_stay_served_while_kafka_is_away_and_go_on_when_it_is_back(tmp_path: Path) -> None:
    settings = stack.on_free_ports(Settings(namespace="test-outage"), tmp_path)
    with stack.running(settings) as servers:
        apply(settings)
        Writer(settings).flush([bar(0, seq=1)])
        kafka = next(server for server in servers.servers if isinstance(server, Kafka))
        with serving(settings) as api:
            async with api.ws() as client:
                await client.subscribe()
                kafka.stop()
                eventually(lambda: standing(api) == "waiting")
                assert settings.kafka_bootstrap in api.get("/readyz").json()["reason"]
                assert api.bars() == [shown(bar(0, seq=1))]
                kafka.launch(detached=False)
                kafka.wait_ready()
                eventually(lambda: standing(api) == "ready")
                Writer(settings).flush([bar(60, seq=2)])
                assert (await client.next("update"))["bar"] == shown(bar(60, seq=2))
            assert api.bars() == [shown(bar(0, seq=1)), shown(bar(60, seq=2))]
