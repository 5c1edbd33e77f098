"""Record batches that are packed already, sent by an aiokafka producer as if it had packed them itself.

`tests/unit/agents/transport/test_pinned_internals.py` fails when a new version asks more of a batch than this has.
"""

import time
from typing import Any, Final

from agents.kernel import PackedBatch
from agents.transport.connection import REQUEST_TIMEOUT_MS, consumer_connection
from agents.transport.produce_request import ProducerInParts
from app.settings import Settings
from app.units import MILLISECOND_NS

TRANSACTION_TIMEOUT_MS: Final = 10_000


class PreparedBatch:
    """Stands where aiokafka has a batch that grows until it is sent."""

    def __init__(self, batch: PackedBatch) -> None:
        self._batch = batch
        self._data = memoryview(b"")

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._data = self._batch.marked(producer_id, producer_epoch, base_sequence, time.time_ns() // MILLISECOND_NS)

    def _build(self) -> memoryview:
        return self._data

    def record_count(self) -> int:
        """How many records it has: the producer's sequence goes on by as many."""
        return self._batch.records

    def size(self) -> int:
        """Bytes."""
        return self._batch.size

    def close(self) -> None:
        """Nothing is added to it in any case."""

    def closed(self) -> bool:
        """Always: it is not to wait for more."""
        return True


def transactional_producer(settings: Settings, transactional_id: str) -> Any:  # noqa: ANN401 - aiokafka has no types
    """A producer for `send_batch` in transactions; to be made and used in one event loop."""
    return ProducerInParts(
        **consumer_connection(settings),
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
