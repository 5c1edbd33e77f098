"""A bridge of which nothing comes any more: its connection died without a word, or nobody answers."""

import asyncio
import itertools

import pytest
import zmq
import zmq.asyncio

from app.settings import Settings
from app.tick_stream import Lost, Origin, Tick, TickStream, address, retry, stream
from app.tick_stream.items import Hole
from app.tick_stream.retry import POSITION
from app.tick_stream.search import Found
from app.tick_stream.sessions import mark_of_namespace
from local import ports
from tests.network import Network

VENUE = "binance"
SESSION = mark_of_namespace("live") + b"1" * 12
WAIT_S = 120.0


class Nothing:
    """A history that has nothing."""

    def read(self, _venue: str, hole: Hole, _since_s: float, _goes_on: object) -> Found:
        return Found([], is_all=True, newest_s=0.0, through=hole.last)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little patience with who does not answer."""
    monkeypatch.setattr(retry, "ANSWER_S", 0.01)
    monkeypatch.setattr(stream, "WATCH_S", 0.01)


async def test_a_stream_whose_connection_died_without_a_word_is_live_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "HEARTBEAT_MS", 200)
    monkeypatch.setattr(address, "HEARTBEAT_TIMEOUT_MS", 1_000)
    data, far, nobody = ports.free_ports(3)
    network = Network()
    with network.running(), zmq.asyncio.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.set(zmq.LINGER, 0)
        publisher.bind(f"tcp://127.0.0.1:{data}")
        numbers = itertools.count(1)

        async def publish() -> None:
            for number in numbers:
                await publisher.send_multipart([VENUE.encode(), POSITION.pack(SESSION, number), b""])
                await asyncio.sleep(0.01)

        proxy = network.link(far, data)
        async with asyncio.timeout(WAIT_S):
            settings = Settings(zmq_data=f"tcp://127.0.0.1:{far}", zmq_retry=f"tcp://127.0.0.1:{nobody}")
            async with TickStream(settings) as ticks:
                monkeypatch.setattr(ticks, "_history", Nothing())
                assert await publisher.recv() == b"\x01"  # it has subscribed
                publishing = asyncio.create_task(publish())
                first = await anext(ticks)
                proxy.lose()
                missed = await anext_of(ticks, Lost)
                again = await anext_of(ticks, Tick)
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)
    assert isinstance(first, Tick)
    assert isinstance(missed, Lost)
    assert isinstance(again, Tick)
    assert again.origin is Origin.LIVE
    assert proxy.connections > 1


async def anext_of(ticks: TickStream, kind: type[Tick | Lost]) -> Tick | Lost:
    """The next item of a kind."""
    while not isinstance(item := await anext(ticks), kind):
        continue
    return item


async def test_a_bridge_that_does_not_answer_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    data, nobody = ports.free_ports(2)
    settings = Settings(zmq_data=f"tcp://127.0.0.1:{data}", zmq_retry=f"tcp://127.0.0.1:{nobody}")
    asked = asyncio.Semaphore(0)
    async with asyncio.timeout(WAIT_S), TickStream(settings) as ticks:
        state = ticks._retry.state

        async def ask() -> list[retry.Kept]:
            asked.release()
            return await state()

        ticks._retry.state = ask  # type: ignore[method-assign]  # to count what is asked
        for _ in range(10):
            await asked.acquire()
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"the bridge at tcp://127.0.0.1:{nobody} does not answer: it is away, or cannot be reached"]
