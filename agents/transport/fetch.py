"""An aiokafka consumer that keeps the record batches of some topics as they came.

aiokafka builds the decoding of a fetch response inside one method, and its fetcher inside another. Both are taken as
they are, with the one name that matters bound to something of ours, so that everything else (positions, seeks, pauses,
leader changes, errors) stays aiokafka's. `tests/unit/agents/transport/test_pinned_internals.py` fails when a new
version no longer has these names.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import FunctionType
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import consumer as consumer_module
from aiokafka.consumer import fetcher as fetcher_module
from aiokafka.structs import ConsumerRecord, TopicPartition

from agents.transport.record_set import RecordSet, end_of

NO_TIMESTAMP: Final = -1


class KeptRecords:
    """aiokafka's record set, together with the bytes that it was made from."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._records = fetcher_module.MemoryRecords(data)

    def has_next(self) -> bool:
        """Whether there is at least one whole record batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> Any:  # noqa: ANN401 - one of aiokafka's batch classes
        """The next record batch, decoded by aiokafka."""
        return self._records.next_batch()

    def size_in_bytes(self) -> int:
        """Length of the record set."""
        return len(self.data)


class UndecodedRecords(Iterator[ConsumerRecord]):
    """Stands where aiokafka has the decoded records of a partition, and gives them all as one."""

    def __init__(
        self, tp: TopicPartition, data: bytes, aborted: Sequence[tuple[int, int]] | None, fetch_offset: int
    ) -> None:
        self.next_fetch_offset = fetch_offset
        self._record_set: RecordSet | None = RecordSet(
            tp.topic,
            tp.partition,
            bytes(data),
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


def rebind(function: Callable[..., Any], **names: object) -> FunctionType:
    """The same function with some of its module's names bound to other things."""
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function!r} is no plain function")
    bound = FunctionType(
        function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__, None
    )
    bound.__kwdefaults__ = function.__kwdefaults__
    return bound


@cache
def undecoding_consumer(batch_topics: frozenset[str]) -> type[AIOKafkaConsumer]:
    """The class of a consumer that does not decode the records of these topics."""

    def partition_records(
        tp: TopicPartition,
        records: KeptRecords,
        aborted: Any,  # noqa: ANN401
        fetch_offset: int,
        *decoding: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - aiokafka's own class for the other topics
        if tp.topic in batch_topics:
            return UndecodedRecords(tp, records.data, aborted, fetch_offset)
        return fetcher_module.PartitionRecords(tp, records, aborted, fetch_offset, *decoding)

    fetcher = type(
        "UndecodingFetcher",
        (fetcher_module.Fetcher,),
        {
            "_proc_fetch_request": rebind(
                fetcher_module.Fetcher._proc_fetch_request,  # noqa: SLF001 - pinned by a test
                MemoryRecords=KeptRecords,
                PartitionRecords=partition_records,
            )
        },
    )
    return type(
        "UndecodingConsumer",
        (AIOKafkaConsumer,),
        {"start": rebind(consumer_module.AIOKafkaConsumer.start, Fetcher=fetcher)},
    )
