"""The bars of a series, from the view's ring and, where they are older, from Postgres."""

from functools import partial
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from app.bars import Bar, SeriesKey
from app.catalogue import Code, RequestRefused
from app.history import HistoryUnavailable, Positions
from app.services import Services
from app.status import Origin
from app.views import Series

FIRST_NS, LAST_NS = -(2**63), 2**63 - 1
"""What a time in nanoseconds can hold."""


class BarRange(NamedTuple):
    """The newest `limit` bars that start in [start_ns, end_ns); None is no bound."""

    start_ns: int | None
    end_ns: int | None
    limit: int


async def found_bars(services: Services, key: SeriesKey, wanted: BarRange) -> list[Bar]:
    """The bars of a range of a series, from the view's ring and from Postgres.

    Raises:
        RequestRefused: some may still be on their way into the ring, or Postgres, which has some of them, is away.
    """
    series = services.view.series(key)
    if not _asks_only_for_past(series, wanted):
        services.catalogue.check_loaded("bars")
    found = [] if series is None else series.between(wanted.start_ns, wanted.end_ns, wanted.limit)
    if series is not None and not series.has_begun:
        return _newest(await _stored(services, key, wanted, before=[]) + found, wanted.limit)
    if len(found) < wanted.limit and not _has_all(services, series, wanted):
        found = await _stored(services, key, wanted, before=found) + found
    return found


def _newest(bars: list[Bar], limit: int) -> list[Bar]:
    """The newest so many, each in its newest version: one that the ring has as forming may be final in Postgres."""
    versions = {bar.start_ns: bar for bar in sorted(bars, key=lambda bar: bar.order)}
    return [versions[start_ns] for start_ns in sorted(versions)][-limit:]


def _asks_only_for_past(series: Series | None, wanted: BarRange) -> bool:
    """Whether only bars are asked for that are older than what has come of the series by now."""
    newest_ns = None if series is None else series.newest_committed_ns
    return newest_ns is not None and wanted.end_ns is not None and wanted.end_ns <= newest_ns


def _has_all(services: Services, series: Series | None, wanted: BarRange) -> bool:
    """Whether no bar of the range is older than the ring."""
    if series is None or series.oldest_ns is None or not series.has_begun:
        return False
    if wanted.start_ns is not None and wanted.start_ns >= series.oldest_ns:
        return True
    is_whole = services.status.now.history is Origin.POSTGRES and not _unread(services, series.key)
    return is_whole and not series.is_full  # none was ever left out of it


def _asks_only_for_held(series: Series | None, wanted: BarRange) -> bool:
    """Whether no bars are asked for but those that a view holds which never had Postgres."""
    if wanted.start_ns is None and wanted.end_ns is None:
        return True
    if series is None or series.oldest_ns is None:
        return False
    if wanted.start_ns is not None and wanted.start_ns >= series.oldest_ns:
        return True
    return len(series.between(wanted.start_ns, wanted.end_ns, wanted.limit)) == wanted.limit


def _unread(services: Services, key: SeriesKey) -> Positions:
    """Before which offset of the partition that has this series the view has not read what was not stored."""
    unread = services.status.now.unread
    return {(partition.topic, partition.number): before for partition, before in unread.items() if partition.has(key)}


def _read_up_to(series: Series | None) -> Positions:
    """Up to where the view has read final bars of a series that it holds: none where all of them came from Postgres.

    Nor of one that has not begun: it had revisions alone, of bars that the view does not hold.
    """
    if series is None or series.read_up_to is None or not series.has_begun:
        return {}
    partition, next_offset = series.read_up_to
    return {(partition.topic, partition.number): next_offset}


async def _stored(services: Services, key: SeriesKey, wanted: BarRange, *, before: list[Bar]) -> list[Bar]:
    """What Postgres has of the bars asked for, before those of them that the ring has without a hole.

    Raises:
        RequestRefused: it is away, or behind.
    """
    first_ns = _time(wanted.start_ns, FIRST_NS)
    end_ns = before[0].start_ns if before else _time(wanted.end_ns, LAST_NS)
    if first_ns >= end_ns:
        return []
    ask = partial(
        services.history.bars,
        key,
        first_ns,
        end_ns,
        wanted.limit - len(before),
        read_up_to=_read_up_to(services.view.series(key)),
        needed=_unread(services, key),
    )
    is_held = _asks_only_for_held(services.view.series(key), wanted)  # now: more may come before Postgres answers
    try:
        return await run_in_threadpool(ask)
    except HistoryUnavailable as error:
        if services.status.now.history is Origin.TOPIC and is_held:
            return []
        remedy = f"Ask for {len(before)} at most, or again later" if before else "Ask again later"
        newest = f"the newest {services.view.depth} of a series"
        raise RequestRefused(
            Code.NO_DATABASE, f"bars older than {newest} are kept in Postgres only: {error}. {remedy}"
        ) from error


def _time(time_ns: int | None, otherwise: int) -> int:
    return otherwise if time_ns is None else min(max(time_ns, FIRST_NS), LAST_NS)
