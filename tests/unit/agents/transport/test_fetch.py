"""Fetchers that are closed at bad moments."""

import asyncio
from types import SimpleNamespace

from aiokafka.errors import KafkaConnectionError

from agents.transport.fetch import ClosingFetcher

GUARD_S = 120.0
"""Longer than anything here takes: a wait that nothing ends fails by it."""
HOUR_S = 3_600.0


async def test_a_fetcher_whose_request_waits_to_be_tried_again_can_be_closed() -> None:
    has_failed = asyncio.Event()

    async def fail(*_: object) -> None:
        has_failed.set()
        raise KafkaConnectionError

    fetcher = ClosingFetcher.__new__(ClosingFetcher)
    fetcher._client = SimpleNamespace(send=fail)
    fetcher._retry_backoff = HOUR_S
    fetcher._preferred_read_replica = {}
    fetcher._fetch_waiters = set()
    fetcher._fetch_task = asyncio.create_task(asyncio.sleep(HOUR_S))
    request = asyncio.create_task(fetcher._proc_fetch_request(None, 0, SimpleNamespace(topics=())))
    fetcher._pending_tasks = {request}
    async with asyncio.timeout(GUARD_S):
        await has_failed.wait()
        await fetcher.close()
    assert request.cancelled()
