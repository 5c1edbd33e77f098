"""Requests to produce: the same bytes as aiokafka's own, put together once."""

from typing import Any

import pytest
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3, ProduceRequest_v7

from agents.transport.produce_request import OnceEncodingProducer, encode

BATCHES = [("bars", [(0, b"batch"), (3, b"another")]), ("bars.1s", [(3, b"")]), ("late", [])]


@pytest.mark.parametrize("version", [ProduceRequest_v3, ProduceRequest_v7])
@pytest.mark.parametrize("transactional_id", ["live-fold-3", None])
def test_a_request_has_the_bytes_that_aiokafka_gives_it(version: Any, transactional_id: str | None) -> None:
    request = ProduceRequest(transactional_id, -1, 10_000, BATCHES).build(version)
    assert encode(request) == request.encode()


async def test_the_producer_sends_them_so() -> None:
    producer = OnceEncodingProducer(bootstrap_servers="127.0.0.1:1", transactional_id="t")
    sender = producer._sender
    await producer.stop()
    assert isinstance(sender, Sender)
    handler: type[SendProduceReqHandler] = type(sender)._send_produce_req.__globals__["SendProduceReqHandler"]
    request = handler(sender, {}).create_request().prepare({0: (3, 7)})
    assert "encode" in vars(request)
    assert request.encode() == ProduceRequest("t", -1, 40_000, []).build(ProduceRequest_v7).encode()
