"""A broker of a test's own, which it may stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.settings import Settings
from local import stack
from local.kafka import Kafka
from tests.integration.bridge_kit import bridge_settings


@asynccontextmanager
async def kafka_of_its_own(home: Path, namespace: str) -> AsyncIterator[tuple[Settings, Kafka]]:
    """A broker that a test may stop, and settings of a bridge beside it."""
    settings = stack.on_free_ports(Settings(namespace=namespace), home)
    with stack.running(settings) as servers:
        kafka = next(server for server in servers.servers if isinstance(server, Kafka))
        yield bridge_settings(settings, home), kafka


async def start_again(kafka: Kafka) -> None:
    kafka.launch(detached=False)
    await asyncio.to_thread(kafka.wait_ready)
