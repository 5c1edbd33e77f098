"""Trades in, bars out, through a real worker, broker and registry."""

from decimal import Decimal

import pytest

from app.settings import Settings
from app.units import SECOND_NS
from tests.integration.fold_kit import (
    START_NS,
    Tape,
    folding,
    oracles,
    read_bars,
    trade,
    wait_until_flushed,
    with_topics,
)
from tests.integration.fold_oracle import differences


def write_a_market(tape: Tape) -> None:
    """Two venues, three instruments, a duplicate, a trade that revises, one that is too late."""
    for number in range(1, 121):
        tape.trade(trade(str(number), f"{100 + number % 7}.25", number))
        tape.trade(trade(f"x{number * 7919}", "0.000000000000000001", number, instrument="PEPE-USDT", trade_seq=None))
        tape.trade(trade(str(number), "3000.1", number + 0.5, venue="kraken", instrument="ETH-USD"))
    tape.trade(trade("17", "110.25", 17))
    tape.clock(130)
    tape.clock(130, "kraken")
    tape.trade(trade("121", "999", 65))
    tape.clock(2_000)
    tape.clock(2_000, "kraken")
    tape.trade(trade("122", "1", 200))
    tape.flush()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_bars_of_every_interval_equal_a_plain_decimal_recomputation(settings: Settings, codec: str) -> None:
    tape = Tape(with_topics(settings), **{"compression.type": codec})
    write_a_market(tape)
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        bars = read_bars(settings, tape.avro)
        assert len(bars) > 300
        assert differences(bars, oracles(settings, tape.avro)) == []


def test_a_correction_reads_the_log_again_and_revises_the_bars(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    for number in range(1, 61):
        tape.trade(trade(str(number), "100", number))
    tape.clock(300)
    tape.flush()
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        tape.trade(trade("30", "250", 30, action="correct", refers_to="30"))
        tape.trade(trade("31", "0", 31, action="cancel", refers_to="31"))
        tape.trade(trade("no", "0", 32, action="cancel", refers_to="77777"))
        tape.flush()
        wait_until_flushed(settings, worker)
        bars = read_bars(settings, tape.avro)
    assert differences(bars, oracles(settings, tape.avro)) == []
    last = {(bar["interval"], bar["start_ns"]): bar for bar in bars}
    minute = last["1m", START_NS]
    assert (minute["state"], minute["revision"], minute["high"]) == ("revised", 2, Decimal(250))
    assert (minute["trade_count"], minute["volume"]) == (58, Decimal(29))
    assert last["1s", START_NS + 31 * SECOND_NS]["trade_count"] == 0
