"""Captures of a packet feed, played back: what its lines had together, each message when it first came."""

import struct
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from io import BufferedIOBase
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from app.units import SECOND_NS
from replay.compressed import BadRecording, opened, read
from replay.packet_feed import END_OF_SESSION, HEADER, Hole
from replay.recording import Pace

SUFFIXES: Final = (".pcap", ".pcap.gz")
MOST_AHEAD: Final = 65_536
"""Messages that a single packet which has none itself is believed of: as many as by the bridge."""
_NUMBERS: Final = range(1, 1 << 62)
"""What numbers of a packet the bridge takes for some."""
_MAGICS: Final = {0xA1B2C3D4: 1_000, 0xA1B23C4D: 1}
"""What a capture begins with, and the nanoseconds of its records' smaller unit."""
_HEADER_BYTES, _RECORD_BYTES = 24, 16
_MAC_BYTES, _TYPE_BYTES, _TAG_BYTES, _IP_BYTES, _UDP_BYTES = 12, 2, 4, 20, 8
_IPV4, _UDP = b"\x08\x00", 17
_VLAN: Final = (b"\x81\x00", b"\x88\xa8")
_MOST_TAGS = 2


class Captured(NamedTuple):
    """A datagram's payload, and when it was captured."""

    time_ns: int
    payload: bytes


class CaptureSource:
    """The messages of captures of MoldUDP64 as a source of a packet feed; what no line had is a hole.

    Several captures are parts of one session, in the order of their times. Datagrams that are none of MoldUDP64 are
    passed over. Raises BadRecording for a file of another kind, and where there is no session, or several.
    """

    def __init__(self, paths: Sequence[Path], speed: float | None) -> None:
        self._speed = speed
        self._came: dict[int, Captured] = {}
        self._told: list[int] = []
        """The next message's number, as packets without one tell it."""
        self._over_at: set[int] = set()
        """Those among them that were told for the session's end."""
        sessions = {session for path in paths for session in self._read(path)}
        names = ", ".join(map(str, paths))
        if not sessions:
            raise BadRecording(f"{names}: no packet of MoldUDP64 that is whole")
        if len(sessions) != 1:
            raise BadRecording(f"{names}: {len(sessions)} sessions of MoldUDP64, and one can be played")
        self.session = sessions.pop().decode()
        self._end = _believed(max(self._came, default=0) + 1, self._told)
        self.has_end = self._end in self._over_at
        """Whether the session was heard to end."""

    def _read(self, path: Path) -> Iterator[bytes]:
        """Keep what a file has; the session of each packet."""
        for datagram in read_capture(path):
            if len(datagram.payload) < HEADER.size:
                continue
            session, first, count = HEADER.unpack_from(datagram.payload)
            is_over = count == END_OF_SESSION
            messages = _messages(datagram.payload, 0 if is_over else count)
            if messages is None or first not in _NUMBERS:
                continue  # a re-request, which is a header of this kind alone, damaged, or of another protocol
            for number, message in enumerate(messages, first):
                self._came.setdefault(number, Captured(datagram.time_ns, message))
            if not messages:
                self._told.append(first)
            if is_over:
                self._over_at.add(first)
            yield session

    async def __aiter__(self) -> AsyncIterator[Sequence[bytes] | Hole]:
        """Each message when its time has come, in the order of their numbers."""
        pace = Pace(self._speed)
        next_number = 1
        for number in sorted(self._came):
            if number > next_number:
                yield Hole(number - next_number)
            await pace.until(self._came[number].time_ns)
            yield [self._came[number].payload]
            next_number = number + 1
        if self._end > next_number:
            yield Hole(self._end - next_number)


def _believed(end: int, told: Iterable[int]) -> int:
    """The furthest of what is told, or the end that is known: one far ahead is wrong, unless another agrees with it."""
    ahead = sorted(number for number in told if number > end)
    for number, after in pairwise([*ahead, _NUMBERS.stop + MOST_AHEAD]):
        if min(number - end, after - number) <= MOST_AHEAD:
            end = number
    return end


def _messages(payload: bytes, count: int) -> list[bytes] | None:
    """So many messages, or nothing where the payload has not all of them and no more."""
    messages = []
    at = HEADER.size
    for _ in range(count):
        begin = at + 2
        at = begin + int.from_bytes(payload[at:begin])
        messages.append(payload[begin:at])
    return messages if at == len(payload) else None


def read_capture(path: Path) -> Iterator[Captured]:
    """The UDP datagrams over IPv4 of a pcap file that were captured whole; it may be compressed by gzip, and cut off.

    Raises:
        BadRecording: the file is missing or is no capture of Ethernet.
    """
    with opened(path) as file:
        yield from _datagrams(path, file)


def _datagrams(path: Path, file: BufferedIOBase) -> Iterator[Captured]:
    header = read(file, _HEADER_BYTES)
    for order in "<", ">":
        if len(header) == _HEADER_BYTES and struct.unpack(f"{order}I", header[:4])[0] in _MAGICS:
            break
    else:
        raise BadRecording(f"{path} is no capture: it begins with {header[:4]!r}")
    unit_ns = _MAGICS[struct.unpack(f"{order}I", header[:4])[0]]
    while len(record := read(file, _RECORD_BYTES)) == _RECORD_BYTES:
        seconds, below, kept, _length = struct.unpack(f"{order}IIII", record)
        frame = read(file, kept)
        payload = _payload(frame)
        if len(frame) == kept and payload is not None:
            yield Captured(seconds * SECOND_NS + below * unit_ns, payload)


def _payload(frame: bytes) -> bytes | None:
    """Of a UDP datagram that is in the frame to its end: a capture may have kept the beginning alone."""
    ip = _ip_at(frame)
    if ip is None or len(frame) < ip + _IP_BYTES or frame[ip + 9] != _UDP:
        return None
    udp = ip + (frame[ip] & 0x0F) * 4
    end = udp + int.from_bytes(frame[udp + 4 : udp + 6])
    return frame[udp + _UDP_BYTES : end] if udp + _UDP_BYTES <= end <= len(frame) else None


def _ip_at(frame: bytes) -> int | None:
    """Where IPv4 begins, behind the tags of VLANs."""
    at = _MAC_BYTES
    for _ in range(_MOST_TAGS):
        if frame[at : at + _TYPE_BYTES] in _VLAN:
            at += _TAG_BYTES
    return at + _TYPE_BYTES if frame[at : at + _TYPE_BYTES] == _IPV4 else None
