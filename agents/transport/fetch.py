"""An aiokafka consumer that keeps the record batches of some topics as they came.

aiokafka builds the decoding of a fetch response inside one method, and its fetcher inside another. Both are taken as
they are, with the one name that matters bound to something of ours, so that everything else (positions, seeks, pauses,
leader changes, errors) stays aiokafka's. `tests/unit/agents/transport/test_pinned_internals.py` fails when a new
version no longer has these names.
"""

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import consumer as consumer_module
from aiokafka.consumer import fetcher as fetcher_module
from aiokafka.structs import ConsumerRecord, TopicPartition

from agents.kernel import end_of
from agents.transport.connection import once_reached
from agents.transport.coordinator import PatientCoordinator
from agents.transport.rebinding import client_of, rebind
from agents.transport.record_set import RecordSet, has_whole_batch
from agents.transport.response_stream import ResponseStream, response_reader

NO_TIMESTAMP: Final = -1


class KeptRecords:
    """Stands where aiokafka takes a partition's records apart, and keeps them as they came."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data

    def has_next(self) -> bool:
        """Whether there is at least one whole record batch."""
        return has_whole_batch(self.data)

    def size_in_bytes(self) -> int:
        """Length of the record set."""
        return len(self.data)


class UndecodedRecords(Iterator[ConsumerRecord]):
    """Stands where aiokafka has the decoded records of a partition, and gives them all as one."""

    def __init__(
        self, tp: TopicPartition, data: bytes | memoryview, aborted: Sequence[tuple[int, int]] | None, fetch_offset: int
    ) -> None:
        self.next_fetch_offset = fetch_offset
        self._record_set: RecordSet | None = RecordSet(
            tp.topic,
            tp.partition,
            data,
            fetch_offset,
            end_of(data, fetch_offset),
            tuple((producer_id, first_offset) for producer_id, first_offset in aborted or ()),
        )

    def __next__(self) -> ConsumerRecord:
        """The record set, once; from then on the position is behind it."""
        record_set, self._record_set = self._record_set, None
        if record_set is None:
            raise StopIteration
        self.next_fetch_offset = record_set.next_offset
        return ConsumerRecord(
            topic=record_set.topic,
            partition=record_set.partition,
            offset=record_set.start_offset,
            timestamp=NO_TIMESTAMP,
            timestamp_type=0,
            key=None,
            value=record_set,
            checksum=None,
            serialized_key_size=-1,
            serialized_value_size=len(record_set.data),
            headers=(),
        )


class ReceivingConnection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    """A connection whose large responses are views of buffers that are used again."""

    connect = rebind(AIOKafkaConnection.connect, AIOKafkaProtocol=ResponseStream)
    _handle_frame = rebind(
        AIOKafkaConnection._handle_frame,  # noqa: SLF001 - pinned by a test
        io=SimpleNamespace(BytesIO=response_reader),
    )

    def _create_reader_task(self) -> Any:  # noqa: ANN401 - aiokafka's
        self._reader = self._protocol
        return super()._create_reader_task()


ReceivingClient: Final = client_of(ReceivingConnection)
"""Connects so to the brokers that it fetches from."""


class ClosingFetcher(fetcher_module.Fetcher):  # type: ignore[misc]  # aiokafka has no types
    """A fetcher that can be closed at any moment.

    aiokafka's waits for each request that it cancels, and one that failed and is about to be tried again raises its
    cancellation into whoever closes: it would end a recovery, unseen, whose broker went away.
    """

    async def close(self) -> None:
        """Cancel what is under way, and wait for its end."""
        self._fetch_task.cancel()
        await asyncio.wait({self._fetch_task})
        for request in self._pending_tasks:
            request.cancel()
        await asyncio.gather(*self._pending_tasks, return_exceptions=True)
        self._pending_tasks.clear()
        await super().close()


@cache
def undecoding_consumer(batch_topics: frozenset[str]) -> type[AIOKafkaConsumer]:
    """The class of a consumer that does not decode the records of these topics."""

    def partition_records(
        tp: TopicPartition,
        records: KeptRecords,
        aborted: Any,  # noqa: ANN401 - aiokafka's
        fetch_offset: int,
        *decoding: Any,  # noqa: ANN401 - as above
    ) -> Any:  # noqa: ANN401 - aiokafka's own class for the other topics
        if tp.topic in batch_topics:
            return UndecodedRecords(tp, records.data, aborted, fetch_offset)
        decoded = fetcher_module.MemoryRecords(bytes(records.data))
        return fetcher_module.PartitionRecords(tp, decoded, aborted, fetch_offset, *decoding)

    fetcher = type(
        "UndecodingFetcher",
        (ClosingFetcher,),
        {
            "_proc_fetch_request": rebind(
                fetcher_module.Fetcher._proc_fetch_request,  # noqa: SLF001 - pinned by a test
                MemoryRecords=KeptRecords,
                PartitionRecords=partition_records,
            )
        },
    )
    start = rebind(consumer_module.AIOKafkaConsumer.start, Fetcher=fetcher, GroupCoordinator=PatientCoordinator)

    async def start_receiving(consumer: AIOKafkaConsumer) -> None:
        consumer._client.__class__ = ReceivingClient  # noqa: SLF001 - it connects in `start`, not before
        await once_reached(lambda: start(consumer))

    return type("UndecodingConsumer", (AIOKafkaConsumer,), {"start": start_receiving})
