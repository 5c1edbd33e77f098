"""Every codec of Kafka, whole, cut off, corrupt and as a bomb."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from app.units import SECOND_NS
from tests.unit.agents.kernel.bar_oracle import Rules
from tests.unit.agents.kernel.partition_kit import a_clock, a_trade, bars_in, new_fold, new_schemas, records_of
from tests.unit.agents.kernel.record_sets import (
    GZIP,
    LZ4,
    NONE,
    SNAPPY,
    ZSTD,
    KafkaRecord,
    compress,
    framed_snappy,
    plain,
    record_batch,
)

RULES = Rules((("1s", SECOND_NS),), 0, 0, 10 * SECOND_NS, SECOND_NS)
MIB = 1 << 20
LIMIT = 64 * MIB
NAMES = {GZIP: "gzip", SNAPPY: "snappy", LZ4: "lz4", ZSTD: "zstd"}
CODECS = pytest.mark.parametrize("codec", NAMES, ids=NAMES.values())
FORMS = {name: (codec, partial(compress, codec)) for codec, name in NAMES.items()}
FORMS["framed snappy"] = (SNAPPY, partial(framed_snappy, block_bytes=500))
EVERY_FORM = pytest.mark.parametrize(("codec", "pack"), FORMS.values(), ids=FORMS)
Pack = Callable[[bytes], bytes]


def trades(first: int, count: int) -> list[KafkaRecord]:
    return records_of([a_trade(first + at, first + at) for at in range(count)])


def batch_of(codec: int, payload: bytes, count: int = 1) -> bytes:
    """A sound batch of some records around what is said to be their compressed bytes."""
    return record_batch(0, [KafkaRecord(None, b"")] * count, codec=codec, payload=payload)


def reason_of(batch: bytes) -> str:
    """Why a batch is a dead letter; the batch behind it is folded."""
    fold = new_fold(RULES)
    outcome = fold.fold(batch + record_batch(1, trades(1, 2)), [], 0)
    assert (outcome.corrupt, outcome.next_offset, outcome.trades, outcome.dead) == ("", 3, 2, 1)
    ((key, value, offset, reason),) = fold.take_flush().dead
    assert (key, value, offset) == (None, batch, 0)
    return reason.removeprefix("the record batch up to offset 0 cannot be read: ")


def bars(batch: bytes, clock_offset: int) -> Sequence[tuple[bytes, bytes]]:
    fold = new_fold(RULES)
    fold.fold(batch + record_batch(clock_offset, records_of([a_clock(clock_offset, 10_000)])), [], 0)
    return bars_in(fold.take_flush())


@EVERY_FORM
def test_bars_are_those_of_the_uncompressed_trades(codec: int, pack: Pack) -> None:
    records = trades(0, 3_000)
    made = bars(record_batch(0, records, codec=codec, payload=pack(plain(records))), 3_000)
    assert len(made) == 3_000
    assert made == bars(record_batch(0, records, codec=NONE), 3_000)


def folded(record_set: bytes) -> tuple[int, int]:
    """How many records and batches were taken or refused, and where the fold came to; it knows no other schemas."""
    schemas = new_schemas()
    fold = new_fold(RULES, schemas)
    counted = next_offset = 0
    while True:
        outcome = fold.fold(record_set, [], next_offset)
        assert outcome.corrupt == ""
        counted += outcome.trades + outcome.dead + outcome.duplicates + outcome.late + outcome.clocks
        next_offset = outcome.next_offset
        if outcome.needs_schema is None:
            return counted, next_offset
        schemas.refuse(outcome.needs_schema, "nobody knows it")


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 32 * 1024])
def test_framed_snappy_may_have_blocks_of_any_size(block_bytes: int) -> None:
    records = trades(0, 20)
    framed = framed_snappy(plain(records), block_bytes)
    assert bars(record_batch(0, records, codec=SNAPPY, payload=framed), 20) == bars(record_batch(0, records), 20)


@CODECS
def test_a_batch_of_exactly_the_limit_is_read(codec: int) -> None:
    room = LIMIT - len(plain([KafkaRecord(None, bytes(LIMIT - 100))])) + LIMIT - 100
    records = [KafkaRecord(None, bytes(room))]
    assert len(plain(records)) == LIMIT
    fold = new_fold(RULES)
    assert fold.fold(record_batch(0, records, codec=codec), [], 0).dead == 1
    ((_, value, _, reason),) = fold.take_flush().dead
    assert (value, reason) == (records[0].value, "the record is larger than 900000 bytes")


@CODECS
def test_a_bomb_is_a_dead_letter(codec: int) -> None:
    bomb = compress(codec, bytes(LIMIT + 1))
    assert reason_of(batch_of(codec, bomb)) == f"{NAMES[codec]} data of more than 64 MiB"


def test_a_framed_bomb_is_a_dead_letter() -> None:
    assert reason_of(batch_of(SNAPPY, framed_snappy(bytes(LIMIT + 1)))) == "snappy data of more than 64 MiB"


def test_snappy_that_says_it_is_larger_than_its_bytes_can_be_is_corrupt() -> None:
    says_four_gib = b"\xff\xff\xff\xff\x0f" + b"\0a"
    assert reason_of(batch_of(SNAPPY, says_four_gib)) == "corrupt snappy data"


BOMBS_OF_EVERY_CODEC = """
import resource
from tests.unit.agents.kernel.test_codecs import LIMIT, NAMES, RULES, batch_of, trades
from tests.unit.agents.kernel.partition_kit import new_fold
from tests.unit.agents.kernel.record_sets import compress, record_batch

def resident_kib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

bombs = {codec: compress(codec, bytes(LIMIT + 1)) for codec in NAMES}
batches = [batch_of(codec, bomb) for codec, bomb in bombs.items()]
fold = new_fold(RULES)
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = resident_kib()
for batch in batches * 2:
    fold.fold(batch, [], 0)
fold.fold(record_batch(1, trades(1, 2), codec=1), [], 1)
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak - before, resident_kib() - before)
"""


def test_bombs_take_a_bounded_memory_and_give_it_back() -> None:
    """The largest buffer and the half that it grew from; malloc keeps what is up to 32 MiB when it is freed."""
    done = subprocess.run([sys.executable, "-c", BOMBS_OF_EVERY_CODEC], capture_output=True, text=True, check=True)
    peak_kib, kept_kib = map(int, done.stdout.split())
    assert peak_kib < (96 + 32 + 24) * 1024
    assert kept_kib < (8 + 32 + 24) * 1024


@pytest.mark.parametrize(
    ("codec", "reason"),
    [
        (GZIP, "truncated gzip data"),
        (SNAPPY, "corrupt snappy data"),  # bare snappy has no end by which one could tell
        (LZ4, "truncated lz4 data"),
        (ZSTD, "truncated zstd data"),
    ],
    ids=NAMES.values(),
)
def test_compressed_data_that_is_cut_off_is_a_dead_letter(codec: int, reason: str) -> None:
    whole = compress(codec, plain(trades(0, 50)))
    for size in (len(whole) - 1, len(whole) // 2, 20):
        assert reason_of(batch_of(codec, whole[:size])) == reason


def test_a_frame_of_snappy_that_is_cut_off_is_a_dead_letter() -> None:
    whole = framed_snappy(plain(trades(0, 50)), 1_000)
    for size in (len(whole) - 1, len(whole) // 2, 18, 12):
        assert reason_of(batch_of(SNAPPY, whole[:size])) == "truncated snappy data"


@CODECS
def test_data_of_no_codec_is_a_dead_letter(codec: int) -> None:
    assert reason_of(batch_of(codec, b"\xff" * 100)) == f"corrupt {NAMES[codec]} data"


@CODECS
def test_no_compressed_bytes_at_all_are_a_dead_letter(codec: int) -> None:
    reason = reason_of(batch_of(codec, b""))
    assert reason in {f"truncated {NAMES[codec]} data", "a record has no valid length"}


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_a_codec_that_nobody_knows_is_a_dead_letter(codec: int) -> None:
    assert reason_of(batch_of(codec, b"1234")) == f"unknown codec {codec}"


@EVERY_FORM
def test_whichever_byte_is_wrong_the_fold_goes_on_behind_the_batch(codec: int, pack: Pack) -> None:
    """The CRC fits: what is wrong came from the producer. A codec that does not notice gives other records."""
    records = trades(0, 5)
    whole = pack(plain(records))
    for at in range(len(whole)):
        payload = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        damaged = record_batch(0, records, codec=codec, payload=payload)
        counted, next_offset = folded(damaged + record_batch(5, trades(5, 2)))
        assert (counted >= 3, next_offset) == (True, 7)
