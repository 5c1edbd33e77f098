"""The view's order rules against a plain oracle, and what listeners are told."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bars import Bar, SeriesKey
from app.partitions import Partition, Position
from app.units import MINUTE_NS
from app.views import BarView

KEY = SeriesKey("binance", "BTC-USDT", "1m")
DEPTH = 4


def raw(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True)


def fields(start: int, *, seq: int, generation: int = 0, revision: int = 0, price: int = 100) -> dict[str, Any]:
    unit = 10**18
    return {
        "venue": KEY.venue,
        "instrument": KEY.instrument,
        "interval": KEY.interval,
        "start_ns": start * MINUTE_NS,
        "state": "revised" if revision else "final",
        "revision": revision,
        **dict.fromkeys(("open", "high", "low", "close"), raw(price * unit)),
        "volume": raw(2 * unit),
        "buy_volume": raw(unit),
        "sell_volume": raw(unit // 2),
        "notional": raw(2 * price * unit * unit),
        "squared_returns": raw(2 * 10**24),
        "trade_count": 1,
        "missing": 0,
        "seq": seq,
        "first_trade_id": "1",
        "last_trade_id": "1",
        "epoch": "log-0",
        "generation": generation,
    }


def final(start: int, **how: int) -> Bar:
    return Bar.committed(fields(start, **how))


def forming(start: int, **how: int) -> Bar:
    values = fields(start, **how)
    return Bar.forming(values, values)


@pytest.mark.parametrize("wrong", [{"notional": b"\x7f" + bytes(2_000)}, {"squared_returns": raw(-1)}])
def test_a_bar_whose_amounts_cannot_be_written_is_refused_before_anybody_asks_for_it(wrong: dict[str, bytes]) -> None:
    values = fields(0, seq=1) | wrong
    with pytest.raises(ValueError, match=r"amount|negative"):
        Bar.forming(values, values)
    with pytest.raises(ValueError, match=r"amount|negative"):
        Bar.committed(values)


class Heard:
    """A listener that keeps what it was told."""

    def __init__(self) -> None:
        self.bars: list[Mapping[str, Any]] = []

    def bar_changed(self, key: SeriesKey, start_ns: int, message: str) -> None:
        update = json.loads(message)
        assert (update["type"], update["channel"], update["interval"]) == ("update", "bars", key.interval)
        assert update["bar"]["start_ns"] == str(start_ns)
        self.bars.append(update["bar"])


def snapshot(view: BarView) -> list[Mapping[str, Any]]:
    bars: list[Mapping[str, Any]] = json.loads(view.subscribe(KEY, Heard()) or "")["bars"]
    return bars


def rank(bar: Mapping[str, Any], generation: int) -> tuple[int, int, bool, int]:
    return generation, bar["seq"], bar["state"] != "forming", bar["revision"]


versions = st.tuples(
    st.integers(0, 8), st.integers(0, 5), st.integers(0, 1), st.integers(0, 2), st.booleans(), st.integers(1, 1_000)
)


@given(st.lists(versions, max_size=40))
def test_the_ring_holds_the_newest_version_of_each_of_the_newest_bars(
    offered: list[tuple[int, int, int, int, bool, int]],
) -> None:
    view = BarView(depth=DEPTH)
    newest: dict[int, tuple[tuple[int, int, bool, int], int]] = {}
    for start, seq, generation, revision, is_final, price in offered:
        bar = final(start, seq=seq, generation=generation, revision=revision, price=price)
        if not is_final:
            bar = forming(start, seq=seq, generation=generation, price=price)
        view.apply([(KEY, bar)])
        order = (generation, seq, is_final, revision if is_final else 0)
        if start not in newest and len(newest) == DEPTH:
            if start < min(newest):
                continue
            del newest[min(newest)]
        if start not in newest or order > newest[start][0]:
            newest[start] = (order, price)
    assert [(int(bar["start_ns"]) // MINUTE_NS, bar["open"]) for bar in snapshot(view)] == [
        (start, str(newest[start][1])) for start in sorted(newest)
    ]


@given(st.lists(versions, max_size=40), st.integers(0, 40))
def test_a_snapshot_and_its_updates_make_what_a_later_snapshot_shows(
    offered: list[tuple[int, int, int, int, bool, int]], joined: int
) -> None:
    view, client = BarView(depth=100), Heard()
    bars = [
        final(start, seq=seq, generation=generation, revision=revision, price=price)
        if is_final
        else forming(start, seq=seq, generation=generation, price=price)
        for start, seq, generation, revision, is_final, price in offered
    ]
    view.apply((KEY, bar) for bar in bars[:joined])
    shown = {bar["start_ns"]: bar for bar in json.loads(view.subscribe(KEY, client) or "")["bars"]}
    view.apply((KEY, bar) for bar in bars[joined:])
    shown |= {bar["start_ns"]: bar for bar in client.bars}
    assert sorted(shown.values(), key=lambda bar: int(bar["start_ns"])) == snapshot(view)


def test_at_an_equal_seq_a_final_bar_beats_a_forming_one_whichever_comes_first() -> None:
    one, other = BarView(), BarView()
    one.apply([(KEY, forming(1, seq=7, price=1)), (KEY, final(1, seq=7, price=2))])
    other.apply([(KEY, final(1, seq=7, price=2)), (KEY, forming(1, seq=7, price=1))])
    assert [bar["state"] for bar in snapshot(one)] == ["final"]
    assert snapshot(one) == snapshot(other)


def test_the_same_version_is_told_once() -> None:
    view, client = BarView(), Heard()
    view.subscribe(KEY, client)
    view.apply([(KEY, forming(1, seq=7)), (KEY, forming(1, seq=7)), (KEY, forming(1, seq=6))])
    assert [bar["seq"] for bar in client.bars] == [7]


def test_a_reset_outranks_a_higher_seq_of_before() -> None:
    view = BarView()
    view.apply([(KEY, final(1, seq=900, price=1)), (KEY, final(1, seq=3, generation=1, price=2))])
    assert [bar["open"] for bar in snapshot(view)] == ["2"]


def test_a_revision_of_a_bar_older_than_the_ring_is_told_but_not_kept() -> None:
    view, client = BarView(depth=2), Heard()
    view.apply((KEY, final(start, seq=start)) for start in (5, 6))
    view.subscribe(KEY, client)
    view.apply([(KEY, final(1, seq=9, revision=1))])
    assert [bar["state"] for bar in client.bars] == ["revised"]
    assert [int(bar["start_ns"]) // MINUTE_NS for bar in snapshot(view)] == [5, 6]


def test_a_series_that_begins_late_holds_nothing_before_the_first_bar_that_becomes_final() -> None:
    view, client = BarView(), Heard()
    view.apply((KEY, final(start, seq=start)) for start in (0, 1, 2))
    view.begin_late(Partition("bars", 0, 1))
    view.subscribe(KEY, client)
    view.apply([(KEY, final(3, seq=8, revision=1)), (KEY, forming(4, seq=9)), (KEY, forming(9, seq=9))])
    assert [(bar["seq"], bar["state"]) for bar in snapshot(view)] == [(9, "forming"), (9, "forming")]
    view.apply([(KEY, final(5, seq=10)), (KEY, final(2, seq=11, revision=1)), (KEY, final(6, seq=12))])
    assert [int(bar["start_ns"]) // MINUTE_NS for bar in snapshot(view)] == [5, 6, 9]
    assert [(int(bar["start_ns"]) // MINUTE_NS, bar["state"]) for bar in client.bars] == [
        (3, "revised"),
        (4, "forming"),
        (9, "forming"),
        (5, "final"),
        (2, "revised"),
        (6, "final"),
    ]


def test_series_of_other_topics_go_on_and_new_ones_of_a_topic_begin_late_as_well() -> None:
    view = BarView()
    seconds = KEY._replace(interval="1s")
    view.apply([(seconds, final(1, seq=1))])
    view.begin_late(Partition("bars", 0, 1))
    view.apply([(KEY, final(1, seq=2, revision=1)), (seconds, final(2, seq=3, revision=1))])
    kept = {series.key.interval: series.newest_ns for series in view.all_series()}
    assert kept == {"1m": None, "1s": 2 * MINUTE_NS}


def test_series_of_other_partitions_keep_what_is_stored_of_them() -> None:
    view = BarView()
    partition = Partition("bars", 1, 4)
    keys = [KEY._replace(instrument=f"{number}-USDT") for number in range(40)]
    view.apply((key, final(1, seq=1)) for key in keys[:20])
    view.begin_late(partition)
    view.apply((key, final(1, seq=2, revision=1)) for key in keys)
    kept = {series.key for series in view.all_series() if series.newest_ns is not None}
    assert kept == {key for key in keys if not partition.has(key)}
    assert 0 < len(kept) < len(keys)


def test_a_range_is_cut_to_the_newest_of_its_bars() -> None:
    view = BarView()
    view.apply((KEY, final(start, seq=start)) for start in range(10))
    series = view.series(KEY)
    assert series is not None
    assert [bar.start_ns // MINUTE_NS for bar in series.between(2 * MINUTE_NS, 8 * MINUTE_NS, 3)] == [5, 6, 7]


def test_after_unsubscribing_nothing_more_is_told() -> None:
    view, client = BarView(), Heard()
    view.subscribe(KEY, client)
    view.unsubscribe(KEY, client)
    view.apply([(KEY, forming(1, seq=7))])
    assert client.bars == []


def test_series_beyond_the_bound_are_counted_and_left_out() -> None:
    view = BarView(max_series=1)
    other = KEY._replace(instrument="ETH-USDT")
    view.apply([(KEY, forming(1, seq=7)), (other, forming(1, seq=8))])
    assert (view.left_out, view.series(other)) == (1, None)
    assert view.subscribe(other, Heard()) is None
    assert view.left_out == 1


def test_how_far_the_log_was_read_is_kept_of_the_series_that_are_held_alone() -> None:
    view = BarView(max_series=1)
    other, position = KEY._replace(instrument="ETH-USDT"), Position(Partition("bars", 0, 1), 8)
    view.apply([(KEY, final(1, seq=7)), (other, final(1, seq=8))], {KEY: position, other: position})
    view.apply([(KEY, forming(2, seq=9))])
    assert {series.key: series.read_up_to for series in view.all_series()} == {KEY: position}


def test_series_that_are_subscribed_to_before_their_first_bar_take_no_room_from_others_and_have_their_own() -> None:
    view, client = BarView(max_series=2), Heard()
    others = [KEY._replace(instrument=f"{name}-USDT") for name in ("ETH", "SOL")]
    for key in (KEY, others[0]):
        assert json.loads(view.subscribe(key, client) or "")["bars"] == []
    view.apply([(others[0], final(1, seq=1)), (others[1], final(1, seq=2)), (KEY, final(1, seq=3))])
    assert [series.key for series in view.all_series()] == [*others, KEY]
    assert view.left_out == 0
    assert [bar["seq"] for bar in client.bars] == [1, 3]


def test_a_series_that_somebody_awaits_is_there_for_others_though_the_view_is_full() -> None:
    view, other = BarView(max_series=1), Heard()
    view.subscribe(KEY, Heard())
    view.apply([(KEY._replace(instrument="ETH-USDT"), final(1, seq=1))])
    assert view.subscribe(KEY, other) is not None
    view.apply([(KEY, final(1, seq=2))])
    assert [bar["seq"] for bar in other.bars] == [2]


def test_no_more_series_are_awaited_than_may_have_bars() -> None:
    view, client = BarView(max_series=2), Heard()
    keys = [KEY._replace(instrument=f"{name}-USDT") for name in ("ADA", "ETH", "SOL")]
    assert [view.subscribe(key, client) is None for key in keys] == [False, False, True]
    view.apply([(KEY, final(1, seq=1))])
    assert view.series(KEY) is not None
    view.unsubscribe(keys[0], client)
    assert view.subscribe(keys[2], client) is not None


def test_a_series_that_is_awaited_while_its_partition_begins_late_begins_late_itself() -> None:
    view = BarView()
    view.subscribe(KEY, Heard())
    view.begin_late(Partition("bars", 0, 1))
    view.apply([(KEY, final(1, seq=2, revision=1))])
    assert snapshot(view) == []


def test_a_series_that_nobody_awaits_any_more_is_forgotten() -> None:
    view, clients = BarView(), (Heard(), Heard())
    for client in clients:
        view.subscribe(KEY, client)
    view.unsubscribe(KEY, clients[0])
    view.apply([(KEY, final(1, seq=1))])
    assert [bar["seq"] for bar in clients[1].bars] == [1]
    other = KEY._replace(instrument="ETH-USDT")
    view.subscribe(other, clients[0])
    view.unsubscribe(other, clients[0])
    assert view._awaited == {}


def test_instruments_are_known_though_their_series_are_beyond_the_bound() -> None:
    view = BarView(max_series=1)
    other = KEY._replace(instrument="ETH-USDT")
    view.apply([(KEY, forming(1, seq=7)), (other, forming(1, seq=8))])
    assert [instrument.instrument for instrument in view.instruments()] == ["BTC-USDT", "ETH-USDT"]


def test_a_bar_is_written_as_the_contract_says() -> None:
    view = BarView()
    view.apply([(KEY, final(2, seq=41, price=64_000))])
    assert snapshot(view) == [
        {
            "venue": "binance",
            "instrument": "BTC-USDT",
            "interval": "1m",
            "start_ns": "120000000000",
            "open": "64000",
            "high": "64000",
            "low": "64000",
            "close": "64000",
            "volume": "2",
            "buy_volume": "1",
            "sell_volume": "0.5",
            "notional": "128000",
            "squared_returns": "0.0002",
            "vwap": "64000",
            "order_flow_imbalance": "0.333333333333333333",
            "realised_volatility": "0.01414213562373095",
            "trade_count": 1,
            "missing": 0,
            "state": "final",
            "revision": 0,
            "seq": 41,
            "epoch": "log-0.0",
            "first_trade_id": "1",
            "last_trade_id": "1",
        }
    ]
