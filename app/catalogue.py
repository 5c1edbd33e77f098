"""What can be asked for, and the clear refusal of what cannot: one set of codes for REST and /ws."""

from collections.abc import Iterable
from enum import StrEnum

from app.aggregates import Declared
from app.bars import Instrument, SeriesKey
from app.status import State, Status
from app.views import BarView


class Code(StrEnum):
    """Why a request was refused."""

    UNKNOWN_VENUE = "unknown_venue"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNKNOWN_INTERVAL = "unknown_interval"
    UNKNOWN_TABLE = "unknown_table"
    UNKNOWN_CHANNEL = "unknown_channel"
    UNKNOWN_OP = "unknown_op"
    BAD_MESSAGE = "bad_message"
    BAD_PARAMETER = "bad_parameter"
    NOT_READY = "not_ready"
    NOT_FOUND = "not_found"
    WRONG_METHOD = "wrong_method"
    WRONG_ORIGIN = "wrong_origin"
    NOT_SUBSCRIBED = "not_subscribed"
    TOO_MANY = "too_many_subscriptions"
    TOO_MANY_SERIES = "too_many_series"
    NO_DATABASE = "database_unavailable"
    SLOW_READER = "slow_reader"
    INTERNAL = "internal"


class RequestRefused(Exception):
    """A request that cannot be answered; `reason` says what is wrong and what would be right."""

    def __init__(self, code: Code, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}")


class Catalogue:
    """Instruments that bars or trades have shown so far; the intervals and aggregates of the settings."""

    def __init__(
        self, intervals: Iterable[str], view: BarView, status: Status, aggregates: Iterable[Declared] = ()
    ) -> None:
        self.intervals = tuple(intervals)
        self.aggregates = tuple(aggregates)
        self._channels = ("bars", *(each.topic for each in self.aggregates))
        self._view = view
        self._status = status
        self._traded: dict[Instrument, None] = {}

    def instruments(self) -> list[Instrument]:
        """Every known instrument, by venue and name."""
        return sorted({*self._view.instruments(), *self._traded})

    @property
    def seen(self) -> tuple[int, int]:
        """How many instruments have bars, and how many have traded: more after each that was not known."""
        return self._view.instrument_count, len(self._traded)

    def saw_trade(self, instrument: Instrument) -> None:
        """Learn of an instrument that may have no bar yet."""
        self._traded[instrument] = None

    def instrument(self, venue: str, instrument: str) -> Instrument:
        """The instrument by its names.

        Raises:
            RequestRefused: the venue, or the instrument on it, has not been seen, or not yet.
        """
        wanted = Instrument(venue, instrument)
        if wanted not in self._traded and not self._view.knows(wanted):
            raise self._unknown(wanted)
        return wanted

    def interval(self, interval: str) -> str:
        """The same; raise RequestRefused when it is not published."""
        if interval not in self.intervals:
            reason = f"{interval!r} is not published; the intervals are {', '.join(self.intervals)}"
            raise RequestRefused(Code.UNKNOWN_INTERVAL, reason)
        return interval

    def series(self, venue: str, instrument: str, interval: str, channel: str = "bars") -> SeriesKey:
        """The series by its names; `channel` is `bars` or that of an aggregate.

        Raises:
            RequestRefused: there is no such aggregate, the interval is not published, or the instrument is not known.
        """
        if channel not in self._channels:
            listed = ", ".join((*self._channels, "trades", "movers", "table"))
            raise RequestRefused(Code.UNKNOWN_CHANNEL, f"{channel!r} is no channel; the channels are {listed}")
        self.interval(interval)
        return SeriesKey(*self.instrument(venue, instrument), interval, channel)

    def check_loaded(self, asked: str) -> None:
        """Check that the view has held all that was there, so that what is `asked` for lacks nothing.

        Raises:
            RequestRefused: it is still being loaded.
        """
        if not self._status.was_ready:
            reason = f"the view is {self._status.now.state}, and some of these {asked} may still come: ask again"
            raise RequestRefused(Code.NOT_READY, reason)

    def _unknown(self, wanted: Instrument) -> RequestRefused:
        standing = self._status.now
        if standing.state is not State.READY:
            reason = (
                f"{wanted.instrument!r} on {wanted.venue!r} has not been seen yet, and the view is {standing.state}"
            )
            return RequestRefused(Code.NOT_READY, f"{reason} ({standing.reason}): ask again")
        known = self.instruments()
        venues = sorted({instrument.venue for instrument in known})
        if wanted.venue not in venues:
            reason = f"no instrument of venue {wanted.venue!r} has been seen; venues seen: {_listed(venues)}"
            return RequestRefused(Code.UNKNOWN_VENUE, reason)
        names = [instrument.instrument for instrument in known if instrument.venue == wanted.venue]
        reason = f"{wanted.instrument!r} has not been seen on {wanted.venue}, which has {len(names)}: {_listed(names)}"
        return RequestRefused(Code.UNKNOWN_INSTRUMENT, reason)


def _listed(names: list[str], most: int = 10) -> str:
    shown = [*names[:most], "…"] if len(names) > most else names
    return ", ".join(shown) or "none yet"
