"""What a packet feed sends: packs of messages, each when its time has come."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from app.time_zones import midnight_ns
from app.units import SECOND_NS
from replay.itch import read_file
from replay.itch_market import ItchMarket
from replay.ledger import Ledger

_MOST_AT_ONCE: Final = 20
"""Messages that are sent together at most, as a busy moment's would be."""
_MATCH_STEP_NS: Final = 1_000
"""Match numbers are unique on a day, and seldom taken faster than one a microsecond: a market that begins with its time
of the day in microseconds has them above those of all before it."""
_LONGEST_DAY_NS: Final = 86_399 * SECOND_NS
"""A message's time is of its day: a market that goes on ends a second before midnight, and its session with it."""


class MarketSource:
    """A seeded market at so many messages a second, from opening to close, which is by the exchange's midnight at the
    latest; without a rate as fast as it goes."""

    def __init__(
        self, stocks: Sequence[str], seed: int, timezone: str, *, rate: int | None, messages: int | None, ledger: Ledger
    ) -> None:
        self._midnight_ns = _last_midnight_ns(timezone)
        self._before_ns = 0
        self._market = ItchMarket(
            stocks, seed, self._now_ns, midnight_ns=self._midnight_ns, match_before=self._now_ns() // _MATCH_STEP_NS
        )
        self._rate = rate
        self._messages = messages
        self._ledger = ledger

    def __aiter__(self) -> AsyncIterator[list[bytes]]:
        return _paced(self._told(), self._rate)

    def _told(self) -> Iterator[bytes]:
        until_midnight = takewhile(lambda _: self._now_ns() < _LONGEST_DAY_NS, self._market.messages())
        for told in chain(self._market.opening(), islice(until_midnight, self._messages), self._market.closing()):
            if told.entry is not None:
                self._ledger.write(told.entry)
            yield told.message

    def _now_ns(self) -> int:
        """A feed's times never go back."""
        self._before_ns = max(self._before_ns, time.time_ns() - self._midnight_ns)
        return self._before_ns


class FileSource:
    """An ITCH file's messages at so many a second; without a rate as fast as it goes.

    Raises BadRecording for a file of another kind, and for one that is too large.
    """

    def __init__(self, file: Path, rate: int | None) -> None:
        self._messages = read_file(file)
        self._rate = rate

    def __aiter__(self) -> AsyncIterator[list[bytes]]:
        return _paced(self._messages, self._rate)


async def _paced(messages: Iterable[bytes], rate: int | None) -> AsyncIterator[list[bytes]]:
    began_s, sent, rest = time.monotonic(), 0, iter(messages)
    while pack := list(islice(rest, _MOST_AT_ONCE)):
        ahead_s = 0.0 if rate is None else sent / rate - (time.monotonic() - began_s)
        await asyncio.sleep(max(0.0, ahead_s))
        yield pack
        sent += len(pack)


def _last_midnight_ns(timezone: str) -> int:
    """Of the exchange's day that is today: its clocks' midnight."""
    return midnight_ns(datetime.now(ZoneInfo(timezone)).date(), timezone)
