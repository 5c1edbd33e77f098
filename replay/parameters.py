"""The parameters of a REST request. What is no number where one is wanted raises ValueError."""

from collections.abc import Mapping

from replay.faults import Refusal, Refused


def instrument_of(instruments: Mapping[str, str], symbol: str, unknown: Refusal) -> str:
    """The instrument that a venue calls so.

    Raises:
        Refused: it lists none, and says so by `unknown`.
    """
    if symbol not in instruments:
        raise Refused(unknown)
    return instruments[symbol]


def optional_integer(query: Mapping[str, str], name: str) -> int | None:
    """A whole number, where it is given."""
    return int(query[name]) if name in query else None


def limit_of(query: Mapping[str, str], default: int, most: int, name: str = "limit") -> int:
    """How many items are asked for: at least one, and never more than the venue gives."""
    limit = int(query.get(name, default))
    if limit < 1:
        raise ValueError(f"{name}={limit}")
    return min(limit, most)
