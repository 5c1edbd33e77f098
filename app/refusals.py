"""Pages that may not open /ws, told to whoever runs the API: a browser tells neither its user nor the page why."""

import logging
from typing import Final

log = logging.getLogger(__name__)

PAIRS: Final = 100
"""Told at the most: any program can say others for ever."""


class Refusals:
    """Tells each pair of a page's origin and the host that was asked once."""

    def __init__(self) -> None:
        self._told: set[tuple[str | None, str]] = set()

    def tell(self, origin: str | None, host: str, reason: str) -> None:
        """Warn of a refusal, unless that pair's was told, or enough were."""
        if len(self._told) < PAIRS and (origin, host) not in self._told:
            self._told.add((origin, host))
            log.warning("%s", reason)
