"""What a batch topic hands to its agent: the record batches of one partition and fetch, undecoded."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_BATCH_OVERHEAD: Final = 12  # base offset and length: what comes before the counted bytes
_BASE_OFFSET_AND_LENGTH: Final = struct.Struct(">qi")


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Record batches as the broker sent them: message format 2, compressed as they were produced.

    The first batch may begin before `start_offset`, and the last may be cut off; `next_offset` is behind the last whole
    one. `aborted` has the producer id and the first offset of each aborted transaction that a read_committed fetch
    reports.
    """

    topic: str
    partition: int
    data: bytes | memoryview
    start_offset: int
    next_offset: int
    aborted: tuple[tuple[int, int], ...] = ()


def has_whole_batch(data: bytes | memoryview) -> bool:
    """Whether the first record batch is there to its end."""
    if len(data) < _BATCH_OVERHEAD:
        return False
    _base_offset, length = _BASE_OFFSET_AND_LENGTH.unpack_from(data)
    return bool(_BATCH_OVERHEAD + length <= len(data))


def batches_of(data: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """The whole record batches, as far as the length of each tells where the next one begins."""
    while has_whole_batch(data):
        _base_offset, length = _BASE_OFFSET_AND_LENGTH.unpack_from(data)
        size = _BATCH_OVERHEAD + max(length, 0)
        yield data[:size]
        data = data[size:]
