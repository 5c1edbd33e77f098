"""Which update covers which trade, and how long that took."""

from app.units import MILLISECOND_NS, SECOND_NS
from bench.flow_times import first_covering, percentiles

SENT = {("BTC-USDT", 1): 10, ("BTC-USDT", 2): 20, ("BTC-USDT", 3): 30, ("ETH-USDT", 2): 15}


def test_a_trade_is_covered_by_the_first_update_that_reaches_its_id() -> None:
    updates = [("BTC-USDT", 0, 11), ("BTC-USDT", 2, 25), ("ETH-USDT", 9, 26), ("BTC-USDT", 2, 27), ("BTC-USDT", 3, 40)]
    assert first_covering(updates, SENT) == {
        ("BTC-USDT", 1): 25,
        ("BTC-USDT", 2): 25,
        ("BTC-USDT", 3): 40,
        ("ETH-USDT", 2): 26,
    }


def test_a_trade_that_no_update_reaches_is_missing() -> None:
    assert first_covering([("BTC-USDT", 1, 11)], SENT) == {("BTC-USDT", 1): 11}


def test_percentiles_are_of_the_time_since_the_trade_was_sent() -> None:
    sent = {("BTC-USDT", number): number * SECOND_NS for number in range(200)}
    heard = {key: sent_ns + key[1] * MILLISECOND_NS for key, sent_ns in sent.items() if key[1] < 100}
    assert percentiles("x", sent, heard) == {"x_trades": 100, "x_p50_ms": 50.0, "x_p99_ms": 99.0}


def test_of_nothing_heard_there_are_no_percentiles() -> None:
    assert percentiles("x", SENT, {}) == {"x_trades": 0, "x_p50_ms": None, "x_p99_ms": None}
