"""What a batch topic hands to its agent: the record batches of one partition and fetch, undecoded."""

import struct
from dataclasses import dataclass
from typing import Final

_BATCH_OVERHEAD: Final = 12  # base offset and length: what comes before the counted bytes
_BASE_OFFSET_AND_LENGTH: Final = struct.Struct(">qi")
_LAST_OFFSET_DELTA: Final = struct.Struct(">i")
_LAST_OFFSET_DELTA_AT: Final = 23
_LEAST_LENGTH: Final = 49
"""Of a batch with no records."""


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


def end_of(data: bytes | memoryview, start_offset: int) -> int:
    """The offset behind the last whole record batch in `data`; `start_offset` when there is none."""
    next_offset, at = start_offset, 0
    while at + _BATCH_OVERHEAD <= len(data):
        base_offset, length = _BASE_OFFSET_AND_LENGTH.unpack_from(data, at)
        end = at + _BATCH_OVERHEAD + length
        if length < _LEAST_LENGTH or end > len(data):
            break
        (last_offset_delta,) = _LAST_OFFSET_DELTA.unpack_from(data, at + _LAST_OFFSET_DELTA_AT)
        next_offset = base_offset + last_offset_delta + 1
        at = end
    return max(next_offset, start_offset)


def has_whole_batch(data: bytes | memoryview) -> bool:
    """Whether the first record batch is there to its end."""
    if len(data) < _BATCH_OVERHEAD:
        return False
    _base_offset, length = _BASE_OFFSET_AND_LENGTH.unpack_from(data)
    return bool(_BATCH_OVERHEAD + length <= len(data))
