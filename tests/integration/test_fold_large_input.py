"""Input that is larger than any of every day: it costs what it costs, and loses nothing."""

from decimal import Decimal
from pathlib import Path

from app.settings import Settings
from tests.integration.api_kit import WAIT_S, eventually
from tests.integration.fold_kit import (
    START_NS,
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

TEN_MB = 10_000_000
INSTRUMENTS = 100_000
MOST_MIB = 800
"""For a worker whose every instrument has six bars that form, an id and a record of each in one flush."""


def peak_mib(worker: Worker) -> float:
    """The most memory that it had so far: VmHWM of proc(5), in MiB."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def test_messages_of_10_mb_of_every_codec_are_dead_letters_and_their_neighbours_are_folded(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    header = tape.avro.write("Trade", trade("1", "1", 1))[:5]
    large = {codec: header + codec.encode() * (TEN_MB // 4) for codec in ("none", "gzip", "snap", "lz4s", "zstd")}
    for number, (codec, value) in enumerate(large.items()):
        tape.trade(trade(str(number), "5.5", number))
        tape.flush()
        name = {"snap": "snappy", "lz4s": "lz4"}.get(codec, codec)
        bulky = Tape(settings, **{"compression.type": name, "message.max.bytes": TEN_MB + 100_000})
        bulky.raw(value)
        bulky.flush()
    tape.trade(trade("99", "6.5", 99))
    tape.clock(600)
    tape.flush()
    places = {record.value: (record.partition, record.offset) for record in read(settings, "trades")}
    expected = oracles(settings, tape.avro, dead=[places[value] for value in large.values()])
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        dead = read(settings, "trades.dead")
        assert [record.value for record in dead] == [value[:900_000] for value in large.values()]
        assert [record.headers["value_bytes"] for record in dead] == [
            str(len(value)).encode() for value in large.values()
        ]
        assert {record.headers["reason"] for record in dead} == {b"the record is larger than 900000 bytes"}
    assert differences(read_bars(settings, tape.avro), expected) == []


def test_a_hundred_thousand_new_instruments_in_a_minute_each_have_their_bars(settings: Settings) -> None:
    tape = Tape(with_topics(settings), **{"queue.buffering.max.messages": 2 * INSTRUMENTS, "linger.ms": 50})
    for number in range(INSTRUMENTS):
        at_s = number * 59 / INSTRUMENTS
        tape.trade(trade("1", f"{number + 1}.25", at_s, instrument=f"X{number}-USDT"))
    tape.clock(61)
    tape.flush()
    with folding(settings) as worker:
        group = Group(settings)
        eventually(
            group.has_flushed_all, lambda: f"{group.committed()} of {group.ends()}\n{worker.log}", within_s=4 * WAIT_S
        )
        assert worker.counted("livetape_fold_trades_total") == INSTRUMENTS
        assert worker.counted("livetape_fold_dead_letters_total") == 0
        assert peak_mib(worker) < MOST_MIB
    bars = (tape.avro.read(record.value or b"")[1] for record in read(settings, "bars"))
    minutes = [bar for bar in bars if bar["interval"] == "1m"]
    assert {bar["start_ns"] for bar in minutes} == {START_NS}
    assert sorted((bar["instrument"], bar["close"], bar["volume"], bar["revision"]) for bar in minutes) == sorted(
        (f"X{number}-USDT", Decimal(f"{number + 1}.25"), Decimal("0.5"), 0) for number in range(INSTRUMENTS)
    )
