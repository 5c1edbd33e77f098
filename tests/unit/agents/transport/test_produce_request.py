"""Requests to produce: the same bytes as aiokafka's own, put together once."""

import gc
import weakref
from typing import Any

import pytest
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3, ProduceRequest_v7

from agents.transport.produce_request import LARGE_BYTES, ProducerInParts, RequestParts, parts_of

BATCHES = [("bars", [(0, b"batch"), (3, b"another")]), ("bars.1s", [(3, b"")]), ("late", [])]


@pytest.mark.parametrize("version", [ProduceRequest_v3, ProduceRequest_v7])
@pytest.mark.parametrize("transactional_id", ["live-fold-3", None])
def test_a_request_has_the_bytes_that_aiokafka_gives_it(version: Any, transactional_id: str | None) -> None:
    request = ProduceRequest(transactional_id, -1, 10_000, BATCHES).build(version)
    assert b"".join(parts_of(request).pieces()) == request.encode()


async def test_the_producer_sends_them_so() -> None:
    producer = ProducerInParts(bootstrap_servers="127.0.0.1:1", transactional_id="t")
    sender = producer._sender
    await producer.stop()
    assert isinstance(sender, Sender)
    handler: type[SendProduceReqHandler] = type(sender)._send_produce_req.__globals__["SendProduceReqHandler"]
    request = handler(sender, {}).create_request().prepare({0: (3, 7)})
    sent = b"".join(request.encode().pieces())
    assert sent == ProduceRequest("t", -1, 40_000, []).build(ProduceRequest_v7).encode()
    is_there = weakref.ref(request)
    gc.disable()
    try:
        del request
        assert is_there() is None, "a request that refers to itself keeps its batches until a collection"
    finally:
        gc.enable()


def test_a_large_batch_is_not_copied_and_small_ones_are_joined() -> None:
    large = memoryview(bytes(LARGE_BYTES))
    parts = b"size" + (b"front" + RequestParts([b"a", b"b", large, b"c", large, large]))
    pieces = list(parts.pieces())
    assert [bytes(piece) for piece in pieces] == [b"sizefrontab", bytes(large), b"c", bytes(large), bytes(large)]
    assert [piece is large for piece in pieces] == [False, True, False, True, True]
    assert len(parts) == sum(map(len, pieces))
