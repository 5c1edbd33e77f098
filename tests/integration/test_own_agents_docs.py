"""docs/own-agents.md: its module runs in the fold's worker, and its table is on /ws, as the page says."""

import asyncio
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from app.settings import PROJECT, Settings
from tests.integration.api_kit import WAIT_S, Client, eventually, serving
from tests.integration.fold_kit import folding, read, with_topics

PAGE = (PROJECT / "docs" / "own-agents.md").read_text()
(MODULE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(TOPICS,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
(SUBSCRIBE,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
NAMES = [f"customer-{number}" for number in range(20)]


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """The page's module and topics in a user's folder."""
    (tmp_path / "orders.py").write_text(MODULE)
    topics = tmp_path / "topics.yaml"
    topics.write_text(settings.topics_file.read_text() + "\n" + TOPICS)
    return with_topics(settings.model_copy(update={"topics_file": topics}))


def order(settings: Settings, quantities: range) -> Counter[str]:
    """Have each customer order these quantities; their sums."""
    producer = Producer({**settings.kafka_config, "log_level": 0, "partitioner": "murmur2_random"})
    for name in NAMES:
        for quantity in quantities:
            producer.produce(settings.topic("orders"), json.dumps(quantity), name)
    assert producer.flush(WAIT_S) == 0
    return Counter(dict.fromkeys(NAMES, sum(quantities)))


async def subscribed(client: Client) -> dict[str, Any]:
    """The snapshot's rows, once the changelog is read."""
    while True:
        await client.send(SUBSCRIBE)
        message = await client.receive()
        if message["type"] == "snapshot":
            assert (message["channel"], message["table"], message["left_out"]) == ("table", "sums", 0)
            return {row["key"]: row["value"] for row in message["rows"]}
        assert message["code"] == "not_ready"


async def follow(client: Client, rows: dict[str, Any], expected: Counter[str]) -> None:
    """Take updates until the table is as expected; it never shrinks (a new key's 0 is written, and an order of 0)."""
    while rows != expected:
        row = (await client.next("update"))["row"]
        assert rows.get(row["key"], 0) <= row["value"] <= expected[row["key"]]
        rows[row["key"]] = row["value"]


async def test_a_user_s_table_is_on_ws_and_its_timer_runs(own: Settings, tmp_path: Path) -> None:
    sums = order(own, range(50))
    with folding(own, app="orders", PYTHONPATH=str(tmp_path)) as worker, serving(own) as api:
        async with api.ws() as client:
            rows = await subscribed(client)
            await follow(client, rows, sums)
            sums.update(order(own, range(100, 150)))
            await follow(client, rows, sums)
        await asyncio.to_thread(eventually, lambda: has_counted(own), lambda: worker.log)
        assert worker.stop() == 0
        async with api.ws() as client:
            assert await subscribed(client) == sums
    totals = [json.loads(record.value or b"") for record in read(own, "totals")]
    assert {name: max(each["sum"] for each in totals if each["customer"] == name) for name in NAMES} == sums
    with serving(own) as api:
        async with api.ws() as client:
            assert await subscribed(client) == sums
            await client.send({"op": "subscribe", "channel": "table", "table": "bars"})
            error = await client.next("error")
            assert error["code"] == "unknown_table"
            assert "sums" in error["reason"]


def has_counted(settings: Settings) -> bool:
    """Whether the timer has told that all customers are there."""
    return str(len(NAMES)).encode() in {record.value for record in read(settings, "customers")}
