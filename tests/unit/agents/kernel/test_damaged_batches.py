"""A batch that cannot be read is one dead letter, as it came, and everything behind it goes on."""

import struct

import pytest

from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.partition_kit import a_clock, a_trade, new_fold, records_in, records_of
from tests.unit.agents.kernel.record_sets import GZIP, LZ4, NONE, SNAPPY, ZSTD, record_batch

RULES = Rules((("1s", 1_000_000_000),), 0, 0, 10_000_000_000, 1_000_000_000)
LENGTH = range(8, 12)
LEADER_EPOCH_AT, MAGIC_AT = 12, 16
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


@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_a_batch_with_a_wrong_crc_is_a_dead_letter_as_it_came(codec: int) -> None:
    damaged = flipped(trades(3, 4, codec), RECORDS_AT + 5)
    reason = "the record batch up to offset 6 cannot be read: CRC mismatch"
    assert dead_of(trades(0, 3) + damaged + trades(7, 2)) == [(None, damaged, 3, reason)]


def test_trades_around_a_damaged_batch_are_folded() -> None:
    fold = new_fold(RULES)
    clock = record_batch(9, records_of([a_clock(9, 60)]))
    outcome = fold.fold(trades(0, 3) + flipped(trades(3, 4), RECORDS_AT) + trades(7, 2) + clock, [], 0)
    assert (outcome.trades, outcome.dead, outcome.next_offset) == (5, 1, 10)
    assert [key.decode().rpartition(":")[2] for key, _ in records_in(fold.take_flush().bars_1s)] == [
        key.decode().rpartition(":")[2] for key, _ in _bars_of(trades(0, 3) + trades(7, 2) + clock)
    ]


def _bars_of(record_set: bytes) -> list[tuple[bytes, bytes | None]]:
    fold = new_fold(RULES)
    fold.fold(record_set, [], 0)
    return records_in(fold.take_flush().bars_1s)


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
        struct.pack(">q", 1) + trades(3, 2)[8:],
        struct.pack(">q", -3) + trades(3, 2)[8:],
        struct.pack(">q", 4) + trades(3, 2)[8:],
        struct.pack(">q", 2**63 - 1) + trades(3, 2)[8:],
    ],
    ids=["length", "format", "offsets again", "offsets below 0", "offsets of the next batch", "the last offset of all"],
)
def test_a_batch_with_no_telling_where_the_next_begins_stops_the_fold_before_it(batch: bytes) -> None:
    outcome = new_fold(RULES).fold(trades(0, 3) + batch + trades(5, 2), [], 0)
    assert outcome.corrupt
    assert (outcome.next_offset, outcome.trades, outcome.dead) == (3, 3, 0)


@pytest.mark.parametrize("at", range(LAST_OFFSET_DELTA_AT, LAST_OFFSET_DELTA_AT + 4))
def test_where_a_damaged_batch_ends_is_told_by_the_next_one(at: int) -> None:
    damaged = flipped(trades(3, 2), at)
    reason = "the record batch up to offset 4 cannot be read: CRC mismatch"
    assert dead_of(trades(0, 3) + damaged + trades(5, 2)) == [(None, damaged, 3, reason)]


@pytest.mark.parametrize("at", range(LAST_OFFSET_DELTA_AT, LAST_OFFSET_DELTA_AT + 4))
def test_the_last_batch_of_a_fetch_whose_end_cannot_be_told_stops_the_fold_before_it(at: int) -> None:
    outcome = new_fold(RULES).fold(trades(0, 3) + flipped(trades(3, 2), at), [], 0)
    assert outcome.corrupt == "its offsets do not fit between its neighbours'"
    assert (outcome.next_offset, outcome.trades, outcome.dead) == (3, 3, 0)


@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_whichever_byte_of_a_batch_is_damaged_no_trade_of_it_counts_and_none_of_another_is_lost(codec: int) -> None:
    """All but the leader epoch, which says nothing of the records, and those that stop the fold loudly."""
    batch = trades(3, 2, codec)
    for at in (*range(LEADER_EPOCH_AT), *range(MAGIC_AT, len(batch))):
        outcome = new_fold(RULES).fold(trades(0, 3) + flipped(batch, at) + trades(5, 2), [], 0)
        if outcome.corrupt or at in LENGTH:
            assert at < CRC_AT
            assert (outcome.next_offset, outcome.trades, outcome.dead) == (3, 3, 0)
        else:
            assert (outcome.next_offset, outcome.trades, outcome.dead) == (7, 5, 1)


def test_a_fetch_that_is_cut_off_is_folded_to_its_last_whole_batch_and_goes_on_with_the_next() -> None:
    whole = trades(0, 3) + trades(3, 2, LZ4) + trades(5, 1)
    ends = {0: 0, len(trades(0, 3)): 3, len(trades(0, 3) + trades(3, 2, LZ4)): 5, len(whole): 6}
    for size in range(len(whole) + 1):
        fold = new_fold(RULES)
        at = max(end for end in ends if end <= size)
        first = fold.fold(whole[:size], [], 0)
        assert (first.corrupt, first.next_offset, first.trades) == ("", ends[at], ends[at])
        assert fold.fold(whole[at:], [], first.next_offset).trades == 6 - ends[at]


def test_a_record_that_would_not_fit_the_topic_of_late_trades_is_a_dead_letter() -> None:
    large = records_of([a_trade(0, 0)])[0]
    record = type(large)(b"k" * 900_000, large.value)
    ((key, _, offset, reason),) = dead_of(record_batch(0, [record], codec=LZ4))
    assert (key, offset, reason) == (record.key, 0, "the record is larger than 900000 bytes")
