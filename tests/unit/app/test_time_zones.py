"""An exchange's midnights and offsets, against the calendar."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from app.time_zones import midnight_ns, utc_offsets
from app.units import SECOND_NS


def test_midnight_is_the_zones_own() -> None:
    assert midnight_ns(date(2026, 3, 9), "America/New_York") == 1_773_028_800 * SECOND_NS
    assert midnight_ns(date(2026, 1, 5), "UTC") == 1_767_571_200 * SECOND_NS


def test_a_zone_that_never_changes_has_one_offset() -> None:
    (tokyo,) = utc_offsets("Asia/Tokyo")
    assert tokyo.seconds == 9 * 3_600


def test_offsets_hold_at_every_hour() -> None:
    zone = ZoneInfo("America/New_York")
    offsets = utc_offsets(zone.key)
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    while moment.year < 2028:
        told = [offset.seconds for offset in offsets if offset.from_ns <= moment.timestamp() * SECOND_NS][-1]
        assert timedelta(seconds=told) == moment.astimezone(zone).utcoffset()
        moment += timedelta(hours=1)


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        utc_offsets("America/Nowhere")
