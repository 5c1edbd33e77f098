"""What venues.yaml says of the venues, read and checked."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from app.intervals import duration_ns
from app.unique_keys import load_yaml


class VenuesFileError(Exception):
    """venues.yaml is missing or says something livetape cannot follow; the message names the venue and the field."""


class TradeIds(StrEnum):
    """What a venue's trade ids tell of those that did not come."""

    CONTIGUOUS = "contiguous"
    UNKNOWN = "unknown"


class Candles(StrEnum):
    """What a venue's own minutes are of."""

    OF_TRADES = "of_trades"
    """The minute's trades, as its stream has them."""
    FROM_LAST_CLOSE = "from_last_close"
    """The same, but each opens at the close before it, which its high and low take in too."""
    OF_FILLS = "of_fills"
    """The minute's fills. A trade of the stream is of several, and may have begun in the minute before theirs."""


class Part(StrEnum):
    """What of a bar a trade may count for."""

    OPEN_CLOSE = "open_close"
    HIGH_LOW = "high_low"
    VOLUME = "volume"


class Session(StrEnum):
    """Hours of an exchange's day, in their order."""

    PRE = "pre"
    REGULAR = "regular"
    POST = "post"


def _check_name(name: str) -> str:
    if name != DAY and not re.fullmatch(r"[a-z][a-z_-]{0,31}", name):
        raise ValueError(f"{name!r}: bars by an exchange's hours are {DAY}, or a name of small letters such as regular")
    return name


def _check_sessions(sessions: tuple[Session, ...]) -> tuple[Session, ...]:
    order = list(Session)
    places = [order.index(session) for session in sessions]
    if not places or places != list(range(places[0], places[-1] + 1)):
        raise ValueError(f"a bar is made of hours that follow each other, in the order {', '.join(order)}")
    return sessions


def _check_parts(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if Part.OPEN_CLOSE in parts and Part.HIGH_LOW not in parts:
        raise ValueError("what counts for open_close has to count for high_low: a bar's open lies within its range")
    return parts


DAY: Final = "1d"
IntervalName = Annotated[str, AfterValidator(_check_name)]
Parts = Annotated[tuple[Part, ...], AfterValidator(_check_parts)]
Sessions = Annotated[tuple[Session, ...], AfterValidator(_check_sessions)]
Duration = Annotated[int, BeforeValidator(lambda text: duration_ns(text) if isinstance(text, str) else text)]


class Hours(BaseModel):
    """Which hours of which exchange's day make which bars."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calendar: str
    """A name of pandas_market_calendars."""
    pre_ns: Annotated[Duration | None, Field(alias="pre", gt=0)] = None
    """How long before regular hours pre-market hours begin; as the calendar says when nothing is said."""
    post_ns: Annotated[Duration | None, Field(alias="post", gt=0)] = None
    """How long after the calendar's close post-market hours end; likewise."""
    closing_auction_ns: Annotated[Duration | None, Field(alias="closing_auction", gt=0)] = None
    """How long after the calendar's close the closing auction's trades may come: regular hours end so much later, and
    post-market hours begin then."""
    bars: dict[IntervalName, Sessions]
    """By interval: what its bars are made of."""


CONDITIONS: Final[dict[str, tuple[Part, ...]]] = {"non-printable": (), "odd-lot": (Part.VOLUME,)}
"""By the codes that the bridge gives trades of packet feeds: non-printable shares are told once more with their cross,
and odd lots set no price on the consolidated tape."""


class Venue(BaseModel):
    """One venue as venues.yaml declares it; with no field given, as one that it does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trade_ids: TradeIds = TradeIds.UNKNOWN
    quotes: bool = False
    """Whether its quotes are in `quotes`: its trades wait for them."""
    candles: Candles | None = None
    """What its own minutes are of, where they are in `candles`: bars are compared with them."""
    conditions: dict[str, Parts] = CONDITIONS
    """By trade condition code: what such a trade counts for; a code not named allows all."""
    hours: Hours | None = None
    """Of an exchange whose days are not those of UTC."""
    instrument_hours: dict[str, Hours] = {}
    """By instrument: in place of the venue's."""

    @property
    def all_hours(self) -> dict[str, Hours]:
        """By instrument, or nothing for all of the venue's others."""
        return self.instrument_hours | ({} if self.hours is None else {"": self.hours})

    def counts_for(self, conditions: Iterable[str]) -> list[Part]:
        """What a trade of these conditions counts for: what all of them allow."""
        allowed = [self.conditions[code] for code in conditions if code in self.conditions]
        return [part for part in Part if all(part in parts for parts in allowed)]


UNDECLARED: Final = Venue()
"""Of every venue that venues.yaml does not name."""


_File = TypeAdapter(dict[str, Venue])


def read_venues(path: Path) -> dict[str, Venue]:
    """Every venue of a venues.yaml by its name.

    Raises:
        VenuesFileError: the file is missing, no YAML, names a key twice, or a venue's field is wrong.
    """
    try:
        declared: Any = load_yaml(path.read_text(encoding="utf-8"))
        return _File.validate_python(declared or {})
    except OSError as error:
        raise VenuesFileError(
            f"{path}: {error.strerror}: set LIVETAPE_VENUES_FILE to the project's venues.yaml"
        ) from error
    except UnicodeDecodeError as error:
        raise VenuesFileError(f"{path}: it must be UTF-8: {error}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise VenuesFileError(f"{path}: {error}") from error


def counts_for(venues: Mapping[str, Venue], venue: str, conditions: Iterable[str]) -> list[Part]:
    """What a trade of the venue counts for."""
    return venues.get(venue, UNDECLARED).counts_for(conditions)


def all_intervals(lengths: Iterable[str], venues: Iterable[Venue]) -> tuple[str, ...]:
    """Every interval that bars are published of: those by length, and those by an exchange's hours."""
    by_hours = (name for venue in venues for hours in venue.all_hours.values() for name in hours.bars)
    return tuple(dict.fromkeys([*lengths, *by_hours]))
