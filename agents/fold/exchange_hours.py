"""When the exchanges of venues.yaml are open, as tables of boundaries: the fold computes no calendar itself."""

import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

from pandas_market_calendars import get_calendar, get_calendar_names

from app.units import SECOND_NS
from app.venues import Hours, Session, Venue, VenuesFileError

Edges = dict[str, list[int]]
"""A time of each of the exchange's days, in nanoseconds since 1970 UTC, by the calendar's name of it."""

FIRST_DAY: Final = date(2010, 1, 1)
"""Trades from before are in no bar by an exchange's hours."""
YEARS_AHEAD: Final = 10
"""How far calendars reach when the worker starts."""
PRE, OPEN, CLOSE, POST = "pre", "market_open", "market_close", "post"
REGULAR_END: Final = "regular_end"
"""The calendar's close, or when the closing auction is over that comes behind it."""
BEGIN: Final = {Session.PRE: PRE, Session.REGULAR: OPEN, Session.POST: REGULAR_END}
END: Final = {Session.PRE: OPEN, Session.REGULAR: REGULAR_END, Session.POST: POST}


class NoSuchHours(VenuesFileError):
    """venues.yaml asks for hours that no calendar tells; the message names whose, and the calendar, and what to do."""


def session_tables(venues: Mapping[str, Venue]) -> dict[tuple[str, str], dict[str, list[tuple[int, int]]]]:
    """By venue and instrument (none for all others of the venue), and by interval: start and end of each window.

    Raises:
        NoSuchHours: a calendar is not known, cannot be used, or does not have these hours.
    """
    return {
        (name, instrument): _tables(hours, f"venue {name} {instrument}".strip())
        for name, venue in venues.items()
        for instrument, hours in venue.all_hours.items()
    }


def _tables(hours: Hours, whose: str) -> dict[str, list[tuple[int, int]]]:
    days = _days(hours.calendar, whose)
    if hours.pre_ns is not None:
        days[PRE] = [opens - hours.pre_ns for opens in days[OPEN]]
    if hours.post_ns is not None:
        days[POST] = [closes + hours.post_ns for closes in days[CLOSE]]
    days[REGULAR_END] = _regular_ends(hours, days, whose)
    if POST in days:  # on a day without post-market hours it is the close: a bar with them ends with regular hours then
        days[POST] = [max(ends) for ends in zip(days[POST], days[REGULAR_END], strict=True)]
    tables = {}
    for interval, sessions in hours.bars.items():
        begin, end = BEGIN[sessions[0]], END[sessions[-1]]
        for edge in (begin, end):
            if edge not in days:
                raise NoSuchHours(
                    f"{whose}: the calendar {hours.calendar} has no {edge}-market hours: say in venues.yaml how long "
                    f"they are, `{edge}: 30m`"
                )
        windows = zip(days[begin], days[end], strict=True)
        tables[interval] = [(start, stop) for start, stop in windows if start < stop]
    return tables


def _regular_ends(hours: Hours, days: Edges, whose: str) -> list[int]:
    """When each day's regular hours end: with the calendar's close, or the closing auction that comes behind it."""
    if hours.closing_auction_ns is None:
        return days[CLOSE]
    ends = [closes + hours.closing_auction_ns for closes in days[CLOSE]]
    next_days = [*days.get(PRE, days[OPEN])[1:], ends[-1] + 1]
    edges = zip(days[CLOSE], ends, days.get(POST, days[CLOSE]), next_days, strict=True)
    for closes, auction_ends, post_ends, next_begins in edges:
        if auction_ends >= (post_ends if post_ends > closes else next_begins):
            day = datetime.fromtimestamp(closes // SECOND_NS, UTC).date()
            raise NoSuchHours(
                f"{whose}: by `closing_auction` regular hours of {day} end no sooner than post-market hours do, or the "
                "next day begins: say in venues.yaml a shorter time, `closing_auction: 5m`"
            )
    return ends


def _days(calendar: str, whose: str) -> Edges:
    """When each of the exchange's days begins and ends: holidays, half days and summer time are in it."""
    if calendar not in get_calendar_names():
        raise NoSuchHours(
            f"{whose}: {calendar!r} is no calendar of pandas_market_calendars, which has NYSE, NASDAQ, CME_Equity, "
            "LSE, XTKS, XETR and others"
        )
    try:
        days = _schedule(calendar)
    except Exception as error:  # whatever a calendar's rules raise: some have holidays that pandas cannot compute
        why = f"{type(error).__name__} {error}"
        raise NoSuchHours(f"{whose}: the calendar {calendar} cannot be used, choose another one: {why}") from error
    for edge in (OPEN, CLOSE):
        if edge not in days:
            raise NoSuchHours(f"{whose}: the calendar {calendar} has no {edge}, choose another one")
    return days


def _schedule(calendar: str) -> Edges:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lunch breaks that an exchange gave up: no bar ends at one
        exchange = get_calendar(calendar)
        edges = [name for name in (PRE, OPEN, CLOSE, POST) if name in exchange.market_times]
        last = FIRST_DAY.replace(year=datetime.now(UTC).year + YEARS_AHEAD)
        days = exchange.schedule(FIRST_DAY, last, market_times=edges, tz="UTC").dropna()
    return {edge: [int(time) for time in days[edge].astype("datetime64[ns, UTC]").astype("int64")] for edge in edges}
