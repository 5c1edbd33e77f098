"""A request to produce large batches, sent from where they are.

aiokafka joins a request from the inside out, and its front to it: the bytes of a batch are copied eight times before
they reach the socket. With all of them each in fresh memory, that was a tenth of what a worker costs that catches up.
`tests/unit/agents/transport/test_pinned_internals.py` fails when a new version sends in another way.
"""

import asyncio
from collections.abc import Iterable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Int32, String
from aiokafka.structs import TopicPartition

from agents.transport.rebinding import client_of, rebind

LARGE_BYTES: Final = 64 * 1024
"""What is smaller is joined to its neighbours: a call of the socket costs more than the copy."""
_TEXT: Final = String("utf-8")


class RequestParts:
    """Stands where aiokafka has the bytes of a request, which it asks for their length and puts its front before."""

    def __init__(self, parts: Iterable[bytes | memoryview]) -> None:
        self._parts = list(parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __radd__(self, front: bytes) -> "RequestParts":
        return RequestParts([front, *self._parts])

    def pieces(self) -> Iterator[bytes | memoryview]:
        """The same bytes in fewer pieces: each large part by itself, what is between them as one."""
        small: list[bytes | memoryview] = []
        for part in self._parts:
            if len(part) < LARGE_BYTES:
                small.append(part)
                continue
            if small:
                yield b"".join(small)
            yield part
            small = []
        if small:
            yield b"".join(small)


def parts_of(request: Any) -> RequestParts:  # noqa: ANN401 - aiokafka has no types
    """The body of a prepared request, the same as its own `encode` gives."""
    return RequestParts(_parts(request))


def _parts(request: Any) -> Iterator[bytes | memoryview]:  # noqa: ANN401 - aiokafka has no types
    schema = request.SCHEMA
    for name, kind in zip(schema.names, schema.fields, strict=True):
        value = getattr(request, name)
        if name != "topics":
            yield kind.encode(value)
            continue
        yield Int32.encode(len(value))
        for topic, partitions in value:
            yield _TEXT.encode(topic)
            yield Int32.encode(len(partitions))
            for number, batch in partitions:
                yield Int32.encode(number)
                yield Int32.encode(len(batch))
                yield batch


class InParts:
    """Stands where aiokafka has a request that it prepares for a broker's version and encodes."""

    def __init__(self, request: ProduceRequest) -> None:
        self._request = request
        self.required_acks = request.required_acks

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:  # noqa: ANN401 - aiokafka has no types
        """The request of the newest version that both sides know, which encodes itself in parts."""
        prepared = self._request.prepare(versions)
        prepared.__class__ = _in_parts(prepared.__class__)
        return prepared


@cache
def _in_parts(kind: Any) -> Any:  # noqa: ANN401 - aiokafka has no types
    """A class and not an attribute, which would refer to its own request: the batches would stay until a collection."""
    return type(kind.__name__, (kind,), {"encode": parts_of})


class _Handler(SendProduceReqHandler):  # type: ignore[misc]  # aiokafka has no types
    def create_request(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        return InParts(super().create_request())


class _SenderInParts(Sender):  # type: ignore[misc]  # aiokafka has no types
    _send_produce_req = rebind(Sender._send_produce_req, SendProduceReqHandler=_Handler)  # noqa: SLF001 - pinned by a test


class SequenceNumbers(TransactionManager):  # type: ignore[misc]  # aiokafka has no types
    """Numbers a producer's records in a partition as brokers do: behind 2**31 - 1 comes 0.

    aiokafka goes on below zero, which they refuse: a fold that writes much gets there in a day.
    """

    def increment_sequence_number(self, tp: TopicPartition, increment: int) -> None:
        """Go on behind so many records."""
        self._sequence_numbers[tp] = (self._sequence_numbers[tp] + increment) % 2**31


class PartsWriter(asyncio.StreamWriter):
    """Stands where a connection has asyncio's writer: takes requests in parts as well."""

    def write(self, data: Any) -> None:  # noqa: ANN401 - bytes, or RequestParts
        """Send, or keep what the socket does not take at once."""
        if not isinstance(data, RequestParts):
            super().write(data)
            return
        for piece in data.pieces():
            super().write(piece)


class _ConnectionInParts(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types
    connect = rebind(
        AIOKafkaConnection.connect, asyncio=SimpleNamespace(StreamReader=asyncio.StreamReader, StreamWriter=PartsWriter)
    )


ClientInParts: Final = client_of(_ConnectionInParts)
"""Takes requests in parts."""


class ProducerInParts(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """Sends batches from where they are, however many."""

    __init__ = rebind(
        AIOKafkaProducer.__init__,
        Sender=_SenderInParts,
        AIOKafkaClient=ClientInParts,
        TransactionManager=SequenceNumbers,
    )
