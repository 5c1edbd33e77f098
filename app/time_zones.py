"""An exchange's own time in nanoseconds UTC, for parts that know no time zones."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.units import SECOND_NS

FIRST_YEAR: Final = 2010
YEARS_AHEAD: Final = 10
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)


class UtcOffset(NamedTuple):
    """From when on, in ns UTC, a zone's clocks are so many seconds ahead of UTC."""

    from_ns: int
    seconds: int


def check_timezone(name: str) -> str:
    """The name as it is. Raises ValueError where no zone has it."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone such as America/New_York") from error
    return name


def midnight_ns(day: date, timezone: str) -> int:
    """The beginning of a day. Raises ZoneInfoNotFoundError for a zone that is none."""
    return int(datetime.combine(day, time(), ZoneInfo(timezone)).timestamp()) * SECOND_NS


def utc_offsets(timezone: str) -> list[UtcOffset]:
    """A zone's offsets from 2010 to ten years ahead. Raises ZoneInfoNotFoundError for a zone that is none."""
    zone = ZoneInfo(timezone)
    end = datetime.now(UTC) + timedelta(days=366 * YEARS_AHEAD)
    moment = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    offsets = [UtcOffset(_ns(moment), _offset_s(moment, zone))]
    while moment < end:
        if _offset_s(moment + DAY, zone) == offsets[-1].seconds:
            moment += DAY
            continue
        while _offset_s(moment, zone) == offsets[-1].seconds:
            moment += HOUR
        offsets.append(UtcOffset(_ns(moment), _offset_s(moment, zone)))
    return offsets


def _offset_s(moment: datetime, zone: ZoneInfo) -> int:
    return int((moment.astimezone(zone).utcoffset() or timedelta()).total_seconds())


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_NS
