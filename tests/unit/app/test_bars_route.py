"""Where the bars of a REST answer come from."""

import pytest

from app.api import build_api
from app.bars import Bar, SeriesKey
from app.catalogue import Code, RequestRefused
from app.history import Positions
from app.partitions import Partition
from app.routes.bars import FIRST_NS, BarsQuery, found_bars
from app.services import Services
from app.settings import Settings
from app.status import Origin, State
from tests.unit.app.test_views import KEY, MINUTE_NS, final, forming

NAMES = {"venue": KEY.venue, "instrument": KEY.instrument, "interval": KEY.interval}


async def minutes(services: Services, end: int | None) -> list[int]:
    """The starts, in minutes, of the bars that are found before a minute."""
    query = BarsQuery(**NAMES, end_ns=None if end is None else end * MINUTE_NS)
    return [bar.start_ns // MINUTE_NS for bar in await found_bars(services, KEY, query)]


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
    services.view.apply([(KEY, final(9, seq=9))])
    stored = [final(7, seq=7), final(8, seq=8)]

    def bars(
        key: SeriesKey, start_ns: int, end_ns: int, limit: int, *, is_followed: bool, needed: Positions
    ) -> list[Bar]:
        assert (key, limit, is_followed, needed) == (KEY, 500, False, {})
        return [bar for bar in stored if start_ns <= bar.start_ns < end_ns]

    monkeypatch.setattr(services.history, "bars", bars)
    names = services.catalogue.series(KEY.venue, KEY.instrument, KEY.interval)
    query = BarsQuery(**NAMES)
    assert await found_bars(services, names, query) == stored


async def test_bars_that_the_view_did_not_read_come_from_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    services = build_api(Settings()).state.services
    services.status.set_history(Origin.POSTGRES)
    services.view.apply([(KEY, final(start, seq=start)) for start in (0, 1, 2)])  # 3 to 6 are neither stored nor read
    own, other = sorted((Partition("bars", number, 2) for number in range(2)), key=lambda each: not each.has(KEY))
    services.status.set_unread(own, before=100)
    services.status.set_unread(other, before=200)
    services.view.begin_late(own)
    services.view.apply([(KEY, final(5, seq=6, revision=1)), (KEY, final(7, seq=7)), (KEY, final(8, seq=8))])
    services.status.set(State.READY)

    def bars(*asked: object, is_followed: bool, needed: Positions) -> list[Bar]:
        assert asked == (KEY, FIRST_NS, 7 * MINUTE_NS, 498)
        assert (is_followed, needed) == (True, {("bars", own.number): 100})
        return [final(6, seq=6)]

    monkeypatch.setattr(services.history, "bars", bars)
    assert await minutes(services, end=None) == [6, 7, 8]


async def test_what_forms_behind_bars_that_the_view_did_not_read_is_not_taken_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    services = build_api(Settings()).state.services
    services.status.set_history(Origin.POSTGRES)
    services.view.begin_late(Partition("bars", 0, 1))
    services.view.apply([(KEY, forming(9, seq=9))])
    services.status.set(State.READY)
    monkeypatch.setattr(services.history, "bars", lambda *_asked, **_how: [final(8, seq=8)])
    assert await minutes(services, end=None) == [8, 9]
