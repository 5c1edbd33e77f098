"""What is played of a recording: every venue's frames by their stream, and captures as far as they are whole."""

import asyncio
import gzip
import ssl
import struct
import sys
from collections.abc import AsyncIterable, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import cast

import pytest
from typer.testing import CliRunner
from websockets.asyncio.client import connect

from app.settings import PROJECT
from app.units import SECOND_NS
from local.certificates import Certificates
from replay.capture import MOST_AHEAD, CaptureSource, read_capture
from replay.command import app
from replay.compressed import BadRecording
from replay.market import MarketSpec, trades
from replay.packet_feed import END_OF_SESSION, HEADER, Hole
from replay.quotes import SimulatedQuote, quoted
from replay.recording import FrameRecording, RecordedFrame, read_frames
from replay.venues import PROTOCOLS, VenueName, protocol_of
from tests.integration.packet_kit import ethernet_frame

BTC, ETH = "BTC-USDT", "ETH-USDT"
ADDRESS = ("239.1.2.3", 26_400)
SESSION = b"SESSION001"
OTHERS = ("pong", '{"result":null,"id":1}', '{"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"}}')


@pytest.mark.parametrize("name", VenueName)
def test_a_recorded_frame_is_on_the_stream_that_it_was_sent_on(name: VenueName) -> None:
    protocol = protocol_of(name, (BTC,))
    market = quoted(trades(MarketSpec((BTC,), 100, 1, PROTOCOLS[name].resolution_ns), 10**18), 1)
    for item, _ in zip(market, range(4), strict=False):
        if isinstance(item, SimulatedQuote):
            assert protocol.recorded_stream(protocol.encode_quote(item)) == protocol.quote_stream_of(BTC)
        else:
            assert protocol.recorded_stream(protocol.encode(item)) == protocol.stream_of(BTC)


def test_what_is_on_no_stream_is_played_to_nobody() -> None:
    protocol = protocol_of(VenueName.OKX, (BTC,))
    assert [protocol.recorded_stream(text) for text in OTHERS] == ["", "", ""]


@pytest.mark.parametrize(
    ("name", "frame", "stream"),
    [
        (VenueName.OKX, '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}', BTC),
        (VenueName.OKX, '{"arg":{"channel":"books","instId":"BTC-USDT"},"data":[]}', ""),
        (VenueName.OKX, '{"arg":{"channel":"status"},"data":[]}', ""),
        (VenueName.OKX, '{"code":"0","data":[],"msg":""}', ""),
        (VenueName.KRAKEN, '{"channel":"trade","data":[{"qty":1}]}', ""),
        (VenueName.KRAKEN, '{"channel":"ticker","data":{"symbol":"BTC/USDT"}}', ""),
        (VenueName.KRAKEN, '{"channel":"book","data":[{"symbol":"BTC/USDT"}]}', ""),
        (VenueName.COINBASE, '{"type":"ticker"}', ""),
        (VenueName.COINBASE, '{"type":"match"}', ""),
        (VenueName.BITSTAMP, '{"event":"data"}', ""),
        (VenueName.BYBIT, '{"type":"snapshot"}', ""),
    ],
)
def test_frames_of_other_channels_or_of_none_are_on_no_stream_of_ours(name: VenueName, frame: str, stream: str) -> None:
    assert protocol_of(name, (BTC,)).recorded_stream(frame) == stream


def test_a_recording_without_its_end_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "cut.frames.gz"
    lines = [f"{number} {{}}\n".encode() for number in range(50_000)]
    whole = gzip.compress(b"".join(lines))
    file.write_bytes(whole[: len(whole) // 2])
    read = [frame.receive_time_ns for frame in read_frames(file)]
    assert read == [*range(len(read))]
    assert 10_000 < len(read) < 50_000


def test_what_a_client_did_is_passed_over_in_what_cryptofeed_recorded(tmp_path: Path) -> None:
    url = "wss://ws.okx.com:8443/ws/v5/public"
    request = '{"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"}]}'
    frame = '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"sz":": 1"}]}'
    lines = [
        'configuration: {"okx": {}}',
        f"{url} <-> 1652459224.5300605",
        f"{url} <- 1652459225.2987883: {request}",
        "https://www.okx.com/api/v5/public/instruments?instType=SPOT -> 1652459225.3: {}",
        f"1652459225.5037491: {OTHERS[2]}",
        "",
        f"{url} <-> 1652459225.504",
        f"1652459225.5300605: {frame}",
        f"1652459226: {frame}",
        f"1652459226.000000001: {frame}",
        f"1652459227.1: {frame[:20]}",
    ]
    file = tmp_path / "okx.session.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert list(read_frames(file, protocol_of(VenueName.OKX, (BTC,)).recorded_stream)) == [
        RecordedFrame(1_652_459_225_503_749_100, "", OTHERS[2]),
        RecordedFrame(1_652_459_225_530_060_500, BTC, frame),
        RecordedFrame(1_652_459_226_000_000_000, BTC, frame),
        RecordedFrame(1_652_459_226_000_000_001, BTC, frame),
    ]


WHOLE = b"".join(f"{number} {{}}\n".encode() for number in range(1_000))


@pytest.mark.parametrize(
    "content",
    [
        WHOLE,
        gzip.compress(WHOLE),
        WHOLE + b"1000 {}",
        WHOLE + '1000 {"s":"é'.encode()[:-1],
        b"\n" + WHOLE.replace(b"\n500 ", b"\n\n \n500 ") + b"\n",
        gzip.compress(WHOLE)[:-8],
        gzip.compress(WHOLE)[:-8] + bytes(8),
        gzip.compress(WHOLE) + b"no gzip",
    ],
    ids=["plain", "gzip", "half a line", "half a letter", "blank lines", "no CRC", "bad CRC", "something behind it"],
)
def test_a_recording_is_read_as_far_as_it_is_whole(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "some.frames"
    file.write_bytes(content)
    assert [frame.receive_time_ns for frame in read_frames(file)] == [*range(1_000)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": no frame"),
        (gzip.compress(b"", mtime=0), ": no frame"),
        (b"\n\n", ": no frame"),
        (b"no recording\n", " line 1 is no"),
        (b"\n1 []\n", " line 2 is no"),
        (b"1 \xff\n", " line 1 is no"),
        (b"NaN: {}\n", " line 1 is no"),
        (b"Infinity: {}\n", " line 1 is no"),
        (b"1.5.0: {}\n", " line 1 is no"),
        (b"wss://localhost <-> 1.5\n", ": no frame"),
        (None, " cannot be read"),
    ],
)
def test_what_is_no_recording_of_the_venue_is_told_before_it_is_served(
    tmp_path: Path, certs: Certificates, content: bytes | None, said: str
) -> None:
    file = tmp_path / f"{'longer than a line ' * 5}[red]some.frames"
    if content is not None:
        file.write_bytes(content)
    options = ["--venue", "binance", "--port", "0", "--cert", str(certs.server), "--key", str(certs.key)]
    ended = CliRunner().invoke(app, ["recording", str(file), *options])
    assert ended.exit_code == 1
    assert ended.stderr.startswith(f"{file}{said}")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("wrong.frames", b"1 []\n", "wrong.frames line 1 is no"),
        ("answer.json", b"{}", "one answer of Kraken's REST Trades can be played, or several recordings of frames"),
    ],
)
def test_a_wrong_file_among_others_is_told_before_they_are_served(
    tmp_path: Path, certs: Certificates, name: str, content: bytes, said: str
) -> None:
    files = [tmp_path / "some.frames", tmp_path / name]
    files[0].write_bytes(WHOLE)
    files[1].write_bytes(content)
    options = ["--venue", "binance", "--port", "0", "--cert", str(certs.server), "--key", str(certs.key)]
    ended = CliRunner().invoke(app, ["recording", *map(str, files), *options])
    assert ended.exit_code == 1
    assert said in ended.stderr


async def test_recordings_of_several_instruments_are_played_as_one_in_the_order_of_their_times(tmp_path: Path) -> None:
    protocol = protocol_of(VenueName.BINANCE, (BTC, ETH))
    made = islice(trades(MarketSpec((BTC, ETH), 100, 1, 10**6), 10**18), 200)
    frames = [
        RecordedFrame(number, protocol.stream_of(each.instrument), protocol.encode(each))
        for number, each in enumerate(made)
    ]
    files = [tmp_path / f"{name}.frames" for name in (BTC, ETH)]
    for file, name in zip(files, (BTC, ETH), strict=True):
        of_it = [frame for frame in frames if frame.stream == protocol.stream_of(name)]
        assert 50 < len(of_it) < 150
        file.write_bytes(gzip.compress(b"".join(map(line, of_it))))
    assert [frame async for frame in FrameRecording(files, None)] == frames
    assert [frame async for frame in FrameRecording(files[::-1], None)] == frames


async def test_the_parts_of_a_recording_are_played_as_the_whole(tmp_path: Path) -> None:
    frames = [RecordedFrame(number // 3, "s", f'{{"stream":"s","n":{number}}}') for number in range(100)]
    parts: list[Path] = []
    for begin, end in pairwise((0, 31, 31, 66, 100)):  # one is empty, as a recorder that was killed may leave it
        parts.append(tmp_path / f"{len(parts)}.frames")
        parts[-1].write_bytes(b"".join(map(line, frames[begin:end])))
    assert [frame async for frame in FrameRecording(parts, None)] == frames


def line(frame: RecordedFrame) -> bytes:
    return f"{frame.receive_time_ns} {frame.text}\n".encode()


@pytest.mark.parametrize(
    ("venue", "request_", "heard"),
    [
        (VenueName.BINANCE, '{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}', 3),
        (VenueName.KRAKEN, '{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USDT"]}}', 0),
    ],
)
async def test_how_much_of_a_recording_was_the_venues_is_told_at_its_end(
    tmp_path: Path, certs: Certificates, venue: VenueName, request_: str, heard: int
) -> None:
    protocol = protocol_of(VenueName.BINANCE, (BTC, ETH))
    made = list(map(protocol.encode, islice(trades(MarketSpec((BTC, ETH), 100, 1, 10**6), 10**18), 50)))
    ours, others = ([frame for frame in made if name in frame] for name in ('"btcusdt@trade"', '"ethusdt@trade"'))
    file = tmp_path / "some.frames"
    frames = [*OTHERS[1:], *ours[:3], *others[:2]]
    file.write_text("".join(f"{number} {frame}\n" for number, frame in enumerate(frames)))
    options = ["--venue", venue, "--port", "0", "--cert", str(certs.server), "--key", str(certs.key)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "replay", "recording", str(file), *options, cwd=PROJECT, stderr=asyncio.subprocess.PIPE
    )
    try:
        said = cast("asyncio.StreamReader", process.stderr)
        address = (await said.readline()).decode().split(" at ")[1].strip()
        trusted = ssl.create_default_context(cafile=str(certs.ca))
        async with connect(address, ssl=trusted, server_hostname="localhost") as client:
            await client.send(request_)
            assert (await said.readline()).decode() == f"{heard} of 7 frames were on {venue}'s streams of {BTC}\n"
    finally:
        process.kill()
        await process.wait()


def capture(
    *packets: tuple[int, bytes], magic: int = 0xA1B23C4D, order: str = "<", kept: int = 65_535, tags: bytes = b""
) -> bytes:
    """A pcap file of datagrams and their times, so much kept of each frame, with tags of VLANs."""
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, kept, 1)]
    for time_ns, payload in packets:
        untagged = ethernet_frame(payload, *ADDRESS)
        frame = untagged[:12] + tags + untagged[12:]
        seconds, below_ns = divmod(time_ns, SECOND_NS)
        below = below_ns if magic == 0xA1B23C4D else below_ns // 1_000
        parts += [struct.pack(f"{order}IIII", seconds, below, len(frame[:kept]), len(frame)), frame[:kept]]
    return b"".join(parts)


def packet(first: int, *messages: bytes, session: bytes = SESSION) -> bytes:
    return HEADER.pack(session, first, len(messages)) + b"".join(len(each).to_bytes(2) + each for each in messages)


async def played(source: AsyncIterable[Sequence[bytes] | Hole]) -> list[Sequence[bytes] | Hole]:
    return [each async for each in source]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit_ns"), [(0xA1B23C4D, 1), (0xA1B2C3D4, 1_000)])
def test_a_capture_is_read_in_either_order_and_unit(tmp_path: Path, order: str, magic: int, unit_ns: int) -> None:
    file = tmp_path / "day.pcap"
    file.write_bytes(capture((1_700_000_000_123_456_789, b"one"), magic=magic, order=order))
    (datagram,) = read_capture(file)
    assert datagram == (1_700_000_000_123_456_789 // unit_ns * unit_ns, b"one")


def test_lines_are_one_stream_whose_holes_are_told(tmp_path: Path) -> None:
    file = tmp_path / "day.pcap.gz"
    end = HEADER.pack(SESSION, 8, END_OF_SESSION)
    packets = [packet(3, b"c"), packet(2, b"b", b"c"), packet(3, b"c"), packet(6, b"f", b"g"), end]
    file.write_bytes(gzip.compress(capture(*((number, each) for number, each in enumerate(packets)))))
    source = CaptureSource([file], None)
    assert source.session == SESSION.decode()
    assert source.has_end
    assert asyncio.run(played(source)) == [Hole(1), [b"b"], [b"c"], Hole(2), [b"f"], [b"g"]]


@pytest.mark.parametrize("count", [0, END_OF_SESSION])
def test_what_no_line_had_at_the_end_is_a_hole_too(tmp_path: Path, count: int) -> None:
    file = tmp_path / "day.pcap"
    file.write_bytes(capture((1, packet(1, b"a")), (2, HEADER.pack(SESSION, 5, count)), (3, packet(2, b"b"))))
    source = CaptureSource([file], None)
    assert asyncio.run(played(source)) == [[b"a"], [b"b"], Hole(2)]
    assert source.has_end is (count == END_OF_SESSION)


@pytest.mark.parametrize("count", [0, END_OF_SESSION])
@pytest.mark.parametrize("number", [3 + MOST_AHEAD, (1 << 62) - 1, (1 << 64) - 1])
def test_what_one_packet_alone_tells_far_ahead_is_no_hole(tmp_path: Path, number: int, count: int) -> None:
    file = tmp_path / "day.pcap"
    far = HEADER.pack(SESSION, number, count)
    end = HEADER.pack(SESSION, 2, END_OF_SESSION)
    file.write_bytes(capture((1, far), (2, packet(1, b"a")), (3, end)))
    source = CaptureSource([file], None)
    assert asyncio.run(played(source)) == [[b"a"]]
    assert source.has_end


def test_what_packets_agree_in_far_ahead_is_a_hole(tmp_path: Path) -> None:
    file = tmp_path / "day.pcap"
    told = [HEADER.pack(SESSION, number, count) for number, count in ((200_000, 0), (200_001, END_OF_SESSION))]
    file.write_bytes(capture((1, packet(1, b"a")), (2, told[0]), (3, told[1])))
    source = CaptureSource([file], None)
    assert asyncio.run(played(source)) == [[b"a"], Hole(199_999)]
    assert source.has_end


def test_an_end_that_was_said_too_early_is_none(tmp_path: Path) -> None:
    file = tmp_path / "day.pcap"
    file.write_bytes(capture((1, HEADER.pack(SESSION, 2, END_OF_SESSION)), (2, packet(1, b"a", b"b"))))
    assert not CaptureSource([file], None).has_end


def test_captures_of_one_session_are_played_as_one(tmp_path: Path) -> None:
    files = [tmp_path / "1.pcap", tmp_path / "2.pcap.gz"]
    files[0].write_bytes(capture((1, packet(1, b"a", b"b")), (2, packet(4, b"d"))))
    behind = capture((3, packet(4, b"d")), (4, packet(5, b"e")), (5, HEADER.pack(SESSION, 6, END_OF_SESSION)))
    files[1].write_bytes(gzip.compress(behind))
    source = CaptureSource(files, None)
    assert asyncio.run(played(source)) == [[b"a"], [b"b"], Hole(1), [b"d"], [b"e"]]
    assert source.has_end
    files[1].write_bytes(gzip.compress(capture((3, packet(1, b"a", session=b"SESSION002")))))
    with pytest.raises(BadRecording, match=r"1\.pcap, .*2\.pcap\.gz: 2 sessions"):
        CaptureSource(files, None)


def test_a_request_for_messages_takes_the_place_of_none(tmp_path: Path) -> None:
    file = tmp_path / "day.pcap"
    request = HEADER.pack(SESSION, 2, 2)
    file.write_bytes(capture((1, packet(1, b"a")), (2, request), (3, packet(2, b"b", b"c")), (4, request)))
    assert asyncio.run(played(CaptureSource([file], None))) == [[b"a"], [b"b"], [b"c"]]


def test_a_packet_that_lacks_some_of_its_messages_takes_the_place_of_none(tmp_path: Path) -> None:
    file = tmp_path / "day.pcap"
    whole = packet(1, b"a", b"long")
    file.write_bytes(capture((1, whole[:-1]), (2, whole[:-5]), (3, whole), (4, packet(4, b"d")[:-1])))
    assert asyncio.run(played(CaptureSource([file], None))) == [[b"a"], [b"long"]]


@pytest.mark.parametrize("other", [b"", b"short", bytes(19), bytes(17) + b"\1" + bytes(30)])
def test_datagrams_of_other_protocols_take_the_place_of_none(tmp_path: Path, other: bytes) -> None:
    file = tmp_path / "day.pcap"
    file.write_bytes(capture((1, other), (2, packet(1, b"a")), (3, other), (4, packet(2, b"b")), (5, other)))
    source = CaptureSource([file], None)
    assert source.session == SESSION.decode()
    assert asyncio.run(played(source)) == [[b"a"], [b"b"]]


def test_frames_that_were_kept_in_part_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "day.pcap"
    bytes_of_b = len(ethernet_frame(packet(2, b"b"), *ADDRESS))
    file.write_bytes(capture((1, packet(1, b"too long")), (2, packet(2, b"b")), kept=bytes_of_b))
    assert [each.time_ns for each in read_capture(file)] == [2]
    assert asyncio.run(played(CaptureSource([file], None))) == [Hole(1), [b"b"]]


@pytest.mark.parametrize("tags", ["81000001", "88a80002", "88a8000281000001"])
def test_a_capture_of_vlans_is_read(tmp_path: Path, tags: str) -> None:
    file = tmp_path / "day.pcap"
    file.write_bytes(capture((1, b"one"), tags=bytes.fromhex(tags)))
    assert [each.payload for each in read_capture(file)] == [b"one"]


def test_a_capture_without_its_end_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "day.pcap.gz"
    whole = capture(*((number, packet(number, b"x" * 100)) for number in range(1, 5_000)))
    packed = gzip.compress(whole, 0)
    file.write_bytes(packed[: len(packed) // 2])
    read = list(read_capture(file))
    assert [each.time_ns for each in read] == [*range(1, len(read) + 1)]
    assert 2_000 < len(read) < 3_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no capture at all, but long enough", "is no capture"),
        (capture((1, b"short")), "day.pcap: no packet of MoldUDP64 that is whole"),
        (capture((1, packet(1, b"a")), kept=50), "day.pcap: no packet of MoldUDP64 that is whole"),
        (capture((1, packet(1, b"a")), (2, packet(1, b"a", session=b"SESSION002"))), "day.pcap: 2 sessions"),
    ],
)
def test_what_is_no_capture_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "day.pcap"
    file.write_bytes(content)
    with pytest.raises(BadRecording, match=reason):
        CaptureSource([file], None)
