"""What each topic of the fold holds: keys, partitions, forming bars, late trades, the changelog."""

from decimal import Decimal

from app.settings import Settings
from app.units import SECOND_NS
from tests.integration.api_kit import eventually
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
from tests.integration.fold_oracle import BarKey, Fields, differences

INTERVALS = ("1s", "5s", "1m")


def latest_live(settings: Settings, tape: Tape) -> dict[BarKey, Fields]:
    """The forming bars in the last record of each instrument on `bars.live`."""
    last = {record.key: record.value for record in read(settings, "bars.live")}
    records = [tape.avro.read(value or b"")[1] for value in last.values()]
    return {
        BarKey(live["venue"], live["instrument"], bar["interval"], bar["start_ns"]): bar
        for live in records
        for bar in live["bars"]
    }


def test_forming_bars_come_on_bars_live_as_trades_change_them_and_again_after_a_restart(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    for number in range(1, 21):
        tape.trade(trade(str(number), f"10{number % 3}", 30 + number / 4))
        tape.trade(trade(str(number), "7.000000000000000001", 30 + number / 4, venue="kraken"))
    tape.flush()
    expected = {key: bar for oracle in oracles(settings, tape.avro) for key, bar in oracle.forming().items()}
    assert {key.interval for key in expected} == set(settings.intervals)

    def is_shown() -> bool:
        shown = latest_live(settings, tape)
        return shown.keys() == expected.keys() and all(
            {name: bar[name] for name in expected[key]} == expected[key] for key, bar in shown.items()
        )

    with folding(settings) as worker:
        eventually(is_shown, lambda: f"{latest_live(settings, tape)}\nexpected {expected}\n{worker.log}")
        wait_until_flushed(settings, worker)
        worker.stop()
    sent = len(read(settings, "bars.live"))
    with folding(settings) as worker:
        eventually(lambda: len(read(settings, "bars.live")) == sent + 2, lambda: worker.log)
    assert is_shown()


def test_a_late_trade_revises_its_bars_within_the_horizon_and_goes_to_late_beyond_it(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    tape.trade(trade("1", "100", 10))
    tape.clock(70)
    tape.trade(trade("2", "110", 11))
    tape.trade(trade("3", "90", 10.5))
    tape.clock(10 + 900)
    tape.trade(trade("4", "120", 10.9))  # its second begins exactly one horizon before the clock
    tape.clock(10 + 901)
    tape.trade(trade("5", "130", 10.95))
    tape.flush()
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
        assert worker.counted("livetape_fold_late_total") == 1
    (late,) = read(settings, "late")
    assert late.key == b"binance:BTC-USDT"
    assert late.value == tape.avro.write("Trade", trade("5", "130", 10.95))
    bars = read_bars(settings, tape.avro)
    minute = [bar for bar in bars if bar["interval"] == "1m"][-1]
    assert (minute["start_ns"], minute["state"], minute["revision"]) == (START_NS, "revised", 3)
    assert [minute[name] for name in ("open", "high", "low", "close")] == [100, 120, 90, 120]
    assert (minute["volume"], minute["notional"], minute["trade_count"]) == (Decimal(2), Decimal(210), 4)
    assert differences(bars, oracles(settings, tape.avro)) == []


def test_outputs_copy_the_partition_of_their_trades_and_name_the_bar_in_the_key(settings: Settings) -> None:
    tape = Tape(with_topics(settings))
    for number in range(12):
        for second in (1, 5):
            tape.trade(trade(str(second), "5", second, instrument=f"I{number}-USD"))
    tape.clock(400)
    tape.flush()
    home = {record.key: record.partition for record in read(settings, "trades") if record.key != b"binance"}
    assert len(set(home.values())) > 1
    with folding(settings) as worker:
        wait_until_flushed(settings, worker)
    for topic, intervals in (("bars.1s", {"1s"}), ("bars", {"5s", "1m", "5m"})):
        records = read(settings, topic)
        bars = [tape.avro.read(record.value or b"")[1] for record in records]
        assert {bar["interval"] for bar in bars} == intervals
        for record, bar in zip(records, bars, strict=True):
            series = f"binance:{bar['instrument']}"
            assert record.key == f"{series}:{bar['interval']}:{bar['start_ns']}".encode()
            assert record.partition == bar["partition"] == home[series.encode()]


def test_the_changelog_forgets_bars_and_ids_that_no_trade_can_touch_any_more(settings: Settings) -> None:
    short = with_topics(settings).model_copy(update={"horizon_ns": 10 * SECOND_NS, "intervals": INTERVALS})
    tape = Tape(short)
    for number in range(1, 50):
        tape.trade(trade(str(number), "5", number))
    tape.flush()
    with folding(short) as worker:
        wait_until_flushed(short, worker)
        tape.clock(1_000)
        tape.flush()
        wait_until_flushed(short, worker)
    last = {record.key: record.value for record in read(short, "fold-bars-changelog")}
    assert len(last) > 10
    last_ids = b"\1I\x0ebinance\x10BTC-USDT\0\4\0"  # stays: what is missing before the next trade is told by it
    assert {key for key, value in last.items() if value is not None} == {b"\1P", b"\1L", b"\1T", b"\1R", last_ids}
    assert differences(read_bars(short, tape.avro), oracles(short, tape.avro)) == []
