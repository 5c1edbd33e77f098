"""A batch that cannot be read is one dead letter, as it came, and everything behind it goes on, in fold and join."""

import struct
from dataclasses import dataclass

import pytest

from agents.kernel import CorruptState, JoinOutcome, end_of
from app.dead_letters import MAX_BYTES
from app.units import SECOND_NS
from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.join_kit import batch_of, new_join
from tests.unit.agents.kernel.join_oracle import JoinRules, Quote
from tests.unit.agents.kernel.partition_kit import NOON, SECOND, a_clock, a_trade, new_fold, records_in, records_of
from tests.unit.agents.kernel.record_sets import GZIP, LZ4, NONE, SNAPPY, ZSTD, KafkaRecord, record_batch

RULES = Rules((("1s", SECOND_NS),), 0, 0, 10 * SECOND_NS, SECOND_NS)
JOIN_RULES = JoinRules(SECOND, 10 * SECOND, SECOND, SECOND, SECOND, frozenset({"binance"}))
LENGTH = range(8, 12)
LEADER_EPOCH_AT, MAGIC_AT = 12, 16
CRC_AT = 17
LAST_OFFSET_DELTA_AT = 23
RECORDS_AT = 61


def trades(first: int, count: int, codec: int = 0) -> bytes:
    return record_batch(first, records_of([a_trade(first + at, first + at) for at in range(count)]), codec=codec)


def quotes(first: int, count: int, codec: int = 0) -> bytes:
    times = [NOON + at * SECOND for at in range(first, first + count)]
    events = [
        Quote(first + number, "binance", "BTC-USDT", None, None, None, at_ns, at_ns)
        for number, at_ns in enumerate(times)
    ]
    return batch_of(events, codec)


@dataclass(frozen=True)
class Taken:
    """What came of a record set: how many records, and how many batches that cannot be read."""

    corrupt: str
    next_offset: int
    records: int
    damaged: int


class FoldedTrades:
    """The fold of a partition of `trades`."""

    batch = staticmethod(trades)

    def __init__(self) -> None:
        self._fold = new_fold(RULES)

    def take(self, record_set: bytes, start_offset: int = 0) -> Taken:
        outcome = self._fold.fold(record_set, [], start_offset)
        return Taken(outcome.corrupt, outcome.next_offset, outcome.trades, outcome.dead)


class JoinedTrades:
    """The join's reading of `trades`."""

    batch = staticmethod(trades)

    def __init__(self) -> None:
        self._take = new_join(JOIN_RULES).take_trades

    def take(self, record_set: bytes, start_offset: int = 0) -> Taken:
        outcome: JoinOutcome = self._take(record_set, [], start_offset)
        return Taken(outcome.corrupt, outcome.next_offset, outcome.trades, outcome.unusable)


class JoinedQuotes:
    """The join's reading of `quotes`."""

    batch = staticmethod(quotes)

    def __init__(self) -> None:
        self._take = new_join(JOIN_RULES).take_quotes

    def take(self, record_set: bytes, start_offset: int = 0) -> Taken:
        outcome: JoinOutcome = self._take(record_set, [], start_offset)
        return Taken(outcome.corrupt, outcome.next_offset, outcome.quotes, outcome.dead)


Reading = type[FoldedTrades] | type[JoinedTrades] | type[JoinedQuotes]
each_reading = pytest.mark.parametrize("reading", [FoldedTrades, JoinedTrades, JoinedQuotes])


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


@each_reading
def test_a_damaged_batch_at_the_end_of_a_fetch_moves_the_reader_behind_it(reading: Reading) -> None:
    reader = reading()
    assert reader.take(flipped(reading.batch(0, 3), CRC_AT)) == Taken("", 3, 0, 1)
    assert reader.take(reading.batch(3, 2), 3).records == 2


@each_reading
@pytest.mark.parametrize(
    ("at", "instead"),
    [
        (8, struct.pack(">i", 7)),
        (MAGIC_AT, b"\1"),
        (0, struct.pack(">q", 1)),
        (0, struct.pack(">q", -3)),
        (0, struct.pack(">q", 4)),
        (0, struct.pack(">q", 2**63 - 1)),
    ],
    ids=["length", "format", "offsets again", "offsets below 0", "offsets of the next batch", "the last offset of all"],
)
def test_a_batch_with_no_telling_where_the_next_begins_stops_the_reader_before_it(
    reading: Reading, at: int, instead: bytes
) -> None:
    whole = reading.batch(3, 2)
    batch = whole[:at] + instead + whole[at + len(instead) :]
    taken = reading().take(reading.batch(0, 3) + batch + reading.batch(5, 2))
    assert taken.corrupt
    assert (taken.next_offset, taken.records, taken.damaged) == (3, 3, 0)


@pytest.mark.parametrize("at", range(LAST_OFFSET_DELTA_AT, LAST_OFFSET_DELTA_AT + 4))
def test_where_a_damaged_batch_ends_is_told_by_the_next_one(at: int) -> None:
    damaged = flipped(trades(3, 2), at)
    reason = "the record batch up to offset 4 cannot be read: CRC mismatch"
    assert dead_of(trades(0, 3) + damaged + trades(5, 2)) == [(None, damaged, 3, reason)]


@each_reading
def test_a_fetch_goes_on_where_whoever_read_the_last_one_stopped(reading: Reading) -> None:
    batch = reading.batch(3, 2)
    for behind in (b"", reading.batch(5, 2)):
        for at in range(CRC_AT, len(batch)):
            record_set = reading.batch(0, 3) + flipped(batch, at) + behind
            assert reading().take(record_set).next_offset == end_of(record_set, 0)


@each_reading
@pytest.mark.parametrize("at", range(LAST_OFFSET_DELTA_AT, LAST_OFFSET_DELTA_AT + 4))
def test_the_last_batch_of_a_fetch_whose_end_cannot_be_told_stops_the_reader_before_it(
    reading: Reading, at: int
) -> None:
    taken = reading().take(reading.batch(0, 3) + flipped(reading.batch(3, 2), at))
    assert taken == Taken("its offsets do not fit between its neighbours'", 3, 3, 0)


@each_reading
@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_whichever_byte_of_a_batch_is_damaged_no_record_of_it_counts_and_none_of_another_is_lost(
    reading: Reading, codec: int
) -> None:
    """All but the leader epoch, which says nothing of the records, and those that stop the reader loudly."""
    batch = reading.batch(3, 2, codec)
    for at in (*range(LEADER_EPOCH_AT), *range(MAGIC_AT, len(batch))):
        taken = reading().take(reading.batch(0, 3) + flipped(batch, at) + reading.batch(5, 2))
        if taken.corrupt or at in LENGTH:
            assert at < CRC_AT
            assert (taken.next_offset, taken.records, taken.damaged) == (3, 3, 0)
        else:
            assert taken == Taken("", 7, 5, 1)


@each_reading
def test_a_fetch_that_is_cut_off_is_read_to_its_last_whole_batch_and_goes_on_with_the_next(reading: Reading) -> None:
    batches = [reading.batch(0, 3), reading.batch(3, 2, LZ4), reading.batch(5, 1)]
    whole = b"".join(batches)
    ends = {0: 0, len(batches[0]): 3, len(batches[0] + batches[1]): 5, len(whole): 6}
    for size in range(len(whole) + 1):
        reader = reading()
        at = max(end for end in ends if end <= size)
        assert reader.take(whole[:size]) == Taken("", ends[at], ends[at], 0)
        assert reader.take(whole[at:], ends[at]).records == 6 - ends[at]


def test_a_batch_of_the_join_s_changelog_with_offsets_of_the_next_is_refused_as_it_stands_there() -> None:
    join = new_join(JOIN_RULES)
    join.take_trades(trades(0, 3), [], 0)
    records = [KafkaRecord(key, value) for key, value in records_in(join.take_flush().changelog)]
    assert len(records) == 3
    changelog = (
        record_batch(0, records) + struct.pack(">q", 4) + record_batch(3, records)[8:] + record_batch(6, records)
    )
    with pytest.raises(CorruptState, match="changelog offset 3: "):
        new_join(JOIN_RULES).restore(changelog, [], 0)


def test_a_record_that_would_not_fit_the_topic_of_late_trades_is_a_dead_letter() -> None:
    (trade,) = records_of([a_trade(0, 0)])
    room = MAX_BYTES - len(trade.value or b"")
    fits, large = (KafkaRecord(b"k" * length, trade.value) for length in (room, room + 1))
    assert dead_of(record_batch(0, [fits], codec=LZ4)) == []
    ((key, _, offset, reason),) = dead_of(record_batch(0, [large], codec=LZ4))
    assert (key, offset, reason) == (large.key, 0, f"the record is larger than {MAX_BYTES} bytes")
