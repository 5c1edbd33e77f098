"""What cannot be folded is a dead letter that says where it was and why, and everything else goes on."""

import json
import struct
from io import BytesIO

import fastavro

from app.records import without_logical_types
from app.settings import Settings
from app.units import SECOND_NS
from tests.chaos.market import VENUES
from tests.integration.api_kit import eventually
from tests.integration.broker_files import FORMAT_AT, LAST_OFFSET_DELTA_AT, batch_on_disk, damage
from tests.integration.fold_kit import (
    PARTITIONS,
    Group,
    Tape,
    Worker,
    folding,
    oracles,
    read,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import differences

AHEAD = "event time is too far ahead of its receive time"
CLOCK_AHEAD = "the clock's time is too far ahead of when it came to the log"
YEAR_2099_NS = 4_070_908_800 * SECOND_NS


def with_price(tape: Tape, settings: Settings, unscaled: int) -> bytes:
    """A trade's value with a price that no Decimal of the schema could be."""
    schema = fastavro.parse_schema(without_logical_types(json.loads((settings.schemas_dir / "trade.avsc").read_text())))
    fields = trade("900", "1", 1) | {"price": unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big"), "size": b"\1"}
    body = BytesIO()
    fastavro.schemaless_writer(body, schema, fields)
    return tape.avro.write("Trade", trade("900", "1", 1))[:5] + body.getvalue()


def write_some(tape: Tape, first: int, last: int) -> None:
    """Good trades, a second apart, as a batch of their own."""
    for number in range(first, last):
        tape.trade(trade(str(number), f"{number}.5", number))
    tape.flush()


def places(settings: Settings) -> dict[bytes | None, tuple[int, int]]:
    """Partition and offset of every value in `trades`."""
    return {record.value: (record.partition, record.offset) for record in read(settings, "trades")}


def headers_of(settings: Settings, place: tuple[int, int], reason: str) -> dict[str, bytes]:
    """What a dead letter of the record at this place says."""
    partition, offset = place
    return {
        "topic": settings.topic("trades").encode(),
        "partition": str(partition).encode(),
        "offset": str(offset).encode(),
        "reason": reason.encode(),
    }


def test_every_bad_record_is_a_dead_letter_and_no_bar_misses_a_trade(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    good = tape.avro.write("Trade", trade("900", "1", 1))
    bar_id = tape.avro.ids["livetape.Bar"]
    bad: dict[bytes | None, str] = {
        struct.pack(">bI", 0, 999_999) + good[5:]: "unknown schema id 999999",
        struct.pack(">bI", 0, bar_id) + good[5:]: f"schema id {bar_id}: livetape.Bar is neither of livetape.Trade and "
        "livetape.Clock",
        good[:5] + b"\xff" * 20: "the Avro body is corrupt",
        good + b"\0": "the Avro body has bytes left over",
        b"hello": "the value has no wire header",
        b'{"price": "12"}': "the value has no wire header",
        with_price(tape, settings, 10**418): "price or size is out of range: at most 38 digits",
        tape.avro.write("Trade", trade("901", "1", 1, event_time_ns=YEAR_2099_NS)): AHEAD,
        tape.avro.write("Trade", trade("902", "0", 1)): "price is not positive",
        tape.avro.write("Trade", trade("903", "1", 1, action="cancel")): "refers_to names no trade that was counted",
        tape.avro.write("Clock", {"venue": "binance", "time_ns": YEAR_2099_NS}): CLOCK_AHEAD,
        None: "the record has no value",
    }
    write_some(tape, 1, 60)
    for value in bad:
        tape.raw(value)
    write_some(tape, 60, 120)
    tape.clock(400)
    tape.flush()
    at = places(settings)
    expected = oracles(settings, tape.avro, dead=[at[value] for value in bad])
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        dead = read(settings, "trades.dead")
        assert [(record.value, record.key, record.headers) for record in dead] == [
            (value, b"binance:BTC-USDT", headers_of(settings, at[value], reason)) for value, reason in bad.items()
        ]
        assert worker.counted("livetape_fold_dead_letters_total") == len(bad)
        assert worker.counted("livetape_fold_dead_letters_total", reason="unknown schema id") == 1
        assert worker.counted("livetape_fold_trades_total") == 119
    assert differences(read_bars(settings, tape.avro), expected) == []


def test_batches_that_cannot_be_read_are_dead_letters_and_their_neighbours_are_folded(settings: Settings) -> None:
    tape = Tape(with_topics(settings), **{"compression.type": "zstd"})
    firsts = {}
    write_some(tape, 1, 60)
    for number, codec in ((60, "gzip"), (70, "snappy"), (80, "lz4")):
        write_some(Tape(settings, **{"compression.type": codec}), number, number + 10)
        write_some(tape, 1_000 + number, 1_003 + number)
        firsts[codec] = number
    tape.clock(2_000)
    tape.flush()
    records = read(settings, "trades")
    at = {tape.avro.read(record.value or b"")[1].get("trade_id"): record for record in records}
    begins = {codec: at[str(first)] for codec, first in firsts.items()}
    dead = {(begin.partition, begin.offset + delta) for begin in begins.values() for delta in range(10)}
    expected = oracles(settings, tape.avro, dead)
    for begin in begins.values():
        damage(settings, begin)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        assert [(record.value, record.headers) for record in read(settings, "trades.dead")] == [
            (
                batch_on_disk(settings, begin),
                headers_of(
                    settings,
                    (begin.partition, begin.offset),
                    f"the record batch up to offset {begin.offset + 9} cannot be read: CRC mismatch",
                ),
            )
            for begin in begins.values()
        ]
        assert worker.counted("livetape_fold_dead_letters_total") == 3
    assert differences(read_bars(settings, tape.avro), expected) == []


def test_a_damaged_batch_that_says_that_it_ends_behind_all_that_follows_is_a_dead_letter_too(
    settings: Settings,
) -> None:
    tape = Tape(with_topics(settings))
    write_some(tape, 1, 60)
    write_some(tape, 60, 70)
    write_some(tape, 70, 80)
    tape.clock(200)
    tape.flush()
    begin = next(
        record for record in read(settings, "trades") if tape.avro.read(record.value or b"")[1].get("trade_id") == "60"
    )
    expected = oracles(settings, tape.avro, {(begin.partition, begin.offset + delta) for delta in range(10)})
    damage(settings, begin, LAST_OFFSET_DELTA_AT)
    reason = f"the record batch up to offset {begin.offset + 9} cannot be read: CRC mismatch"
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        (dead,) = read(settings, "trades.dead")
        assert dead.headers == headers_of(settings, (begin.partition, begin.offset), reason)
        assert worker.stop() == 0, worker.log
    assert differences(read_bars(settings, tape.avro), expected) == []


def lags(worker: Worker) -> dict[str, float]:
    """Records between the fold and the end of the log, by partition."""
    partitions = map(str, range(PARTITIONS))
    return {number: worker.counted("livetape_fold_lag_records", partition=number) for number in partitions}


def write_everywhere(tape: Tape, first: int, last: int) -> None:
    """Good trades of instruments of every partition, and their venues' clocks."""
    for number in range(first, last):
        for venue, names in VENUES.items():
            for name in names:
                tape.trade(trade(str(number), f"{number}.5", number, venue=venue, instrument=name))
            tape.clock(number - 5, venue)
    tape.flush()


def test_a_batch_whose_end_cannot_be_told_stops_its_partition_alone_and_behind_all_that_came_before(
    settings: Settings,
) -> None:
    tape = Tape(with_topics(settings))
    write_everywhere(tape, 1, 60)
    write_some(tape, 60, 70)
    write_everywhere(tape, 70, 130)
    begin = next(
        record for record in read(settings, "trades") if tape.avro.read(record.value or b"")[1].get("trade_id") == "60"
    )
    group = Group(settings)
    ends = group.ends()
    behind = {(begin.partition, offset) for offset in range(begin.offset, ends[begin.partition])}
    expected = oracles(settings, tape.avro, dead=behind)
    damage(settings, begin, FORMAT_AT)
    with folding(settings) as worker:
        eventually(lambda: group.committed() == ends | {begin.partition: begin.offset}, lambda: worker.log)
        eventually(lambda: lags(worker) == {str(number): 0.0 for number in ends} | {str(begin.partition): len(behind)})
        assert f"partition {begin.partition} offset {begin.offset}: " in worker.log
        assert worker.stop() == 0, worker.log
    assert differences(read_bars(settings, tape.avro), expected) == []
    assert expected[begin.partition].published
