"""`livetape dead-letters`: what could not be folded is shown byte by byte, and counts once it was mended and sent."""

import json
import os
import subprocess
import sys
from pathlib import Path

from app.settings import Settings
from tests.integration.api_kit import WAIT_S
from tests.integration.fold_kit import (
    START_NS,
    Tape,
    folding,
    oracles,
    read,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import differences


def livetape(settings: Settings, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "dead-letters", *arguments],
        env=os.environ | settings.environment(),
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )


def test_a_dead_letter_that_was_mended_and_sent_again_is_in_its_bar(settings: Settings, tmp_path: Path) -> None:
    tape = Tape(with_topics(settings))
    whole = tape.avro.write("Trade", trade("2", "250", 2))
    tape.trade(trade("1", "100", 1))
    tape.raw(whole + b"\0")
    tape.trade(trade("3", "100", 3))
    tape.flush()
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        listed = livetape(settings, "list")
        assert listed.returncode == 0, listed.stderr
        shown = listed.stdout
        (line,) = livetape(settings, "list", "--json", "--reason", "left over").stdout.splitlines()
        letter = json.loads(line)
        mended = tmp_path / "mended.jsonl"
        mended.write_text(json.dumps(letter | {"value": whole.hex()}))
        sent = livetape(settings, "send", str(mended))
        tape.clock(200)
        tape.flush()
        wait_until_flushed(settings, worker)
    assert "the Avro body has bytes left over" in shown
    assert bytes.fromhex(letter["value"]) == whole + b"\0"
    assert bytes.fromhex(letter["key"]) == b"binance:BTC-USDT"
    assert sent.returncode == 0, sent.stderr
    at = (letter["partition"], letter["offset"])
    assert differences(read_bars(settings, tape.avro), oracles(settings, tape.avro, [at])) == []
    assert any(bar["high"] == 250 for bar in read_bars(settings, tape.avro))


def test_a_trade_whose_instrument_was_mended_goes_to_the_partition_of_that_and_all_else_to_its_own(
    settings: Settings,
) -> None:
    tape = Tape(with_topics(settings))
    tape.trade(trade("1", "100", 1))
    tape.trade(trade("2", "100", 1, instrument="ETH-USDT"))
    tape.flush()
    at = {record.key: record.partition for record in read(settings, "trades")}
    right, wrong = at[b"binance:BTC-USDT"], at[b"binance:ETH-USDT"]
    assert right != wrong
    mended = tape.avro.write("Trade", trade("3", "100", 1))
    clock = tape.avro.write("Clock", {"venue": "binance", "time_ns": START_NS})
    letter = {
        "topic": settings.topic("trades"),
        "partition": wrong,
        "offset": 0,
        "time": "2026-01-01T00:00:00Z",
        "reason": "any",
    }
    of_trade = letter | {"key": b"binance:BTC-USDT".hex(), "value": mended.hex()}
    of_clock = letter | {"key": b"binance".hex(), "value": clock.hex()}
    of_another = json.dumps(of_trade | {"key": b"binance:ETH-USDT".hex()})
    refused = livetape(settings, "send", "-", said=of_another)
    assert refused.returncode == 1
    assert "its value is of binance:BTC-USDT, and its key is another" in refused.stderr
    assert f'put "key": "{of_trade["key"]}" there' in refused.stderr
    sent = livetape(settings, "send", "-", said=f"{json.dumps(of_trade)}\n{json.dumps(of_clock)}\n")
    assert sent.returncode == 0, sent.stderr
    placed = {record.value: record.partition for record in read(settings, "trades")}
    assert (placed[mended], placed[clock]) == (right, wrong)


def test_more_dead_letters_than_the_producer_holds_are_all_sent_in_order(settings: Settings) -> None:
    with_topics(settings)
    letter = {
        "topic": settings.topic("trades"),
        "partition": 0,
        "offset": 5,
        "time": "2026-01-01T00:00:00Z",
        "reason": "any",
        "key": None,
    }
    values = [number.to_bytes(2, "big") for number in range(500)]
    lines = "\n".join(json.dumps(letter | {"value": value.hex()}) for value in values)
    little = settings.model_copy(update={"kafka_client": {"queue.buffering.max.messages": "10"}})
    sent = livetape(little, "send", "-", said=lines)
    assert sent.returncode == 0, sent.stderr
    assert "500 records" in sent.stdout
    assert [record.value for record in read(settings, "trades")] == values


def test_nothing_is_sent_when_one_line_cannot_be(settings: Settings) -> None:
    with_topics(settings)
    good = {
        "topic": settings.topic("trades"),
        "partition": 0,
        "offset": 5,
        "time": "2026-01-01T00:00:00Z",
        "reason": "any",
        "key": "00",
        "value": "00",
    }
    for bad, reason in (
        (good | {"value": "0"}, "line 2"),
        (good | {"topic": "another.trades"}, "not of"),
        (good | {"value_bytes": 2_000_000}, "of its value only the first part of 2000000 bytes was kept"),
        (good | {"key": None, "reason": "the record batch up to offset 6 cannot be read: CRC mismatch"}, "one by one"),
        (good | {"key": None, "reason": "the record batch cannot be read: CRC mismatch"}, "one by one"),
    ):
        refused = livetape(settings, "send", "-", said=f"{json.dumps(good)}\n{json.dumps(bad)}\n")
        assert refused.returncode == 1
        assert reason in refused.stderr
        assert "nothing was sent" in refused.stderr
    tape = Tape(settings)
    assert oracles(settings, tape.avro)[0].published == {}
