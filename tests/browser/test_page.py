"""The page in Chromium, on a real API over real topics: what was produced is what one sees."""

import itertools
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import zmq
from playwright.sync_api import ViewportSize, expect

from app.settings import Settings
from app.tick_stream.sessions import mark_of_namespace
from app.topic_admin import apply
from app.units import SECOND_NS
from local import ports
from tests.browser.page_kit import MarketPage, browser_page
from tests.integration.api_kit import LOCAL, WAIT_S, Fields, Writer, bar, eventually, text
from tests.integration.sql_kit import Database, trade
from tests.parts import Part, running

ETHER_ON_KRAKEN = {"venue": "kraken", "instrument": "ETH-USD"}
MINUTE_S = 60
RISING = (0x2E, 0xBD, 0x85)
"""The colour of rising prices, in the dark theme."""
PHONE: ViewportSize = {"width": 360, "height": 740}
SEQUENCE = struct.Struct(">16sQ")


@pytest.fixture
def served(settings: Settings) -> Settings:
    """Settings of an API with a port of its own, which a second start of it has too."""
    (port,) = ports.free_ports(1)
    apply(settings)
    return settings.model_copy(update={"api_port": port})


@pytest.fixture
def writer(served: Settings) -> Writer:
    return Writer(served)


@pytest.fixture
def page() -> Iterator[MarketPage]:
    with browser_page() as opened:
        yield opened
        assert opened.errors == []


@contextmanager
def serving(settings: Settings) -> Iterator[Part]:
    """The API, from when it listens."""
    with running("serve", settings) as api:
        eventually(lambda: ports.answers(settings.api_port), lambda: api.printed)
        yield api


@contextmanager
def serving_stored(settings: Settings) -> Iterator[Part]:
    """The API, begun while Postgres answered it in time: a busy one may not, and is then asked for older bars later."""
    while True:
        with serving(settings) as api:
            eventually(lambda: history_of(settings) != "unknown", lambda: api.printed)
            if history_of(settings) == "postgres":
                yield api
                return


def history_of(settings: Settings) -> str:
    """Where the API has its older bars from."""
    return str(LOCAL.get(url(settings, "readyz")).json()["history"])


def store(settings: Settings, bars: int) -> None:
    """Have the sink write so many bars to Postgres, where older ones are asked for."""
    with running("sink", settings) as sink:
        eventually(lambda: Database(settings).count("bar") == bars, lambda: sink.printed)


@contextmanager
def publishing(settings: Settings) -> Iterator[Callable[[bytes], Iterator[int]]]:
    """The bridge's ZeroMQ socket: publishes a trade again and again, as often as the iterator is asked for the next."""
    session = mark_of_namespace(settings.namespace) + b"session"
    with zmq.Context() as context, context.socket(zmq.PUB) as bridge:
        bridge.bind(settings.zmq_data)

        def publish(value: bytes) -> Iterator[int]:
            deadline_s = time.monotonic() + WAIT_S
            for sequence in itertools.count(1):
                assert time.monotonic() < deadline_s, "the trade was never shown"
                bridge.send_multipart([b"binance:BTC-USDT", SEQUENCE.pack(session, sequence), value])
                yield sequence

        yield publish


def url(settings: Settings, query: str = "") -> str:
    return f"http://127.0.0.1:{settings.api_port}/{query}"


def minutes(first: int, last: int) -> list[Fields]:
    """A final bar a minute, each closing at another price."""
    return [bar(minute * MINUTE_S, seq=minute, close=str(100 + minute % 10)) for minute in range(first, last)]


def row(fields: Fields, state: str | None = None) -> list[str]:
    """What the table should say of a bar: prices with the places of the longest one."""
    places = len(text(fields["low"]).partition(".")[2])
    prices = [f"{fields[name]:.{places}f}" for name in ("open", "high", "low", "close")]
    started = datetime.fromtimestamp(fields["start_ns"] // SECOND_NS, UTC)
    revision = f" {fields['revision']}" if fields["revision"] else ""
    return [
        f"{started:%Y-%m-%d %H:%M:%S}",
        *prices,
        text(fields["volume"]),
        "0.666…",
        "105.666666666666666667",
        str(fields["trade_count"]),
        "unknown" if fields["missing"] is None else str(fields["missing"]),
        (state or fields["state"]) + revision,
    ]


def test_bars_are_told_as_they_are_and_a_candle_moves(served: Settings, writer: Writer, page: MarketPage) -> None:
    known = [{**fields, "missing": missing} for fields, missing in zip(minutes(1, 4), (None, 0, 7), strict=True)]
    writer.flush(known)
    writer.live(bar(4 * MINUTE_S, seq=100, close="101"))
    with serving(served):
        page.open(url(served))
        expect(page.legend).to_contain_text("forming")
        expect(page.bars).to_have_count(4)
        assert page.told_bars() == [
            row(bar(4 * MINUTE_S, seq=100, close="101"), "forming"),
            *(row(fields) for fields in reversed(known)),
        ]
        expect(page.connection).to_contain_text(served.namespace)
        expect(page.connection).to_contain_text("live")
        before = page.chart()
        writer.live(bar(4 * MINUTE_S, seq=101, close="109"))
        expect(page.legend).to_contain_text("109.000000000000000000")
        eventually(lambda: page.chart() != before)
        writer.flush([bar(4 * MINUTE_S, seq=102, close="108"), bar(2 * MINUTE_S, seq=102, close="99", revision=1)])
        expect(page.legend).to_contain_text("final")
        expect(page.bars.nth(2)).to_contain_text("revised 1")
        assert page.told_bars()[2] == row(bar(2 * MINUTE_S, seq=102, close="99", revision=1))


def test_the_price_of_a_candle_that_forms_stands_out_on_the_axis(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 4))
    writer.live(bar(4 * MINUTE_S, seq=100, close="101"))
    with serving(served):
        page.open(url(served))
        expect(page.legend).to_contain_text("forming")
        eventually(lambda: page.pixels_of_price_axis(RISING) > 500)


def test_another_series_is_a_choice_away_and_stays_in_the_address(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    ether = bar(0, seq=3, close="7", interval="1h", of=ETHER_ON_KRAKEN)
    writer.flush([*minutes(1, 3), bar(0, seq=2, close="5", of=ETHER_ON_KRAKEN), ether])
    with serving(served):
        page.open(url(served))
        page.page.get_by_label("Venue").select_option("kraken")
        expect(page.page.get_by_label("Instrument")).to_have_value("ETH-USD")
        page.page.get_by_role("button", name="1h").click()
        expect(page.legend).to_contain_text("7.000000000000000000")
        assert page.told_bars() == [row(ether)]
        page.page.reload()
        expect(page.legend).to_contain_text("7.000000000000000000")
        assert "venue=kraken&instrument=ETH-USD&interval=1h" in page.page.url


def test_older_bars_come_as_one_scrolls_back(served: Settings, writer: Writer, page: MarketPage) -> None:
    writer.flush(minutes(1, 1_201))
    store(served, 1_200)
    with serving_stored(served):
        page.open(url(served))
        expect(page.bars).to_have_count(40)
        with page.page.expect_response(lambda answer: "/api/v1/bars" in answer.url) as answered:
            for _ in range(20):
                page.wheel_and_see(-1_000)
        older = answered.value.json()["bars"]
        assert [int(each["start_ns"]) // SECOND_NS for each in older] == [m * MINUTE_S for m in range(1, 701)]


def scroll_back(page: MarketPage, settings: Settings) -> bytes:
    """Go two screens back in a chart of 500 bars; what it looks like then."""
    page.open(url(settings))
    expect(page.bars).to_have_count(40)
    page.chart_group.focus()
    page.press_and_see("PageUp")
    page.press_and_see("PageUp")
    return page.settled_chart()


def test_bars_that_one_scrolled_back_to_stay_where_they_are_however_many_come(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 501))
    with serving(served):
        looked_at = scroll_back(page, served)
        writer.flush(minutes(501, 7_001))
        expect(page.bars.first).to_contain_text(row(minutes(7_000, 7_001)[0])[0])
        assert page.settled_chart() == looked_at


def test_one_who_scrolled_back_sees_the_same_after_an_outage_in_which_many_bars_came(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 501))
    with serving(served) as api:
        looked_at = scroll_back(page, served)
        api.kill()
    writer.flush(minutes(501, 901))
    store(served, 900)
    with serving_stored(served):
        expect(page.bars.first).to_contain_text(row(minutes(900, 901)[0])[0])
        assert page.settled_chart() == looked_at


def test_after_a_restart_of_the_api_no_bar_is_missing_and_none_is_double(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 11))
    with serving(served) as api:
        page.open(url(served))
        expect(page.bars).to_have_count(10)
        api.kill()
    expect(page.connection).to_contain_text("disconnected")
    expect(page.page).to_have_title("disconnected · BTC-USDT · livetape")
    writer.flush(minutes(11, 21))
    with serving(served):
        expect(page.connection).to_contain_text("live")
        expect(page.page).to_have_title("100 · BTC-USDT · livetape")
        expect(page.bars).to_have_count(20)
        assert page.told_bars() == [row(fields) for fields in reversed(minutes(1, 21))]
        drawn = page.settled_chart()
        page.page.reload()
        expect(page.bars).to_have_count(20)
        assert page.settled_chart() == drawn, "the chart differs from one that is loaded anew"


def test_a_market_without_trades_says_so_and_shows_the_first_bar_by_itself(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    with serving(served):
        page.open(url(served))
        expect(page.page.get_by_text("No instrument has traded yet")).to_be_visible()
        writer.flush(minutes(1, 2))
        expect(page.bars).to_have_count(1)


def test_an_instrument_that_has_not_traded_is_named_and_shown_once_it_has(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 3))
    with serving(served):
        page.open(url(served, "?venue=kraken&instrument=ETH-USD&interval=1m"))
        expect(page.problem).to_have_text("kraken ETH-USD has not traded yet. Until it does, this is binance BTC-USDT.")
        expect(page.bars).to_have_count(2)
        writer.flush([bar(MINUTE_S, seq=9, close="5", of=ETHER_ON_KRAKEN)])
        expect(page.page.get_by_label("Instrument")).to_have_value("ETH-USD")
        expect(page.bars).to_have_count(1)
        expect(page.problem).to_be_hidden()


def test_an_unknown_interval_is_told_and_another_shown(served: Settings, writer: Writer, page: MarketPage) -> None:
    writer.flush(minutes(1, 3))
    with serving(served):
        page.open(url(served, "?venue=binance&instrument=BTC-USDT&interval=7m"))
        expect(page.problem).to_have_text("There is no interval 7m: this is 1m.")
        expect(page.bars).to_have_count(2)
        page.page.get_by_role("button", name="5m", exact=True).click()
        expect(page.page.get_by_text("No 5m bars of BTC-USDT yet")).to_be_visible()
        expect(page.problem).to_be_hidden()


def test_many_intervals_make_the_page_no_wider_than_a_phone(served: Settings, writer: Writer, page: MarketPage) -> None:
    writer.flush(minutes(1, 3))
    overlapping = tuple(f"{length}m/1m" for length in (2, 3, 4, 6, 8, 10, 12))
    page.page.set_viewport_size(PHONE)
    with serving(served.model_copy(update={"intervals": served.intervals + overlapping})):
        page.open(url(served))
        expect(page.page.get_by_role("button", name="12m/1m", exact=True)).to_be_in_viewport(ratio=1)
        assert page.page.evaluate("document.documentElement.scrollWidth") == 360


def test_on_a_phone_a_finger_on_the_chart_moves_the_page_and_each_bar_keeps_its_start_in_view(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 31))
    page.page.set_viewport_size(PHONE)
    with serving(served):
        page.open(url(served))
        expect(page.bars).to_have_count(30)
        assert not page.holds_finger(page.chart_group), "the page cannot be scrolled by the chart"
        first = page.bars.first
        first.get_by_role("cell").last.scroll_into_view_if_needed()
        expect(first.get_by_role("cell").last).to_be_in_viewport(ratio=1)
        expect(first.get_by_role("rowheader")).to_be_in_viewport(ratio=1)


def test_a_server_that_is_away_is_told_and_so_are_the_bars_that_it_does_not_give(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 301))
    store(served, 300)
    with serving_stored(served) as api:
        page.open(url(served))
        expect(page.bars).to_have_count(40)
        api.kill()
    expect(page.connection).to_contain_text("disconnected, again in")
    page.chart_group.focus()
    for _ in range(4):
        page.press_and_see("PageUp")
    expect(page.problem).to_have_text("Older bars could not be loaded: the API cannot be reached.")
    assert page.told_bars()[0] == row(minutes(300, 301)[0])
    page.page.keyboard.press("End")
    with serving(served):
        # Its own next attempt may come first: then there is no button any more.
        button = page.page.get_by_role("button", name="now")
        button.or_(page.connection.filter(has_text="live")).first.click()
        expect(page.connection).to_contain_text("live")


def test_a_trade_of_zeromq_is_a_provisional_price_at_once(served: Settings, writer: Writer, page: MarketPage) -> None:
    writer.flush(minutes(1, 3))
    with publishing(served) as publish, serving(served):
        page.open(url(served))
        expect(page.bars).to_have_count(2)
        for _ in publish(writer.value("Trade", trade(1, price="103.25", at_s=3 * MINUTE_S))):
            if page.trades.count() > 0:
                break
        expect(page.last_price).to_contain_text("103.25")
        expect(page.last_price).to_contain_text("provisional")
        expect(page.trades).to_have_count(1)
        writer.flush([bar(5 * MINUTE_S, seq=50, close="104")])
        expect(page.last_price).to_be_hidden()


def test_the_tape_says_who_took_and_where_trades_may_be_missing(
    served: Settings, writer: Writer, page: MarketPage
) -> None:
    writer.flush(minutes(1, 3))
    with publishing(served) as publish:
        with serving(served) as api:
            page.open(url(served))
            expect(page.bars).to_have_count(2)
            for _ in publish(writer.value("Trade", trade(1, price="103.25", at_s=3 * MINUTE_S))):
                if page.trades.count() > 0:
                    break
            api.kill()
        lost = "Trades may be missing here"
        expect(page.trades).to_have_text([lost, "00:03:00.000buy103.250.1"])
        with serving(served):
            for _ in publish(writer.value("Trade", trade(2, price="103.5", at_s=4 * MINUTE_S))):
                if page.trades.count() > 2:
                    break
            expect(page.trades).to_have_text(["00:04:00.000buy103.500.1", lost, "00:03:00.000buy103.250.1"])


def test_a_long_amount_of_a_trade_is_shown_whole(served: Settings, writer: Writer, page: MarketPage) -> None:
    long = trade(1, price="0.000009123", size="1234567.12345678", at_s=3 * MINUTE_S)
    writer.flush(minutes(1, 3))
    page.page.set_viewport_size({"width": 1000, "height": 860})
    with publishing(served) as publish, serving(served):
        page.open(url(served))
        expect(page.bars).to_have_count(2)
        for _ in publish(writer.value("Trade", long)):
            if page.trades.count() > 0:
                break
        expect(page.trades.get_by_text("1234567.12345678")).to_be_in_viewport(ratio=1)
