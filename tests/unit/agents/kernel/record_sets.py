"""Writes Kafka's record batches, message format 2, by the protocol guide's "Record Batch" and nothing of the kernel."""

import ctypes
import ctypes.util
import gzip
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
ABORT: Final = 0
COMMIT: Final = 1
_CRC32C_REVERSED: Final = 0x82F63B78


@dataclass(frozen=True)
class KafkaRecord:
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def record_batch(
    base_offset: int,
    records: Sequence[KafkaRecord],
    *,
    codec: int = NONE,
    flags: int = 0,
    producer_id: int = -1,
    base_timestamp_ms: int = 0,
    payload: bytes | None = None,
) -> bytes:
    """One batch with records at consecutive offsets; `flags` are LOG_APPEND_TIME, TRANSACTIONAL and CONTROL.

    `payload` stands where the compressed records would, under a CRC that fits it.
    """
    covered = struct.pack(
        ">hiqqqhii",
        codec | flags,
        len(records) - 1,
        base_timestamp_ms,
        base_timestamp_ms,
        producer_id,
        0 if producer_id >= 0 else -1,
        -1,
        len(records),
    )
    covered += compress(codec, plain(records)) if payload is None else payload
    after_length = struct.pack(">ibI", -1, 2, crc32c(covered)) + covered
    return struct.pack(">qi", base_offset, len(after_length)) + after_length


def end_of_transaction(offset: int, producer_id: int, outcome: int) -> bytes:
    """A control batch that aborts or commits what its producer wrote before."""
    marker = KafkaRecord(struct.pack(">hh", 0, outcome), struct.pack(">hi", 0, 0))
    return record_batch(offset, [marker], flags=TRANSACTIONAL | CONTROL, producer_id=producer_id)


def plain(records: Sequence[KafkaRecord]) -> bytes:
    """The records of a batch, uncompressed."""
    return b"".join(_record(delta, record) for delta, record in enumerate(records))


def varint(value: int) -> bytes:
    """Zig-zag, 7 bits a byte."""
    rest = value * 2 if value >= 0 else -value * 2 - 1
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


def _record(offset_delta: int, record: KafkaRecord) -> bytes:
    body = b"\0" + varint(0) + varint(offset_delta) + _nullable(record.key) + _nullable(record.value)
    body += varint(len(record.headers))
    for name, value in record.headers:
        body += _nullable(name.encode(errors="surrogateescape")) + _nullable(value)
    return varint(len(body)) + body


def _nullable(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def compress(codec: int, body: bytes) -> bytes:
    """By the codec's own library; snappy is bare, as librdkafka sends it."""
    by_codec: dict[int, Callable[[bytes], bytes]] = {
        NONE: bytes,
        GZIP: _gzip,
        SNAPPY: _snappy,
        LZ4: _lz4,
        ZSTD: _zstd,
    }
    return by_codec[codec](body)


def framed_snappy(body: bytes, block_bytes: int = 32 * 1024) -> bytes:
    """As Java's clients send it: blocks behind their sizes, in the frame of snappy-java's SnappyOutputStream."""
    blocks = [_snappy(body[at : at + block_bytes]) for at in range(0, len(body), block_bytes)]
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(b)) + b for b in blocks)


def _snappy(body: bytes) -> bytes:
    snappy = _library("snappy")
    size = ctypes.c_size_t(_size(snappy.snappy_max_compressed_length, len(body)))
    out = ctypes.create_string_buffer(size.value)
    assert snappy.snappy_compress(body, ctypes.c_size_t(len(body)), out, ctypes.byref(size)) == 0
    return out.raw[: size.value]


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def _lz4(body: bytes) -> bytes:
    lz4 = _library("lz4")
    return _into_buffer(
        _size(lz4.LZ4F_compressFrameBound, len(body), None),
        lambda out, room: _size(lz4.LZ4F_compressFrame, out, room, body, len(body), None),
    )


def _zstd(body: bytes) -> bytes:
    zstd = _library("zstd")
    return _into_buffer(
        _size(zstd.ZSTD_compressBound, len(body)),
        lambda out, room: _size(zstd.ZSTD_compress, out, room, body, len(body), 3),
    )


def _into_buffer(room: int, write: Callable[["ctypes.Array[ctypes.c_char]", ctypes.c_size_t], int]) -> bytes:
    out = ctypes.create_string_buffer(room)
    size = write(out, ctypes.c_size_t(room))
    return out.raw[:size]


def _size(function: "ctypes._NamedFuncPointer", *arguments: object) -> int:
    function.restype = ctypes.c_size_t
    sized = [ctypes.c_size_t(value) if isinstance(value, int) and value > 3 else value for value in arguments]
    return int(function(*sized))


def _library(name: str) -> ctypes.CDLL:
    return ctypes.CDLL(ctypes.util.find_library(name))


def _table() -> list[int]:
    table = []
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = (rest >> 1) ^ (_CRC32C_REVERSED if rest & 1 else 0)
        table.append(rest)
    return table


_TABLE: Final = _table()
