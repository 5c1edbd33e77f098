"""Where the bars of a REST answer come from."""

import pytest

from app.api import build_api
from app.bars import Bar, SeriesKey
from app.catalogue import Code, RequestRefused
from app.history import HistoryUnavailable, Positions
from app.partitions import Partition, Position
from app.routes.bars import BarsQuery
from app.services import Services
from app.settings import Settings
from app.status import Origin, State
from app.stored_bars import FIRST_NS, found_bars
from app.units import MINUTE_NS
from tests.unit.app.test_views import KEY, final, forming

LATE = Partition("bars", 0, 1)
NAMES = {"venue": KEY.venue, "instrument": KEY.instrument, "interval": KEY.interval}


async def minutes(services: Services, end: int | None) -> list[int]:
    """The starts, in minutes, of the bars that are found before a minute."""
    query = BarsQuery(**NAMES, end_ns=None if end is None else end * MINUTE_NS)
    return [bar.start_ns // MINUTE_NS for bar in await found_bars(services, KEY, query.range)]


def begun_late(*bars: Bar, history: Origin = Origin.POSTGRES) -> Services:
    """Those of an API that is ready, whose view lacks what was before these bars."""
    services: Services = build_api(Settings()).state.services
    services.status.set_history(history)
    services.view.begin_late(LATE)
    services.view.apply([(KEY, bar) for bar in bars])
    services.status.set(State.READY)
    return services


def away(*_asked: object, **_how: object) -> list[Bar]:
    """In place of a database that does not answer."""
    raise HistoryUnavailable("no answer")


async def test_bars_that_may_still_come_are_refused_until_the_view_was_ready_once() -> None:
    services = build_api(Settings()).state.services
    services.status.set_history(Origin.POSTGRES)
    services.view.apply([(KEY, final(7, seq=7)), (KEY, final(8, seq=8)), (KEY, forming(12, seq=12))])
    services.status.set(State.CATCHING_UP, "1 partition is still being read to its end")
    assert await minutes(services, end=8) == [7]
    for end in (9, 12, None):
        with pytest.raises(RequestRefused, match=Code.NOT_READY):
            await minutes(services, end)
    services.status.set(State.READY)
    services.status.set(State.WAITING, "Kafka is away")
    assert await minutes(services, end=None) == [7, 8, 12]


async def test_bars_of_a_series_beyond_the_bound_come_from_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    services = build_api(Settings()).state.services
    services.status.set_history(Origin.POSTGRES)
    services.status.set(State.READY)
    monkeypatch.setattr(services.view, "_max_series", 0)
    services.view.apply([(KEY, final(9, seq=9))], {KEY: Position(Partition("bars", 0, 1), 10)})
    stored = [final(7, seq=7), final(8, seq=8)]

    def bars(
        key: SeriesKey, start_ns: int, end_ns: int, limit: int, *, read_up_to: Positions, needed: Positions
    ) -> list[Bar]:
        assert (key, limit, read_up_to, needed) == (KEY, 500, {}, {})
        return [bar for bar in stored if start_ns <= bar.start_ns < end_ns]

    monkeypatch.setattr(services.history, "bars", bars)
    names = services.catalogue.series(KEY.venue, KEY.instrument, KEY.interval)
    query = BarsQuery(**NAMES)
    assert await found_bars(services, names, query.range) == stored


async def test_bars_that_the_view_did_not_read_come_from_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    services = build_api(Settings()).state.services
    services.status.set_history(Origin.POSTGRES)
    services.view.apply([(KEY, final(start, seq=start)) for start in (0, 1, 2)])  # 3 to 6 are neither stored nor read
    own, other = sorted((Partition("bars", number, 2) for number in range(2)), key=lambda each: not each.has(KEY))
    services.status.set_unread(own, before=100)
    services.status.set_unread(other, before=200)
    services.view.begin_late(own)
    read = [(KEY, final(5, seq=6, revision=1)), (KEY, final(7, seq=7)), (KEY, final(8, seq=8))]
    services.view.apply(read, {KEY: Position(own, 103)})
    services.status.set(State.READY)

    def bars(*asked: object, read_up_to: Positions, needed: Positions) -> list[Bar]:
        assert asked == (KEY, FIRST_NS, 7 * MINUTE_NS, 498)
        assert (read_up_to, needed) == ({("bars", own.number): 103}, {("bars", own.number): 100})
        return [final(6, seq=6)]

    monkeypatch.setattr(services.history, "bars", bars)
    assert await minutes(services, end=None) == [6, 7, 8]


async def test_what_forms_behind_bars_that_the_view_did_not_read_is_not_taken_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = begun_late(forming(9, seq=9))
    monkeypatch.setattr(services.history, "bars", lambda *_asked, **_how: [final(8, seq=8)])
    assert await minutes(services, end=None) == [8, 9]


async def test_a_bar_that_still_forms_by_what_the_view_read_is_final_where_the_database_has_it_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = begun_late(forming(7, seq=6), forming(8, seq=7), forming(10, seq=10))
    stored = [final(start, seq=start) for start in (6, 7, 8, 9)]

    def bars(_key: SeriesKey, start_ns: int, end_ns: int, limit: int, **_how: object) -> list[Bar]:
        return [bar for bar in stored if start_ns <= bar.start_ns < end_ns][-limit:]

    async def found(limit: int, end: int | None = None) -> list[tuple[int, bool]]:
        query = BarsQuery(**NAMES, limit=limit, end_ns=None if end is None else end * MINUTE_NS)
        return [
            (bar.start_ns // MINUTE_NS, bar.order.committed) for bar in await found_bars(services, KEY, query.range)
        ]

    monkeypatch.setattr(services.history, "bars", bars)
    assert await found(500) == [(6, True), (7, True), (8, True), (9, True), (10, False)]
    assert await found(2) == [(9, True), (10, False)]
    assert await found(1, end=9) == [(8, True)]


async def test_what_may_be_final_by_now_is_refused_as_forming_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = begun_late(forming(9, seq=9))
    monkeypatch.setattr(services.history, "bars", away)
    with pytest.raises(RequestRefused, match=r"no answer. Ask again later"):
        await found_bars(services, KEY, BarsQuery(**NAMES, limit=1).range)
    services.view.apply([(KEY, final(9, seq=10))])
    assert [bar.order.seq for bar in await found_bars(services, KEY, BarsQuery(**NAMES, limit=1).range)] == [10]


async def test_a_view_that_never_had_a_database_tells_what_forms_to_whoever_asks_for_nothing_older(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = begun_late(forming(8, seq=8), forming(9, seq=9), history=Origin.TOPIC)

    async def found(start: int | None, end: int | None, limit: int = 500) -> list[int]:
        times = {"start_ns": start, "end_ns": end}
        named = {name: None if time is None else time * MINUTE_NS for name, time in times.items()}
        query = BarsQuery(**NAMES, **named, limit=limit)
        return [bar.start_ns // MINUTE_NS for bar in await found_bars(services, KEY, query.range)]

    monkeypatch.setattr(services.history, "bars", away)
    assert await found(None, None) == [8, 9]
    assert await found(8, None) == [8, 9]
    assert await found(9, 11) == [9]
    assert await found(None, 9, limit=1) == [8]
    for start, end in ((7, None), (7, 9), (None, 9)):
        with pytest.raises(RequestRefused, match=Code.NO_DATABASE):
            await found(start, end)


async def test_a_revision_of_a_bar_that_the_view_does_not_hold_makes_no_answer_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = begun_late(forming(9, seq=9))
    services.view.apply([(KEY, final(7, seq=9, revision=1))], {KEY: Position(LATE, 103)})

    def bars(*_asked: object, read_up_to: Positions, **_how: object) -> list[Bar]:
        assert read_up_to == {}
        return [final(8, seq=8)]

    monkeypatch.setattr(services.history, "bars", bars)
    assert await minutes(services, end=None) == [8, 9]
