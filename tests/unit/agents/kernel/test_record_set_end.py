"""Where a fetch goes on: behind the last whole record batch of what the last one brought."""

import pytest

from agents.kernel import RecordBatchWriter, end_of


def batch(base_offset: int, records: int) -> bytes:
    """A batch as a broker has stored it."""
    writer = RecordBatchWriter()
    for _ in range(records):
        writer.append(b"key", b"value")
    (packed,) = writer.take()
    return base_offset.to_bytes(8, "big", signed=True) + packed.marked(1, 0, 0, 0)[8:]


def spoilt(sound: bytes, at: int, bit: int) -> bytes:
    """With one bit of a byte turned, and so with a CRC that does not fit."""
    return sound[:at] + bytes([sound[at] ^ bit]) + sound[at + 1 :]


TWO = batch(100, 3) + batch(110, 2)
LAST_OFFSET_DELTA_AT = 26  # its lowest byte
TOO_HIGH = spoilt(batch(103, 3), LAST_OFFSET_DELTA_AT, 0x40)
TOO_LOW = spoilt(batch(103, 3), LAST_OFFSET_DELTA_AT, 0x02)
DAMAGED_ELSEWHERE = spoilt(batch(103, 3), 61, 0x01)


@pytest.mark.parametrize(
    ("record_set", "end"),
    [
        (batch(100, 3), 103),
        (TWO, 112),
        (TWO + batch(112, 5)[:-1], 112),
        (TWO + batch(112, 5)[:11], 112),
        (b"", 101),
        (batch(100, 3)[:-1], 101),
        (batch(90, 3), 101),
        (bytes(100), 101),
        (batch(100, 3) + TOO_HIGH + batch(106, 2), 108),
        (batch(100, 3) + TOO_LOW + batch(106, 2), 108),
        (batch(100, 3) + TOO_HIGH, 103),
        (batch(100, 3) + TOO_LOW, 103),
        (TOO_HIGH, 101),
        (batch(100, 3) + DAMAGED_ELSEWHERE, 106),
    ],
    ids=[
        "one",
        "two",
        "cut off",
        "cut off early",
        "nothing",
        "no whole one",
        "before the start",
        "no batch",
        "one that is damaged says too much",
        "one that is damaged says too little",
        "the last one is damaged and says too much",
        "the last one is damaged and says too little",
        "the only one is damaged",
        "the last one is damaged elsewhere",
    ],
)
def test_the_end_is_behind_the_last_whole_batch_and_not_before_the_start(record_set: bytes, end: int) -> None:
    assert end_of(record_set, 101) == end
    assert end_of(memoryview(record_set), 101) == end


def test_offsets_may_be_as_large_as_there_are() -> None:
    assert end_of(batch(2**63 - 3, 2), 0) == 2**63 - 1
