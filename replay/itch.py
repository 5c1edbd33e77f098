"""TotalView-ITCH 5.0 as a sender writes it, and as files keep it."""

import struct
from pathlib import Path
from typing import Final

from replay.recording import BadRecording

BYTES: Final = {
    "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21, "A": 36, "F": 40,
    "E": 31, "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19, "I": 50, "N": 20, "O": 48,
}  # fmt: skip
"""How long a message of each type is."""
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
    """The messages of an ITCH file, each behind two bytes of length; walked by type, since some files leave those 0.

    A message that the file ends in is left out. Raises BadRecording where a type is unknown.
    """
    data = path.read_bytes()
    messages = []
    at = 2
    while at < len(data):
        kind = chr(data[at])
        if kind not in BYTES:
            raise BadRecording(f"{path}: no message of ITCH 5.0 begins with {data[at : at + 1]!r}, at byte {at}")
        messages.append(data[at : at + BYTES[kind]])
        at += BYTES[kind] + 2
    return [each for each in messages if len(each) == BYTES[chr(each[0])]]
