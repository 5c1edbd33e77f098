"""Whether instruments are in the partition of their key: if not, there may be bars of the same key in both."""

import logging
from collections.abc import Iterable
from typing import Final

from faust.types import TP

from app.partitions import home_of

log = logging.getLogger(__name__)

_NAMED: Final = 3
"""So many instruments are named at once: of a state that is restored there may be a hundred thousand."""


def tell_misplaced(tp: TP, partitions: int, series: Iterable[tuple[str, str]]) -> int:
    """Warn of those among these venues and instruments that belong to another of so many partitions; how many do."""
    homes = ((*names, home_of(*names, partitions)) for names in series)
    misplaced = [f"{venue}:{name} (partition {home})" for venue, name, home in homes if home != tp.partition]
    if misplaced:
        log.warning(
            "%s partition %d has trades of %d instruments that belong to other partitions: with trades there as well, "
            "each of their windows has two bars, either of a part of the trades. Write them by the key "
            "venue:instrument, placed by murmur2 as Java's producer does it (librdkafka: partitioner=murmur2_random): "
            "%s%s",
            *tp, len(misplaced), ", ".join(misplaced[:_NAMED]), ", …" if len(misplaced) > _NAMED else "",
        )  # fmt: skip
    return len(misplaced)
