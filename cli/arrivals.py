"""Of which venues bars come: those of an earlier run are there from the first look on and tell nothing."""

from http import HTTPStatus
from typing import NamedTuple

import httpx


class Newest(NamedTuple):
    """What an instrument's newest bar has; any trade, wherever clocks stand, makes it greater."""

    start_ns: int
    trades: int


NONE_YET = Newest(0, 0)


class Arrivals:
    """Looks at the newest bars of instruments by the API that `http` asks.

    The client is one for all looks: making one, which makes a TLS context, takes longer than a look.
    """

    def __init__(self, http: httpx.Client, interval: str) -> None:
        self._http = http
        self._interval = interval
        self._first: dict[tuple[str, str], Newest] = {}

    def look(self, venue: str, instrument: str) -> bool:
        """Whether a trade has come into its bars since the first look at it that the API answered."""
        newest = self._newest(venue, instrument)
        return newest is not None and newest > self._first.setdefault((venue, instrument), newest)

    def _newest(self, venue: str, instrument: str) -> Newest | None:
        """Nothing while the API cannot tell."""
        query = {"venue": venue, "instrument": instrument, "interval": self._interval, "limit": "1"}
        try:
            answer = self._http.get("/api/v1/bars", params=query)
        except httpx.HTTPError:
            return None
        if answer.status_code == HTTPStatus.NOT_FOUND:  # an instrument of which nothing has come
            return NONE_YET
        if not answer.is_success:
            return None
        bars = answer.json()["bars"]
        return Newest(int(bars[0]["start_ns"]), bars[0]["trade_count"]) if bars else NONE_YET
