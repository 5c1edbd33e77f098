"""Where the bars of a REST answer come from."""

import pytest

from app.api import build_api
from app.bars import Bar, SeriesKey
from app.routes.bars import BarsQuery, found_bars
from app.settings import Settings
from app.status import Origin
from tests.unit.app.test_views import KEY, final


async def test_bars_of_a_series_beyond_the_bound_come_from_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    services = build_api(Settings()).state.services
    services.status.set_history(Origin.POSTGRES)
    monkeypatch.setattr(services.view, "_max_series", 0)
    services.view.apply([(KEY, final(9, seq=9))])
    stored = [final(7, seq=7), final(8, seq=8)]

    def bars(key: SeriesKey, start_ns: int, end_ns: int, limit: int, *, is_followed: bool) -> list[Bar]:
        assert (key, limit, is_followed) == (KEY, 500, False)
        return [bar for bar in stored if start_ns <= bar.start_ns < end_ns]

    monkeypatch.setattr(services.history, "bars", bars)
    names = services.catalogue.series(KEY.venue, KEY.instrument, KEY.interval)
    query = BarsQuery(venue=KEY.venue, instrument=KEY.instrument, interval=KEY.interval)
    assert await found_bars(services, names, query) == stored
