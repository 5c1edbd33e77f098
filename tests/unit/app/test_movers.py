"""Instruments ranked by their change over an interval of event time."""

import asyncio
import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app import movers as movers_module
from app.api import build_api
from app.bars import Bar, Order, SeriesKey, encode
from app.catalogue import Code, RequestRefused
from app.movers import Direction, Movers, movers_key
from app.partitions import Partition
from app.settings import Settings
from app.status import State, Status
from app.units import SECOND_NS
from app.views import BarView

INTERVALS = ("1s", "5s", "1m", "1h")


def view_of(prices: Mapping[tuple[str, str], Mapping[int, tuple[str, str]]], interval: str = "1s") -> BarView:
    """A view with bars of (open, close) by second, for each (venue, instrument)."""
    view = BarView()
    for (venue, instrument), bars in prices.items():
        for second, (opened, closed) in bars.items():
            order = Order(0, second, committed=True, revision=0)
            bar = Bar(second * SECOND_NS, order, text=encode({"open": opened, "close": closed}))
            view.apply([(SeriesKey(venue, instrument, interval), bar)])
    return view


def ranking(view: BarView, interval: str = "1m", direction: Direction = Direction.BOTH, limit: int = 10) -> list[Any]:
    movers = Movers(view, Status(), INTERVALS).ranked(interval, direction, limit)
    return [(mover.key.instrument, mover.as_json()["change"]) for mover in movers]


FOUR = view_of(
    {
        ("binance", "UP"): {100: ("100", "1"), 130: ("2", "110")},
        ("binance", "DOWN"): {120: ("10", "8")},
        ("binance", "STILL"): {130: ("7", "7")},
        ("kraken", "OLD"): {30: ("3", "3"), 31: ("3", "4")},
    }
)


def test_the_largest_change_comes_first_whichever_way_it_went() -> None:
    assert ranking(FOUR) == [("OLD", "0.333333333333333333"), ("DOWN", "-0.2"), ("UP", "0.1"), ("STILL", "0")]


def test_gainers_and_losers_come_first_when_they_are_asked_for() -> None:
    assert [name for name, _ in ranking(FOUR, direction=Direction.UP)] == ["OLD", "UP", "STILL", "DOWN"]
    assert [name for name, _ in ranking(FOUR, direction=Direction.DOWN, limit=2)] == ["DOWN", "STILL"]


def test_no_ranking_of_a_part_is_given_while_the_view_is_still_loaded() -> None:
    application = build_api(Settings())
    client = TestClient(application)
    for interval, code in (("1m", "not_ready"), ("7m", "unknown_interval")):
        assert client.get("/api/v1/movers", params={"interval": interval}).json()["error"]["code"] == code
    application.state.services.status.set(State.READY)
    assert client.get("/api/v1/movers", params={"interval": "1m"}).json() == {"interval": "1m", "movers": []}


def test_no_ranking_is_given_of_an_interval_that_reaches_back_to_bars_which_were_not_read() -> None:
    view, status = view_of({("v", "A"): {100: ("1", "2"), 159: ("1", "2")}}), Status()
    movers = Movers(view, status, INTERVALS)
    status.set_unread(Partition("bars", 0, 4), before=50)
    movers.check_whole("1m")  # of another topic
    status.set_unread(Partition("bars.1s", 1, 4), before=50)
    with pytest.raises(RequestRefused, match=Code.NO_DATABASE):
        movers.check_whole("1m")
    status.set_begin(Partition("bars.1s", 0, 4), "1s", 90 * SECOND_NS)
    status.set_begin(Partition("bars.1s", 1, 4), "1s", 101 * SECOND_NS)
    with pytest.raises(RequestRefused, match=Code.NO_DATABASE):
        movers.check_whole("1m")
    movers.check_whole("5s")
    view.apply(
        [(SeriesKey("v", "A", "1s"), Bar(160 * SECOND_NS, Order(0, 160, committed=True, revision=0), text="{}"))]
    )
    movers.check_whole("1m")


def test_of_a_venue_that_stands_still_instruments_whose_bars_were_not_all_read_are_left_out() -> None:
    partition, keys = Partition("bars.1s", 1, 4), [SeriesKey("w", name, "1s") for name in "BF"]
    assert [partition.has(key) for key in keys] == [False, True]
    stood = {("w", name): {159: ("1", "9")} for name in "BF"}
    view, status = view_of({("v", "A"): {100: ("1", "2"), 160: ("1", "3")}} | stood), Status()
    movers = Movers(view, status, INTERVALS)
    status.set_unread(partition, before=50)
    status.set_begin(partition, "1s", 101 * SECOND_NS)
    movers.check_whole("1m")
    assert [mover.key.instrument for mover in movers.ranked("1m", Direction.BOTH, 10)] == ["B", "A"]
    assert [mover.key.instrument for mover in movers.ranked("5s", Direction.BOTH, 10)] == ["B", "F", "A"]


def test_an_instrument_that_did_not_trade_within_the_interval_is_left_out() -> None:
    assert ranking(view_of({("v", "A"): {69: ("1", "2")}, ("v", "B"): {129: ("1", "1")}})) == [("B", "0")]
    assert ranking(view_of({("v", "A"): {70: ("1", "2")}, ("v", "B"): {129: ("1", "1")}})) == [("A", "1"), ("B", "0")]


def test_bars_whose_trades_were_all_cancelled_have_no_price() -> None:
    view = view_of({("v", "A"): {70: ("0", "0"), 80: ("1", "2"), 90: ("0", "0")}, ("v", "B"): {90: ("0", "0")}})
    assert ranking(view) == [("A", "1")]


def test_an_hour_is_made_of_the_finest_bars_whose_ring_reaches_so_far() -> None:
    view = view_of({("v", "A"): {0: ("1", "1"), 3540: ("2", "3")}}, "1m")
    assert ranking(view, "1h") == [("A", "2")]


@pytest.mark.parametrize("interval", ["7m", "5s/1s"])
def test_an_interval_that_is_none_or_whose_windows_overlap_is_refused(interval: str) -> None:
    movers, listener = Movers(FOUR, Status(), ("1s", "5s/1s")), Listener()
    with pytest.raises(RequestRefused, match="these are 1s"):
        movers.subscribe(interval, listener)


def later(second: int, opened: str, closed: str) -> Bar:
    return Bar(
        second * SECOND_NS, Order(0, second, committed=True, revision=0), text=encode({"open": opened, "close": closed})
    )


def test_a_ranking_serves_all_who_ask_within_the_period_and_reads_no_bar_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr(movers_module, "monotonic", lambda: now_s)
    view = view_of({("v", "A"): {5: ("1", "2")}, ("v", "B"): {5: ("4", "2")}})
    movers = Movers(view, Status(), INTERVALS)
    before = movers.ranked("1m", Direction.BOTH, 10)
    now_s += 0.99
    with monkeypatch.context() as patched:
        patched.setattr(Bar, "text", property(lambda _: pytest.fail("a bar is read")))
        assert movers.ranked("1m", Direction.BOTH, 10) == before
        assert movers.ranked("1m", Direction.DOWN, 1) == [before[1]]
        assert json.loads(movers.subscribe("1m", Listener()))["movers"] == [mover.as_json() for mover in before]
    view.apply([(SeriesKey("v", "A", "1s"), later(6, "2", "9"))])
    now_s += 0.01
    assert [mover.as_json()["close"] for mover in movers.ranked("1m", Direction.BOTH, 1)] == ["9"]


amounts = st.sampled_from(["0", "1", "2.5", "3", "40"])
venues = st.tuples(st.sampled_from("vw"), st.sampled_from("ABC"))
tapes = st.dictionaries(
    venues, st.dictionaries(st.integers(0, 130), st.tuples(amounts, amounts), max_size=8), max_size=6
)


@given(tapes, st.sampled_from(["1s", "5s", "1m"]), st.sampled_from(Direction))
def test_movers_are_those_of_all_bars_looked_at_one_by_one(tape: Any, interval: str, direction: Direction) -> None:
    length = {"1s": 1, "5s": 5, "1m": 60}[interval]
    expected = []
    for (venue, name), bars in tape.items():
        newest = max((second for (other, _), theirs in tape.items() if other == venue for second in theirs), default=0)
        within = [bars[second] for second in sorted(bars) if newest - length < second]
        opens = [Fraction(opened) for opened, _ in within if opened != "0"]
        closes = [Fraction(closed) for _, closed in within if closed != "0"]
        if opens and closes:
            expected.append((venue, name, opens[0], closes[-1]))
    sizes: dict[Direction, Callable[[Fraction], Fraction]]
    sizes = {Direction.BOTH: abs, Direction.UP: lambda change: change, Direction.DOWN: lambda change: -change}
    size = sizes[direction]
    expected.sort(key=lambda mover: (-size(mover[3] / mover[2] - 1), *mover[:2]))
    ranked = Movers(view_of(tape), Status(), INTERVALS).ranked(interval, direction, 10)
    assert [(*each.key[:2], Fraction(each.open, 10**18), Fraction(each.close, 10**18)) for each in ranked] == expected


prices = st.integers(1, 10**30).map(lambda unscaled: f"{unscaled // 10**18}.{unscaled % 10**18:018}")


@given(prices, prices)
def test_the_change_is_exact_to_its_last_place(opened: str, closed: str) -> None:
    ((_, change),) = ranking(view_of({("v", "A"): {5: (opened, closed)}}))
    first, last, shown = Fraction(opened), Fraction(closed), Fraction(change)
    assert abs(shown - (last - first) / first) <= Fraction(1, 2 * 10**18)


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[SeriesKey, Any]] = []

    def bar_changed(self, key: SeriesKey, start_ns: int, message: str) -> None:
        assert start_ns == 0
        self.heard.append((key, json.loads(message)))


def test_listeners_hear_of_a_change_once_and_of_none_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movers_module, "PERIOD_S", 0)
    view = view_of({("v", "A"): {5: ("1", "1")}})
    movers, listener = Movers(view, Status(), INTERVALS), Listener()
    first = json.loads(movers.subscribe("1m", listener))
    assert (first["type"], [each["change"] for each in first["movers"]]) == ("movers", ["0"])
    later = Bar(6 * SECOND_NS, Order(0, 6, committed=True, revision=0), text=encode({"open": "1", "close": "2"}))
    view.apply([(SeriesKey("v", "A", "1s"), later)])
    movers._tell("1m")
    movers._tell("1m")
    ((key, told),) = listener.heard
    assert (key, [each["change"] for each in told["movers"]]) == (movers_key("1m"), ["1"])


async def test_others_have_their_turn_between_two_rankings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movers_module, "PERIOD_S", 0)
    came: list[str] = []
    came_all = asyncio.Event()

    def another() -> None:
        came.append("another")
        if len(came) == 4:
            came_all.set()

    class Noting(Listener):
        def bar_changed(self, key: SeriesKey, start_ns: int, message: str) -> None:
            super().bar_changed(key, start_ns, message)
            came.append(key.interval)
            asyncio.get_running_loop().call_soon(another)

    movers = Movers(FOUR, Status(), INTERVALS)
    for interval in ("5s", "1m"):
        movers.subscribe(interval, Noting())
    running = asyncio.create_task(movers.run())
    async with asyncio.timeout(60):
        await came_all.wait()
    running.cancel()
    assert came == ["5s", "another", "1m", "another"]


def test_a_ranking_that_is_again_as_it_was_told_is_told_after_another_one_was_shown_to_who_came_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(movers_module, "PERIOD_S", 0)
    movers, early, late = Movers(BarView(), Status(), INTERVALS), Listener(), Listener()
    movers.subscribe("1m", early)
    movers._tell("1m")
    movers._view = view_of({("v", "A"): {5: ("1", "1")}})
    assert json.loads(movers.subscribe("1m", late))["movers"]
    movers._view = BarView()
    movers._tell("1m")
    assert [told["movers"] for _, told in late.heard] == [[]]
