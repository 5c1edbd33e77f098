"""TotalView-ITCH 5.0 as a sender writes it, and as files keep it."""

import struct
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Final

from replay.compressed import BadRecording, opened, read

BYTES: Final = {
    "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21, "A": 36, "F": 40,
    "E": 31, "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19, "I": 50, "N": 20, "O": 48,
}  # fmt: skip
"""How long a message of each type is."""
_LENGTH_BYTES: Final = 2
MOST_BYTES: Final = 1 << 30
"""Of messages in memory, where they take three times as much: those of a file, and the newest of a feed."""
HEADER: Final = struct.Struct(">cHH6s")


def message(kind: str, locate: int, time_ns: int, layout: str = "", *fields: object) -> bytes:
    """A message: its header, then `fields` as struct's `layout` says. Times are nanoseconds since midnight."""
    header = HEADER.pack(kind.encode(), locate, 0, time_ns.to_bytes(6))
    body = header + struct.pack(">" + layout, *fields)
    if len(body) != BYTES[kind]:
        raise ValueError(f"a message {kind} has {BYTES[kind]} bytes, and not {len(body)}")
    return body


def symbol(name: str) -> bytes:
    """A stock's symbol, left-justified."""
    return name.encode().ljust(8)


def read_file(path: Path) -> list[bytes]:
    """The messages of an ITCH file, compressed by gzip or not; one that the file ends in is left out.

    Raises:
        BadRecording: the file cannot be read, a type is unknown, or there are more than MOST_BYTES of messages.
    """
    messages = []
    room = MOST_BYTES
    with opened(path) as file:
        for each in _messages(path, file):
            room -= len(each)
            if room < 0:
                most = f"{MOST_BYTES >> 20:,} MiB"
                raise BadRecording(f"{path} has more than {most} of messages: play its beginning, see docs/packets.md")
            messages.append(each)
    return messages


def _messages(path: Path, file: BufferedIOBase) -> Iterator[bytes]:
    """Each is behind two bytes of length; they are walked by type, since some files leave those 0."""
    at = _LENGTH_BYTES
    while kind := read(file, _LENGTH_BYTES + 1)[_LENGTH_BYTES:]:
        size = BYTES.get(chr(kind[0]))
        if size is None:
            raise BadRecording(f"{path}: no message of ITCH 5.0 begins with {kind!r}, at byte {at}")
        message = kind + read(file, size - 1)
        if len(message) < size:
            return
        yield message
        at += _LENGTH_BYTES + size
