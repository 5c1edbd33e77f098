"""A batch that cannot be read is one dead letter, as it came, and everything behind it goes on."""

import struct

import pytest

from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.partition_kit import a_clock, a_trade, new_fold, records_of
from tests.unit.agents.kernel.record_sets import GZIP, LZ4, SNAPPY, ZSTD, crc32c, record_batch, snapped

RULES = Rules((("1s", 1_000_000_000),), 0, 0, 10_000_000_000, 1_000_000_000)
CRC_AT = 17
LAST_OFFSET_DELTA_AT = 23
RECORDS_AT = 61


def trades(first: int, count: int, codec: int = 0) -> bytes:
    return record_batch(first, records_of([a_trade(first + at, first + at) for at in range(count)]), codec=codec)


def flipped(batch: bytes, at: int) -> bytes:
    return batch[:at] + bytes([batch[at] ^ 0xFF]) + batch[at + 1 :]


def dead_of(record_set: bytes, start_offset: int = 0) -> list[tuple[bytes | None, bytes | None, int, str]]:
    fold = new_fold(RULES)
    outcome = fold.fold(record_set, [], start_offset)
    assert outcome.corrupt == ""
    dead = fold.take_flush().dead
    assert outcome.dead == len(dead)
    return dead


@pytest.mark.parametrize("codec", [0, LZ4, ZSTD])
def test_a_batch_with_a_wrong_crc_is_a_dead_letter_as_it_came(codec: int) -> None:
    damaged = flipped(trades(3, 4, codec), RECORDS_AT + 5)
    reason = "the record batch up to offset 6 cannot be read: CRC mismatch"
    assert dead_of(trades(0, 3) + damaged + trades(7, 2)) == [(None, damaged, 3, reason)]


def recompressed(batch: bytes, data: bytes) -> bytes:
    """The batch with other bytes where its compressed records are, and a CRC that agrees with them."""
    covered = batch[CRC_AT + 4 : RECORDS_AT] + data
    return batch[:8] + struct.pack(">iibI", len(covered) + 9, -1, 2, crc32c(covered)) + covered


@pytest.mark.parametrize(("codec", "name"), [(GZIP, "gzip"), (SNAPPY, "snappy"), (LZ4, "lz4"), (ZSTD, "zstd")])
def test_records_that_cannot_be_decompressed_are_a_dead_letter_that_names_the_codec(codec: int, name: str) -> None:
    damaged = recompressed(trades(0, 2, codec), b"\x7f" * 40)
    reason = f"the record batch up to offset 1 cannot be read: corrupt {name} data"
    assert dead_of(damaged + trades(2, 1)) == [(None, damaged, 0, reason)]


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_records_that_end_too_early_are_a_dead_letter(codec: int) -> None:
    whole = trades(0, 9, codec)
    damaged = recompressed(whole, whole[RECORDS_AT : len(whole) - 9])
    ((_, value, _, reason),) = dead_of(damaged + trades(9, 1))
    assert value == damaged
    assert "cannot be read: " in reason


def test_the_blocks_in_which_javas_client_writes_snappy_are_read() -> None:
    plain = trades(0, 4)
    half = (len(plain) - RECORDS_AT) // 2
    blocks = [snapped(plain[RECORDS_AT : RECORDS_AT + half]), snapped(plain[RECORDS_AT + half :])]
    stream = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
    stream += b"".join(struct.pack(">i", len(block)) + block for block in blocks)
    java = recompressed(trades(0, 4, SNAPPY), stream)
    assert _bars_of(java) == _bars_of(plain)


def test_a_batch_that_claims_more_than_it_can_hold_costs_no_memory() -> None:
    gigabytes = b"\xff\xff\xff\xff\x0f" + b"\0" * 30
    damaged = recompressed(trades(0, 2, SNAPPY), gigabytes)
    reason = "the record batch up to offset 1 cannot be read: corrupt snappy data"
    assert dead_of(damaged) == [(None, damaged, 0, reason)]


def test_trades_around_a_damaged_batch_are_folded() -> None:
    fold = new_fold(RULES)
    clock = record_batch(9, records_of([a_clock(9, 60)]))
    outcome = fold.fold(trades(0, 3) + flipped(trades(3, 4), RECORDS_AT) + trades(7, 2) + clock, [], 0)
    assert (outcome.trades, outcome.dead, outcome.next_offset) == (5, 1, 10)
    assert [key.decode().rpartition(":")[2] for key, _ in fold.take_flush().bars_1s] == [
        key.decode().rpartition(":")[2] for key, _ in _bars_of(trades(0, 3) + trades(7, 2) + clock)
    ]


def _bars_of(record_set: bytes) -> list[tuple[bytes, bytes]]:
    fold = new_fold(RULES)
    fold.fold(record_set, [], 0)
    return fold.take_flush().bars_1s


def test_a_damaged_batch_that_was_passed_over_before_is_not_passed_over_again() -> None:
    assert dead_of(flipped(trades(0, 3), RECORDS_AT) + trades(3, 2), start_offset=3) == []


def test_a_damaged_batch_at_the_end_of_a_fetch_moves_the_fold_behind_it() -> None:
    fold = new_fold(RULES)
    assert fold.fold(flipped(trades(0, 3), CRC_AT), [], 0).next_offset == 3
    assert fold.fold(trades(3, 2), [], 3).trades == 2


@pytest.mark.parametrize(
    "batch",
    [
        trades(3, 2)[:8] + struct.pack(">i", 7) + trades(3, 2)[12:],
        trades(3, 2)[:16] + b"\1" + trades(3, 2)[17:],
        flipped(trades(3, 2), LAST_OFFSET_DELTA_AT),
    ],
    ids=["length", "format", "record count"],
)
def test_a_batch_with_no_telling_where_the_next_begins_stops_the_fold_before_it(batch: bytes) -> None:
    outcome = new_fold(RULES).fold(trades(0, 3) + batch + trades(5, 2), [], 0)
    assert outcome.corrupt
    assert (outcome.next_offset, outcome.trades, outcome.dead) == (3, 3, 0)


def test_a_record_that_would_not_fit_the_topic_of_late_trades_is_a_dead_letter() -> None:
    large = records_of([a_trade(0, 0)])[0]
    record = type(large)(b"k" * 900_000, large.value)
    ((key, _, offset, reason),) = dead_of(record_batch(0, [record], codec=LZ4))
    assert (key, offset, reason) == (record.key, 0, "the record is larger than 900000 bytes")
