"""The aggregates' state as records of `fold-aggregates-changelog`: JSON, whose integers are of any size.

Keys and values are lists that begin with the format's version. Three kinds: how far the state has come, where each
aggregate began, and windows.
"""

import json
from enum import StrEnum
from typing import Any, Final, NamedTuple

VERSION: Final = 1
_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

StateRecord = tuple[bytes, bytes | None]
"""Key and value; no value is a tombstone."""


class Kind(StrEnum):
    """What a record is about."""

    PROGRESS = "progress"
    BIRTH = "birth"
    WINDOW = "window"


class Progress(NamedTuple):
    """Everything below `next_offset` of the log `epoch` is in the state, since the last reset."""

    epoch: str
    generation: int
    next_offset: int


class Birth(NamedTuple):
    """From which offset on an aggregate has seen every trade, and as what it was declared then."""

    signature: str
    offset: int


class Place(NamedTuple):
    """Where a window is."""

    aggregate: str
    venue: str
    instrument: str
    interval: str
    start_ns: int


class UnknownState(Exception):
    """A record is of another version, or none of ours."""


def key(kind: Kind, *parts: Any) -> bytes:  # noqa: ANN401 - text and integers
    """The key of a record."""
    return _encode([VERSION, kind, *parts]).encode()


def value(*parts: Any) -> bytes:  # noqa: ANN401 - as above
    """The value of a record."""
    return _encode([VERSION, *parts]).encode()


def read_key(data: bytes) -> tuple[Kind, list[Any]]:
    """Kind and parts of a key; raise UnknownState."""
    kind, *parts = _read(data)
    return Kind(kind), parts


def read_value(data: bytes) -> list[Any]:
    """Parts of a value; raise UnknownState."""
    return _read(data)


def _read(data: bytes) -> list[Any]:
    parts: list[Any]
    try:
        version, *parts = json.loads(data)
    except (ValueError, TypeError) as error:
        raise UnknownState(f"{data[:80]!r} is no record of the aggregates' state") from error
    if version != VERSION:
        raise UnknownState(f"the record is of format version {version}, and this release reads {VERSION}")
    return parts
