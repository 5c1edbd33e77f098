"""A request to produce large batches, put together once.

aiokafka joins a request from the inside out: the bytes of a batch are copied six times before they reach the socket,
which was a tenth of what a worker costs that catches up. `tests/unit/agents/transport/test_pinned_internals.py` fails
when a new version sends in another way.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.types import Int32, String

from agents.transport.fetch import rebind

_TEXT = String("utf-8")


def encode(request: Any) -> bytes:  # noqa: ANN401 - aiokafka has no types
    """The body of a prepared request, the same as its own `encode` gives."""
    return b"".join(_parts(request))


def _parts(request: Any) -> Iterator[bytes]:  # noqa: ANN401 - aiokafka has no types
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


class _OnceEncoded:
    """Stands where aiokafka has a request that it prepares for a broker's version and encodes."""

    def __init__(self, request: ProduceRequest) -> None:
        self._request = request
        self.required_acks = request.required_acks

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:  # noqa: ANN401 - aiokafka has no types
        prepared = self._request.prepare(versions)
        prepared.encode = lambda: encode(prepared)
        return prepared


class _Handler(SendProduceReqHandler):  # type: ignore[misc]  # aiokafka has no types
    def create_request(self) -> Any:  # noqa: ANN401 - aiokafka has no types
        return _OnceEncoded(super().create_request())


class _OnceEncodingSender(Sender):  # type: ignore[misc]  # aiokafka has no types
    _send_produce_req = rebind(Sender._send_produce_req, SendProduceReqHandler=_Handler)  # noqa: SLF001 - pinned by a test


class OnceEncodingProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """Puts its requests together once."""

    __init__ = rebind(AIOKafkaProducer.__init__, Sender=_OnceEncodingSender)
