"""The simulated exchanges' candles."""

from decimal import Decimal

from app.units import MINUTE_NS
from replay.candles import Candles, SimulatedCandle, newest_first
from replay.trade import SimulatedTrade


def trade(minute: int, price: str, size: str = "0.5", after_ns: int = 0) -> SimulatedTrade:
    return SimulatedTrade("BTC-USDT", 1, price, size, "buy", minute * MINUTE_NS + after_ns)


def candle(minute: int, prices: str, volume: str, trades: int) -> SimulatedCandle:
    opened, high, low, close = map(Decimal, prices.split())
    return SimulatedCandle(minute * MINUTE_NS, opened, high, low, close, Decimal(volume), trades)


def test_a_minute_is_summed_up_from_its_first_nanosecond_to_its_last() -> None:
    candles = Candles()
    for one in (
        trade(5, "3", after_ns=0),
        trade(5, "7", "0.25"),
        trade(5, "1"),
        trade(5, "2", after_ns=MINUTE_NS - 1),
        trade(6, "9"),
    ):
        candles.add(one)
    first, second = candle(5, "3 7 1 2", "1.75", 4), candle(6, "9 9 9 9", "0.5", 1)
    assert candles.of("BTC-USDT", 0) == [first, second]
    assert candles.of("BTC-USDT", 5 * MINUTE_NS, 5 * MINUTE_NS) == [first]
    assert candles.of("BTC-USDT", 5 * MINUTE_NS + 1) == [second]
    assert candles.of("ETH-USDT", 0) == []
    assert newest_first([first, second], 1) == [second]


def test_minutes_open_at_the_close_before_them_where_a_venue_tells_them_so() -> None:
    candles = Candles()
    for one in (trade(5, "3"), trade(5, "4"), trade(6, "7"), trade(6, "5"), trade(9, "8"), trade(9, "6")):
        candles.add(one)
    minutes = [candle(5, "3 4 3 4", "1", 2), candle(6, "4 7 4 5", "1", 2), candle(9, "5 8 5 6", "1", 2)]
    assert candles.from_last_close("BTC-USDT", 0, 9 * MINUTE_NS) == minutes
    assert candles.from_last_close("BTC-USDT", 6 * MINUTE_NS, 8 * MINUTE_NS) == minutes[1:2]
    assert candles.from_last_close("ETH-USDT", 0, 9 * MINUTE_NS) == []


def test_minutes_without_trades_carry_the_close_before_them_where_a_venue_tells_them() -> None:
    candles = Candles()
    candles.add(trade(5, "3"))
    candles.add(trade(8, "4"))
    empty = [candle(minute, "3 3 3 3", "0", 0) for minute in (6, 7)]
    assert candles.filled("BTC-USDT", 6 * MINUTE_NS) == [*empty, candle(8, "4 4 4 4", "0.5", 1)]
    assert candles.filled("BTC-USDT", 0)[0] == candle(5, "3 3 3 3", "0.5", 1)
