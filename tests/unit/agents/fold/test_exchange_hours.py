"""Tables of hours against what the exchanges themselves have announced, by the hands of their own clocks."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agents.fold.exchange_hours import NoSuchHours, session_tables
from agents.fold.setup import make_setup
from app.settings import Settings
from app.units import MINUTE_NS, SECOND_NS
from app.venues import Hours, Session, Venue

NEW_YORK, CHICAGO, LONDON, FRANKFURT = (
    ZoneInfo(name) for name in ("America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin")
)
ALL = (Session.PRE, Session.REGULAR, Session.POST)


def at_ns(zone: ZoneInfo, text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND_NS


def windows_of(zone: ZoneInfo, day: str, table: list[tuple[int, int]]) -> list[str]:
    """The windows that begin on a day of the zone: start and end by its clock, with the day where it is another."""
    first = at_ns(zone, f"{day} 00:00")
    last = at_ns(zone, f"{(datetime.fromisoformat(day) + timedelta(days=1)).date()} 00:00")
    found = []
    for start, end in table:
        if first <= start < last:
            begins, ends = (datetime.fromtimestamp(edge // SECOND_NS, zone) for edge in (start, end))
            found.append(f"{begins:%H:%M}-{ends:%H:%M}" + ("" if begins.date() == ends.date() else f" {ends:%Y-%m-%d}"))
    return found


def tables_of(**hours: object) -> dict[str, list[tuple[int, int]]]:
    venue = Venue(hours=Hours.model_validate(hours))
    return session_tables({"venue": venue})["venue", ""]


@pytest.fixture(scope="module")
def nasdaq() -> dict[str, list[tuple[int, int]]]:
    bars = {"1d": [Session.REGULAR], "pre": [Session.PRE], "post": [Session.POST], "extended": ALL}
    return tables_of(calendar="NASDAQ", bars=bars)


NORMAL = ["09:30-16:00", "04:00-09:30", "16:00-20:00", "04:00-20:00"]
HALF = ["09:30-13:00", "04:00-09:30", "13:00-17:00", "04:00-17:00"]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2026-03-06", NORMAL),
        ("2026-03-09", NORMAL),  # summer time since the 8th
        ("2025-11-28", HALF),  # after Thanksgiving
        ("2025-11-27", []),  # Thanksgiving
        ("2025-01-09", []),  # a day of mourning
        ("2026-03-07", []),  # a Saturday
    ],
)
def test_hours_of_a_stock_exchange(nasdaq: dict[str, list[tuple[int, int]]], day: str, hours: list[str]) -> None:
    assert list(nasdaq) == ["1d", "pre", "post", "extended"]
    assert [window for table in nasdaq.values() for window in windows_of(NEW_YORK, day, table)] == hours


def test_summer_time_moves_the_day_by_an_hour_of_utc(nasdaq: dict[str, list[tuple[int, int]]]) -> None:
    starts = [start for start, _ in nasdaq["1d"]]
    assert at_ns(ZoneInfo("UTC"), "2026-03-06 14:30") in starts
    assert at_ns(ZoneInfo("UTC"), "2026-03-09 13:30") in starts


def test_a_futures_day_begins_on_the_evening_before() -> None:
    daily = tables_of(calendar="CME_Equity", bars={"1d": [Session.REGULAR]})["1d"]
    assert windows_of(CHICAGO, "2026-03-05", daily) == ["17:00-16:00 2026-03-06"]
    assert windows_of(CHICAGO, "2026-03-08", daily) == ["17:00-16:00 2026-03-09"]  # summer time began at night


def test_hours_that_a_calendar_does_not_know_are_as_long_as_venues_yaml_says() -> None:
    hours = {"calendar": "LSE", "pre": 600 * SECOND_NS, "post": 900 * SECOND_NS}
    daily = tables_of(**hours, bars={"1d": ALL})["1d"]
    assert windows_of(LONDON, "2026-03-30", daily) == ["07:50-16:45"]
    assert windows_of(LONDON, "2026-12-24", daily) == ["07:50-12:45"]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ("2026-03-06", ["09:30-16:05", "16:05-20:00", "04:00-20:00"]),
        ("2025-11-28", ["09:30-13:05", "13:05-17:00", "04:00-17:00"]),
    ],
)
def test_a_closing_auction_is_in_regular_hours_which_end_behind_it(day: str, hours: list[str]) -> None:
    bars = {"regular": [Session.REGULAR], "post": [Session.POST], "extended": ALL}
    tables = tables_of(calendar="NASDAQ", closing_auction=5 * MINUTE_NS, bars=bars)
    assert [window for table in tables.values() for window in windows_of(NEW_YORK, day, table)] == hours


def test_a_closing_auction_of_a_day_without_post_market_hours_is_in_the_bars_that_have_them() -> None:
    regular_and_post = (Session.REGULAR, Session.POST)
    bars = {"regular": [Session.REGULAR], "post": [Session.POST], "extended": ALL, "evening": regular_and_post}
    tables = tables_of(calendar="EUREX_PrePost", closing_auction=5 * MINUTE_NS, bars=bars)
    for day, hours in (
        ("2024-12-30", ["09:00-17:35", "17:35-22:00", "01:15-22:00", "09:00-22:00"]),
        ("2024-12-31", ["09:00-12:35", "01:15-12:35", "09:00-12:35"]),
    ):
        assert [window for table in tables.values() for window in windows_of(FRANKFURT, day, table)] == hours


def test_post_market_hours_end_as_long_after_the_close_as_they_do_without_a_closing_auction() -> None:
    hours = {"calendar": "LSE", "closing_auction": 10 * MINUTE_NS, "post": 45 * MINUTE_NS}
    tables = tables_of(**hours, bars={"1d": [Session.REGULAR], "post": [Session.POST]})
    assert windows_of(LONDON, "2026-03-30", tables["1d"]) == ["08:00-16:40"]
    assert windows_of(LONDON, "2026-03-30", tables["post"]) == ["16:40-17:15"]
    assert windows_of(LONDON, "2026-12-24", tables["1d"]) == ["08:00-12:40"]


@pytest.mark.parametrize(
    ("hours", "day"),
    [
        ({"calendar": "NASDAQ", "closing_auction": 240 * MINUTE_NS}, "2010-01-04"),
        ({"calendar": "LSE", "closing_auction": 10 * MINUTE_NS, "post": 10 * MINUTE_NS}, "2010-01-04"),
        ({"calendar": "LSE", "closing_auction": 16 * 60 * MINUTE_NS}, "2010-01-04"),
        ({"calendar": "LSE", "closing_auction": 15 * 60 * MINUTE_NS, "pre": 31 * MINUTE_NS}, "2010-01-04"),
        ({"calendar": "CME_Equity", "closing_auction": 60 * MINUTE_NS}, "2010-01-04"),
    ],
)
def test_a_closing_auction_that_leaves_no_post_market_hours_or_reaches_the_next_day_is_refused(
    hours: dict[str, object], day: str
) -> None:
    with pytest.raises(NoSuchHours, match=f"venue venue: by `closing_auction` regular hours of {day} end no sooner"):
        tables_of(**hours, bars={"1d": [Session.REGULAR]})


def test_no_window_overlaps_another_and_all_have_a_length(nasdaq: dict[str, list[tuple[int, int]]]) -> None:
    for table in nasdaq.values():
        edges = [edge for window in table for edge in window]
        assert edges == sorted(edges)
        assert all(start < end for start, end in table)


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        ({"calendar": "NOWHERE", "bars": {"1d": ALL}}, "venue venue: 'NOWHERE' is no calendar"),
        ({"calendar": "LSE", "bars": {"1d": ALL}}, "LSE has no pre-market hours: say in venues.yaml .* `pre: 30m`"),
        ({"calendar": "LSE", "pre": 1, "bars": {"1d": ALL}}, "LSE has no post-market hours"),
        ({"calendar": "XSGO", "bars": {"1d": [Session.REGULAR]}}, "venue venue: .* XSGO has no market_close, choose"),
        ({"calendar": "XSGO", "post": 1, "bars": {"post": [Session.POST]}}, "XSGO has no market_close, choose another"),
        (
            {"calendar": "XBEL", "bars": {"1d": [Session.REGULAR]}},
            "venue venue: the calendar XBEL cannot be used, choose another one: NotImplementedError implemented",
        ),
    ],
)
def test_hours_that_no_calendar_has_are_refused(hours: dict[str, object], reason: str) -> None:
    with pytest.raises(NoSuchHours, match=reason):
        tables_of(**hours)


def test_hours_that_no_interval_divides_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "venues.yaml"
    path.write_text("nyse: {hours: {calendar: NYSE, bars: {1d: [regular]}}}")
    make_setup(Settings(venues_file=path, intervals=("1s", "30m")), {})
    with pytest.raises(ValueError, match="venue nyse: 1d is not made of windows of a finer interval"):
        make_setup(Settings(venues_file=path, intervals=("8m", "1d")), {})
