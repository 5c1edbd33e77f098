"""What a flush sends: batches that a reader of Kafka's format finds whole, compressed, and marked by their sender."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from agents.kernel import RecordBatchWriter, read_records
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
    writer = RecordBatchWriter()
    writer.append(b"key", b"value")
    writer.append(b"key", None)
    (batch,) = writer.take()
    data = bytes(batch.marked(2**40, 3, 2**31 - 1, 55))
    assert len(data) == batch.size
    assert (
        HEADER.unpack_from(data)
        == (
            0,  # offset: the broker's to say
            len(data) - 12,
            -1,  # leader epoch
            2,  # format
            crc32c(data[CRC_COVERS_FROM:]),
            LZ4 | TRANSACTIONAL,
            1,  # offset of the last record
            55,
            55,
            2**40,
            3,
            2**31 - 1,
            2,  # records
        )
    )


def test_batches_stay_below_what_brokers_take_and_keep_the_order() -> None:
    writer = RecordBatchWriter()
    values = [number.to_bytes(4, "big") * 100_000 for number in range(12)]
    for value in values:
        writer.append(None, value)
    batches = writer.take()
    read = [read_records(batch.marked(1, 0, 0, 0))[0] for batch in batches]
    assert [len(each) for each in read] == [2] * 6
    assert [record.value for each in read for record in each] == values


def test_a_record_larger_than_a_batch_should_be_goes_alone() -> None:
    writer = RecordBatchWriter()
    for value in (b"small", b"x" * 1_200_000, b"small again"):
        writer.append(b"key", value)
    assert [batch.records for batch in writer.take()] == [1, 1, 1]


def test_what_was_taken_is_not_taken_again() -> None:
    writer = RecordBatchWriter()
    writer.append(b"key", b"value")
    assert len(writer.take()) == 1
    assert writer.take() == []
