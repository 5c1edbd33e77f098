"""What a slow reader gets."""

import json

from app.bars import Instrument, SeriesKey
from app.websocket.outbox import MAX_ENTRIES, MAX_TRADES, ROOM, Outbox

BARS = SeriesKey("binance", "BTC-USDT", "1m")
TRADES = Instrument("binance", "BTC-USDT")


def drained(outbox: Outbox) -> list[str]:
    messages = []
    while (message := outbox.take()) is not None:
        messages.append(message)
    return messages


def test_messages_leave_in_the_order_they_came() -> None:
    outbox = Outbox()
    outbox.put("hello")
    outbox.put_bar(BARS, 1, "bar")
    outbox.put_trade(TRADES, "trade")
    outbox.put("pong")
    assert drained(outbox) == ["hello", "bar", "trade", "pong"]


def test_of_a_bar_not_sent_yet_only_the_newest_version_stays() -> None:
    outbox = Outbox()
    for version in ("1 old", "2 only", "1 new"):
        outbox.put_bar(BARS, int(version[0]), version)
    assert drained(outbox) == ["1 new", "2 only"]
    assert outbox.conflated == 1


def test_skipped_trades_are_the_oldest_and_their_number_is_told_first() -> None:
    outbox = Outbox()
    for number in range(MAX_TRADES + 3):
        outbox.put_trade(TRADES, str(number))
    told, *rest = drained(outbox)
    assert json.loads(told) == {"type": "skipped", "channel": "trades", **TRADES._asdict(), "count": 3}
    assert rest == [str(number) for number in range(3, MAX_TRADES + 3)]
    assert outbox.skipped == 3


def test_a_forgotten_series_leaves_the_others() -> None:
    outbox = Outbox()
    outbox.put_bar(BARS, 1, "gone")
    outbox.put_bar(BARS._replace(interval="5m"), 1, "stays")
    outbox.forget(BARS)
    assert drained(outbox) == ["stays"]


def test_replies_wait_for_room_while_much_is_unsent() -> None:
    outbox = Outbox()
    for number in range(ROOM):
        outbox.put(str(number))
    assert not outbox.room.is_set()
    outbox.take()
    assert outbox.room.is_set()


def test_a_reply_waits_for_no_bar_and_no_trade() -> None:
    outbox = Outbox()
    for number in range(MAX_TRADES):
        outbox.put_bar(BARS, number, "bar")
        outbox.put_trade(TRADES, "trade")
    assert outbox.room.is_set()
    for number in range(ROOM):
        outbox.put(str(number))
    assert not outbox.room.is_set()
    for _ in range(2 * MAX_TRADES):
        outbox.take()
    assert not outbox.room.is_set()
    outbox.take()
    assert outbox.room.is_set()


def test_more_bars_than_are_ever_read_is_the_last_resort() -> None:
    outbox = Outbox()
    for start in range(MAX_ENTRIES):
        outbox.put_bar(BARS, start, "bar")
    assert not outbox.is_over_full
    outbox.put("one more")
    assert outbox.is_over_full


def test_ready_says_whether_something_waits() -> None:
    outbox = Outbox()
    assert not outbox.ready.is_set()
    outbox.put("x")
    assert outbox.ready.is_set()
    outbox.take()
    assert not outbox.ready.is_set()
