"""What a bridge cannot begin with is told, and once it runs its metrics tell what it does."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from local import certificates
from replay.venues import VenueName
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import bridging
from tests.integration.bridge_run import ETH, NOWHERE, running, trade


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"topic": "nowhere.trades"}, "Kafka has no topic nowhere.trades: run `livetape topics apply`"),
        ({"metrics": "127.0.0.1"}, "metrics must be HOST:PORT, and is 127.0.0.1"),
        ({"topic": 7}, "field topic has a value of the wrong type"),
        ({"kafka": {"bootstrap.server": "x"}}, 'No such configuration property: "bootstrap.server"'),
        ({"venues": [{"venue": "nyse"}]}, "no field url"),
    ],
)
async def test_a_configuration_that_cannot_work_is_told(here: Settings, change: dict[str, Any], reason: str) -> None:
    with bridging(here.model_copy(update={"venues": {VenueName.BINANCE: NOWHERE}}), **change) as bridge:
        assert await bridge.ended() == 1
        assert reason in bridge.log


async def test_a_file_of_authorities_that_is_not_there_is_named(here: Settings) -> None:
    venue = NOWHERE.model_copy(update={"ca_file": Path("/nowhere/ca.pem")})
    with bridging(here.model_copy(update={"venues": {"binance": venue}})) as bridge:
        assert await bridge.ended() == 1
        assert "wss://localhost:1/stream cannot be read from ca_file /nowhere/ca.pem" in bridge.log


async def test_a_second_bridge_on_the_same_ports_is_told_whose_they_are(
    here: Settings, certs: certificates.Certificates
) -> None:
    async with running(here, certs) as run:
        with bridging(here.model_copy(update={"venues": {VenueName.KRAKEN: NOWHERE}})) as second:
            assert await second.ended() == 1
            assert "LIVETAPE_BRIDGE_METRICS chooses another address" in second.log
        await run.play(trade(1))


async def test_metrics_are_what_prometheus_reads(here: Settings, certs: certificates.Certificates) -> None:
    async with running(here, certs) as run:
        await run.play(trade(1), trade(2, ETH))
        await run.bridge.counts("kafka_delivered_total", 2)
        families = {family.name: family for family in text_string_to_metric_families(run.bridge.metrics())}
        async with httpx.AsyncClient(timeout=WAIT_S) as http:
            other = await http.get(f"http://{here.bridge_metrics}/")
    trades = families["livetape_bridge_trades"]
    assert (trades.type, trades.documentation) == ("counter", "Trades decoded")
    assert [(sample.name, sample.labels, sample.value) for sample in trades.samples] == [
        ("livetape_bridge_trades_total", {"venue": "binance"}, 2.0)
    ]
    assert families["livetape_bridge_connected"].type == "gauge"
    assert all(family.documentation for family in families.values())
    assert other.status_code == 404
