"""Addresses at which a bridge is heard."""

import asyncio

import pytest
import zmq
import zmq.asyncio

from app.settings import Settings
from app.tick_stream import TickStream
from local import ports


@pytest.mark.skipif(not ports.is_here("::1"), reason="this machine has no IPv6")
async def test_a_bridge_is_heard_and_asked_at_addresses_of_ipv6() -> None:
    with zmq.asyncio.Context() as context, context.socket(zmq.XPUB) as publisher, context.socket(zmq.ROUTER) as router:
        for socket in (publisher, router):
            socket.set(zmq.IPV6, 1)
            socket.bind("tcp://[::1]:*")
        data, retry = (socket.get_string(zmq.LAST_ENDPOINT) for socket in (publisher, router))
        async with asyncio.timeout(60), TickStream(Settings(zmq_data=data, zmq_retry=retry)):
            assert await publisher.recv() == b"\x01"  # it has subscribed
            assert (await router.recv_multipart())[1:] == [b"state"]
