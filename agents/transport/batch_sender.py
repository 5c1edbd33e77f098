"""Record batches sent at once and outside of transactions, those of all partitions of a broker in one request.

aiokafka's producer takes several tasks and futures for each batch; here a request is all that there is. What is lost is
not sent again: this is for records that newer ones make good.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition

from agents.kernel import PackedBatch
from agents.transport.connection import REQUEST_TIMEOUT_MS, consumer_connection, once_reached
from agents.transport.produce_request import ClientInParts, InParts
from app.settings import Settings
from app.units import MILLISECOND_NS

_LEADER_ACKS: Final = 1
_NO_LEADER: Final = (None, -1)
"""Where a partition is not known, and where no broker has it."""


class BatchSender:
    """Sends to one topic. To be started, used and closed in one event loop."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self._client = ClientInParts(**consumer_connection(settings), request_timeout_ms=REQUEST_TIMEOUT_MS)

    async def __aenter__(self) -> "BatchSender":
        """Learn of the topic, once a broker can be reached."""
        await once_reached(self._client.bootstrap)
        await self._client.set_topics([self._topic])
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Let go of the connections."""
        await self._client.close()

    async def send(self, batches: Mapping[int, PackedBatch]) -> None:
        """Send a batch to each of these partitions; all that can be are sent.

        Raises:
            KafkaError: one of them was not stored, or nobody knows.
        """
        by_leader: dict[int | None, list[tuple[int, PackedBatch]]] = defaultdict(list)
        for partition, batch in batches.items():
            leader = self._client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
            by_leader[leader].append((partition, batch))
        sending = (self._send(leader, theirs) for leader, theirs in by_leader.items())
        failed = [each for each in await asyncio.gather(*sending, return_exceptions=True) if each is not None]
        if failed:
            self._client.force_metadata_update()
            raise failed[0]

    async def _send(self, leader: int | None, batches: list[tuple[int, PackedBatch]]) -> None:
        if leader in _NO_LEADER:
            raise LeaderNotAvailableError(self._topic)
        now_ms = time.time_ns() // MILLISECOND_NS
        data = [(number, batch.stamped(now_ms)) for number, batch in batches]
        request: Any = ProduceRequest(None, _LEADER_ACKS, REQUEST_TIMEOUT_MS, [(self._topic, data)])
        response = await self._client.send(leader, InParts(request))
        for _, answers in response.topics:
            for _partition, code, *_rest in answers:
                if code:
                    raise for_code(code)
