"""The files in which a broker on this machine keeps topics, to read and to damage what is in them."""

import struct
from pathlib import Path
from typing import Protocol

from app.settings import Settings

BASE_OFFSET_AND_LENGTH = struct.Struct(">qi")
LENGTH_AT = 8  # bytes into a batch, as those that follow; its first byte, so that the lowest bit of it makes 16 MiB
FORMAT_AT = 16
LAST_OFFSET_DELTA_AT = 25  # its third byte, so that the lowest bit of it makes 256 offsets
RECORDS_AT = 61


class Place(Protocol):
    """Where the first record of a batch is."""

    @property
    def partition(self) -> int:
        """Partition of `trades`."""

    @property
    def offset(self) -> int:
        """Offset in it."""


def segment(settings: Settings, partition: int, topic: str = "trades") -> Path:
    """The file that the broker keeps a partition in."""
    return settings.home / "data/kafka/log" / f"{settings.topic(topic)}-{partition}" / "00000000000000000000.log"


def batch_on_disk(settings: Settings, record: Place) -> bytes:
    """The batch that begins with a record."""
    data = segment(settings, record.partition).read_bytes()
    at = batch_at(data, record.offset)
    return data[at : at + 12 + BASE_OFFSET_AND_LENGTH.unpack_from(data, at)[1]]


def batch_at(data: bytes, base_offset: int) -> int:
    """Where the batch with this base offset begins."""
    at = 0
    while True:
        offset, length = BASE_OFFSET_AND_LENGTH.unpack_from(data, at)
        if offset == base_offset:
            return at
        at += 12 + length


def largest_batch(log: bytes) -> bytes:
    """The batch with the most bytes: a client may send its first few records in one of their own, uncompressed."""
    batches = []
    while log:
        size = 12 + BASE_OFFSET_AND_LENGTH.unpack_from(log)[1]
        batches.append(log[:size])
        log = log[size:]
    return max(batches, key=len)


def damage(settings: Settings, record: Place, byte_at: int = RECORDS_AT, topic: str = "trades") -> None:
    """Turn the lowest bit of a byte of the batch that begins with a record, below the broker."""
    path = segment(settings, record.partition, topic)
    with path.open("r+b") as file:
        at = batch_at(path.read_bytes(), record.offset) + byte_at
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
