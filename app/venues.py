"""What venues.yaml says of the venues, read and checked."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError


class VenuesFileError(Exception):
    """venues.yaml is missing or says something livetape cannot follow; the message names the venue and the field."""


class TradeIds(StrEnum):
    """What a venue's trade ids tell of those that did not come."""

    CONTIGUOUS = "contiguous"
    UNKNOWN = "unknown"


class Part(StrEnum):
    """What of a bar a trade may count for."""

    OPEN_CLOSE = "open_close"
    HIGH_LOW = "high_low"
    VOLUME = "volume"


class Venue(BaseModel):
    """One venue as venues.yaml declares it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trade_ids: TradeIds = TradeIds.UNKNOWN
    conditions: dict[str, tuple[Part, ...]] = {}
    """By trade condition code: what such a trade counts for."""


_File = TypeAdapter(dict[str, Venue])


def read_venues(path: Path) -> dict[str, Venue]:
    """Every venue of a venues.yaml by its name.

    Raises:
        VenuesFileError: the file is missing, no YAML, or a venue's field is wrong.
    """
    try:
        declared: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.validate_python(declared or {})
    except OSError as error:
        raise VenuesFileError(
            f"{path}: {error.strerror}: set LIVETAPE_VENUES_FILE to the project's venues.yaml"
        ) from error
    except (yaml.YAMLError, ValidationError) as error:
        raise VenuesFileError(f"{path}: {error}") from error
