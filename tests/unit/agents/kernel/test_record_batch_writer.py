"""What a flush sends: batches that a reader of Kafka's format finds whole, compressed, and marked by their sender."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.kernel import PackedBatch, RecordBatchWriter, read_records
from tests.unit.agents.kernel.record_sets import LZ4, TRANSACTIONAL, crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
CRC_COVERS_FROM = 21

texts = st.binary(max_size=300)
headers = st.lists(st.tuples(st.text(max_size=10), st.none() | texts), max_size=3)
records = st.lists(st.tuples(st.none() | texts, st.none() | texts, headers), min_size=1, max_size=200)


@given(records)
def test_records_come_back_as_they_were_appended(
    records: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]],
) -> None:
    writer = RecordBatchWriter()
    for record in records:
        writer.append(*record)
    (batch,) = writer.take()
    assert batch.records == len(records)
    read, damaged = read_records(batch.marked(7, 3, 41, 1_700_000_000_123))
    assert damaged == []
    assert [(record.key, record.value, record.headers) for record in read] == records
    assert [record.offset for record in read] == list(range(len(records)))
    assert {record.timestamp_ms for record in read} == {1_700_000_000_123}


def test_the_header_says_who_sends_the_batch() -> None:
    batch = two_records()
    data = bytes(batch.marked(2**40, 3, 2**31 - 1, 55))
    assert len(data) == batch.size
    assert HEADER.unpack_from(data) == header_of(data, LZ4 | TRANSACTIONAL, 2**40, 3, 2**31 - 1)


def test_the_header_of_a_batch_in_no_transaction_names_no_producer() -> None:
    data = bytes(two_records().stamped(55))
    assert HEADER.unpack_from(data) == header_of(data, LZ4, -1, -1, -1)


def two_records() -> PackedBatch:
    writer = RecordBatchWriter()
    writer.append(b"key", b"value")
    writer.append(b"key", None)
    (batch,) = writer.take()
    return batch


def header_of(data: bytes, attributes: int, *producer: int) -> tuple[int, ...]:
    """What a batch of two records begins with at 55 ms of time."""
    return (
        0,  # offset: the broker's to say
        len(data) - 12,
        -1,  # leader epoch
        2,  # format
        crc32c(data[CRC_COVERS_FROM:]),
        attributes,
        1,  # offset of the last record
        55,
        55,
        *producer,
        2,  # records
    )


def test_batches_stay_below_what_brokers_take_and_keep_the_order() -> None:
    writer = RecordBatchWriter()
    chance = random.Random(1)  # noqa: S311 - no secret: bytes that nothing compresses
    values = [chance.randbytes(400_000) for _ in range(12)]
    for value in values:
        writer.append(None, value)
    batches = writer.take()
    read = [read_records(batch.marked(1, 0, 0, 0))[0] for batch in batches]
    assert [len(each) for each in read] == [2] * 6
    assert [record.value for each in read for record in each] == values


def test_a_batch_is_as_full_as_what_it_is_compressed_to_and_its_reader_allow() -> None:
    writer = RecordBatchWriter()
    values = [number.to_bytes(4, "big") * 100_000 for number in range(12)]
    for value in values:
        writer.append(None, value)
    batches = writer.take()
    assert [batch.records for batch in batches] == [10, 2], "of 4 MiB that are next to nothing when compressed"
    read = [read_records(batch.marked(1, 0, 0, 0))[0] for batch in batches]
    assert [record.value for each in read for record in each] == values


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 300_000), st.floats(0, 1)), min_size=1, max_size=40))
def test_no_batch_of_several_records_is_larger_than_a_broker_takes(seed: int, sizes: list[tuple[int, float]]) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    values = [chance.randbytes(round(size * noise)).ljust(size, b"-") for size, noise in sizes]
    writer = RecordBatchWriter()
    for value in values:
        writer.append(b"key", value)
    batches = writer.take()
    assert all(batch.size <= 1_000_000 for batch in batches)
    read = [record for batch in batches for record in read_records(batch.marked(1, 0, 0, 0))[0]]
    assert [record.value for record in read] == values


@pytest.mark.parametrize("below", range(40))
def test_a_batch_that_ends_with_a_block_for_the_time_being_goes_on(below: int) -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    values = [chance.randbytes(size) for size in (256 * 1024 - below, 300_000, 300_000)]
    writer = RecordBatchWriter()
    for value in values:
        writer.append(None, value)
    (batch,) = writer.take()
    assert [record.value for record in read_records(batch.marked(1, 0, 0, 0))[0]] == values


def test_a_record_larger_than_a_batch_should_be_goes_alone() -> None:
    writer = RecordBatchWriter()
    large = random.Random(1).randbytes(1_200_000)  # noqa: S311 - no secret
    for value in (b"small", large, b"small again"):
        writer.append(b"key", value)
    assert [batch.records for batch in writer.take()] == [1, 1, 1]


def test_what_was_taken_is_not_taken_again() -> None:
    writer = RecordBatchWriter()
    writer.append(b"key", b"value")
    assert len(writer.take()) == 1
    assert writer.take() == []
