"""The bridge's retry address, asked by hand: it answers as docs/ticks.md says."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from app.settings import Settings
from app.units import MILLISECOND_NS
from local import certificates
from replay.exchange import Exchange
from replay.trade import SimulatedTrade
from replay.venues import VenueName, protocol_of
from tests.integration.api_kit import WAIT_S
from tests.integration.bridge_kit import POSITION, Listener, Script, bridge_settings, bridging, server_tls, venue_of

RANGE = struct.Struct(">16sQQ")
BTC = "BTC-USDT"
TRADES = 2_500
FOREVER = 2**64 - 1


@pytest.fixture
def asked() -> Iterator["zmq.Socket[bytes]"]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.set(zmq.LINGER, 0)
        socket.set(zmq.RCVTIMEO, int(WAIT_S * 1000))
        yield socket


def trade(number: int) -> SimulatedTrade:
    return SimulatedTrade(BTC, number, "100.1", "0.5", "buy", 1_700_000_000_000_000_000 + number * MILLISECOND_NS)


async def test_it_answers_as_the_page_says(
    settings: Settings, tmp_path: Path, certs: certificates.Certificates, asked: "zmq.Socket[bytes]"
) -> None:
    script = Script()
    async with Exchange(protocol_of(VenueName.BINANCE, (BTC,)), script, server_tls(certs)) as exchange:
        here = bridge_settings(settings, tmp_path, binance=venue_of(VenueName.BINANCE, exchange, (BTC,), certs.ca))
        with bridging(here) as bridge, Listener(here.zmq_data) as listener:
            await bridge.counts('frames_total{venue="binance"}', 1)
            script.say(*map(trade, range(TRADES)))
            await bridge.counts("zeromq_sent_total", TRADES)
            heard = listener.next()  # of clocks, at the least
            asked.connect(here.zmq_retry)

            asked.send_multipart([b"state"])
            kind, venue, kept = asked.recv_multipart()
            session, first, last = RANGE.unpack(kept)
            assert (kind, venue, session.hex(), first) == (b"state", b"binance", heard.session, 1)
            assert last >= TRADES

            answered: list[tuple[bytes, bytes, bytes]] = []
            while len(answered) < TRADES:
                after = len(answered) + 1
                asked.send_multipart([b"get", RANGE.pack(session, after, TRADES)])
                kind, covered, *frames = asked.recv_multipart()
                assert kind == b"got"
                messages = list(zip(frames[::3], frames[1::3], frames[2::3], strict=True))
                assert RANGE.unpack(covered) == (session, after, after - 1 + len(messages))
                assert messages
                answered += messages
            assert [POSITION.unpack(position) for _, position, _ in answered] == [
                (session, number) for number in range(1, TRADES + 1)
            ]
            assert {key for key, _, _ in answered} <= {b"binance", b"binance:BTC-USDT"}

            asked.send_multipart([b"get", RANGE.pack(session, FOREVER, FOREVER)])  # not published yet
            assert asked.recv_multipart() == [b"got", RANGE.pack(session, FOREVER, FOREVER - 1)]
            asked.send_multipart([b"get", RANGE.pack(b"?" * 16, 1, 7)])  # no session of this bridge
            assert asked.recv_multipart() == [b"got", RANGE.pack(b"?" * 16, 1, 7)]
            asked.send_multipart([b"unconfirmed"])  # no venue has a relay
            assert asked.recv_multipart() == [b"unconfirmed"]

            bad = [[b"what"], [b"get"], [b"get", b"short"], [b"get", RANGE.pack(session, 0, 7)], []]
            bad += [[b"confirm", RANGE.pack(session, 0, last)]]  # who asks is not the relay
            for request in bad:
                asked.send_multipart(request or [b""])
            await bridge.counts("bad_retries_total", len(bad))
            asked.send_multipart([b"state"])
            assert asked.recv_multipart()[0] == b"state"
